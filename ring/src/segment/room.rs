//! Checks that there is enough memory for a ring, and reserves all of it before the ring exists.
//!
//! On a full tmpfs reserving fails with `ENOSPC` and leaves nothing behind. A memory cgroup at its limit kills the
//! process instead, so the cgroup's headroom is read first.

use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::error::CreateError;

/// Checks the bytes that a ring needs against `free`, the bytes left in its file system or machine, and against the
/// memory cgroup's headroom. `counts` tells whether the ring's pages count in the cgroup. `too_little` makes the error
/// if `free` is too small.
pub(crate) fn check(
    path: &Path,
    needed: u64,
    free: Option<u64>,
    counts: impl FnOnce() -> Result<bool, CreateError>,
    too_little: impl FnOnce(u64) -> CreateError,
) -> Result<(), CreateError> {
    if let Some(free) = free.filter(|&free| free < needed) {
        return Err(too_little(free));
    }
    match cgroup_headroom() {
        Some((cgroup, free)) if free < needed && counts()? => {
            Err(CreateError::MemoryLimit { path: path.to_owned(), needed, free, cgroup })
        }
        _ => Ok(()),
    }
}

/// From this size on the machine's memory is looked at. It is read from `/proc` and the cgroup's files, which would cost a
/// small ring more than all else.
const LARGE: u64 = 64 << 20;

/// Checks that there is memory on the heap for `what`, if it is large. Without this the process would end in the allocation, or
/// later.
pub(crate) fn check_heap(what: &str, needed: u64) -> Result<(), CreateError> {
    if needed < LARGE {
        return Ok(());
    }
    let path = Path::new(what);
    let too_little = |free| CreateError::NoMemory { path: path.to_owned(), needed, free };
    check(path, needed, available(), || Ok(true), too_little)
}

/// Bytes reserved in one call. Before Linux 6.13 a signal undoes the whole interrupted call. In one call, a program
/// with a timer could never reserve a large ring.
const PIECE: usize = 2 << 20;

/// Reserves the first `bytes` of a file. Without this the first touch in a full file system raises SIGBUS.
pub(crate) fn reserve(fd: impl AsFd, bytes: usize) -> Result<(), Errno> {
    in_pieces(bytes, |start, length| fallocate(&fd, FallocateFlags::empty(), start, length))
}

/// Calls `reserve` for each piece in order, and again if a signal interrupts it.
fn in_pieces(bytes: usize, mut reserve: impl FnMut(u64, u64) -> Result<(), Errno>) -> Result<(), Errno> {
    for start in (0..bytes).step_by(PIECE) {
        rustix::io::retry_on_intr(|| reserve(start as u64, PIECE.min(bytes - start) as u64))?;
    }
    Ok(())
}

/// The cgroup of this process or above it, of version 1 or 2, with the least memory left under its limit, and the bytes
/// left. Inactive file pages count as left, because the kernel reclaims them first. `None` if no limit is set or none
/// can be read.
fn cgroup_headroom() -> Option<(PathBuf, u64)> {
    headroom(Path::new("/sys/fs/cgroup"), &fs::read_to_string("/proc/self/cgroup").ok()?)
}

/// Bytes available on this machine without swapping. `None` if they cannot be read.
pub(crate) fn available() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes: u64 =
        text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// [`cgroup_headroom`] for a cgroup file system mounted at `root` and the text of `/proc/self/cgroup`.
pub(crate) fn headroom(root: &Path, memberships: &str) -> Option<(PathBuf, u64)> {
    memberships
        .lines()
        .filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let (top, limit, usage, cache) = if controllers.is_empty() {
                (root.to_owned(), "memory.max", "memory.current", "inactive_file ")
            } else if controllers.split(',').any(|controller| controller == "memory") {
                (root.join("memory"), "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
            } else {
                return None;
            };
            // In a container the path may be the host's. Groups that do not exist here are skipped, up to the top.
            let inner = top.join(path.trim_start_matches('/'));
            inner
                .ancestors()
                .take_while(|group| group.starts_with(&top))
                .filter_map(|group| {
                    let limit = number(&group.join(limit))?;
                    let used = number(&group.join(usage))?;
                    // The pages of a ring are not among them: memory file systems count as shmem.
                    let used = used.saturating_sub(statistic(&group.join("memory.stat"), cache).unwrap_or(0));
                    Some((group.to_owned(), limit.saturating_sub(used)))
                })
                .min_by_key(|(_, free)| *free)
        })
        .min_by_key(|(_, free)| *free)
}

