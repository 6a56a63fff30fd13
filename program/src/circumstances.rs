//! What on this machine can make a system call fail, beside the call itself.

use std::path::Path;

use rustix::fs::PROC_SUPER_MAGIC;
use rustix::process::{Resource, getrlimit};

/// A new ring takes a directory and four files, a ring that replaces another twice that.
const FILES_OF_A_RING: u64 = 10;

/// What the remedy for an error depends on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    /// The directory that the ring's files or socket are in is there.
    pub(crate) directory: bool,
    /// That directory is in /proc, where nobody can make a file. The kernel then says that there is none.
    pub(crate) in_proc: bool,
    /// /proc is mounted. Without it nothing tells whether there is a filter.
    pub(crate) proc: bool,
    /// The file system of that directory has no inodes left for a ring.
    pub(crate) no_inodes: bool,
    /// A seccomp filter judges the system calls of this process.
    pub(crate) filtered: bool,
    /// RLIMIT_FSIZE is set.
    pub(crate) file_size_limited: bool,
    /// RLIMIT_AS is set.
    pub(crate) memory_limited: bool,
}

impl Circumstances {
    /// Those of this process and of a ring whose files or socket are in this directory.
    pub(crate) fn of(directory: &Path) -> Self {
        // The parent of a path of one name.
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        Circumstances {
            directory: directory.is_dir(),
            in_proc: rustix::fs::statfs(directory).is_ok_and(|system| system.f_type == PROC_SUPER_MAGIC),
            proc: Path::new("/proc/self/fd").is_dir(),
            // A file system without a fixed number of inodes says 0 of 0.
            no_inodes: rustix::fs::statvfs(directory)
                .is_ok_and(|room| room.f_files > 0 && room.f_favail < FILES_OF_A_RING),
            filtered: is_filtered(),
            file_size_limited: getrlimit(Resource::Fsize).current.is_some(),
            memory_limited: getrlimit(Resource::As).current.is_some(),
        }
    }
}

/// True if a seccomp filter judges the system calls of this process, as in most containers.
fn is_filtered() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mode = status.lines().find_map(|line| line.strip_prefix("Seccomp:"));
    mode.is_some_and(|mode| mode.trim() != "0")
}