/// The number after `name` in a file of names and numbers.
fn statistic(path: &Path, name: &str) -> Option<u64> {
    fs::read_to_string(path).ok()?.lines().find_map(|line| line.strip_prefix(name))?.trim().parse().ok()
}

/// The number in a file. `None` for no limit: `max` in version 2, a huge number in version 1.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok().filter(|number| *number < 1 << 60)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn group(path: &Path, files: &[(&str, &str)]) {
        fs::create_dir_all(path).unwrap();
        for (name, text) in files {
            fs::write(path.join(name), text).unwrap();
        }
    }

    #[test]
    fn interrupted_reservations_are_repeated() {
        let (bytes, mut reserved, mut calls) = (3 * PIECE + 4096, 0, 0);
        let result = in_pieces(bytes, |start, length| {
            calls += 1;
            if calls % 3 != 0 {
                return Err(Errno::INTR);
            }
            assert_eq!(start, reserved, "one piece after the other");
            reserved += length;
            Ok(())
        });
        assert_eq!((result, reserved, calls), (Ok(()), bytes as u64, 12));
        assert_eq!(in_pieces(bytes, |_, _| Err(Errno::NOSPC)), Err(Errno::NOSPC));
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn the_tightest_limit_of_all_ancestors_counts() {
        let root = tempfile::tempdir().unwrap();
        let slice = root.path().join("feeds.slice");
        group(&slice, &[("memory.max", "1000\n"), ("memory.current", "400\n")]);
        group(&slice.join("a.service"), &[("memory.max", "max\n"), ("memory.current", "100\n")]);
        assert_eq!(headroom(root.path(), "0::/feeds.slice/a.service\n"), Some((slice, 600)));
        assert_eq!(headroom(root.path(), "0::/elsewhere\n"), None);
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn reclaimable_pages_count_as_free() {
        let root = tempfile::tempdir().unwrap();
        let stat = "anon 100\nfile 700\nshmem 50\ninactive_file 500\nactive_file 150\n";
        group(&root.path().join("a"), &[("memory.max", "1000"), ("memory.current", "900"), ("memory.stat", stat)]);
        assert_eq!(headroom(root.path(), "0::/a\n"), Some((root.path().join("a"), 600)));
        // Never more than the limit, even if the statistic is larger.
        let stat = "inactive_file 5000\n";
        group(&root.path().join("b"), &[("memory.max", "1000"), ("memory.current", "900"), ("memory.stat", stat)]);
        assert_eq!(headroom(root.path(), "0::/b\n"), Some((root.path().join("b"), 1000)));
        let stat = "inactive_file 1\ntotal_cache 9\ntotal_inactive_file 30\n";
        let old = [("memory.limit_in_bytes", "100"), ("memory.usage_in_bytes", "90"), ("memory.stat", stat)];
        group(&root.path().join("memory/c"), &old);
        assert_eq!(headroom(root.path(), "4:memory:/c\n"), Some((root.path().join("memory/c"), 40)));
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn version_1_is_understood() {
        let root = tempfile::tempdir().unwrap();
        let memory = root.path().join("memory");
        group(&memory, &[("memory.limit_in_bytes", "9223372036854771712\n"), ("memory.usage_in_bytes", "5\n")]);
        group(&memory.join("x"), &[("memory.limit_in_bytes", "64\n"), ("memory.usage_in_bytes", "65\n")]);
        assert_eq!(headroom(root.path(), "8:pids:/\n4:memory:/x\n"), Some((memory.join("x"), 0)));
    }
}
