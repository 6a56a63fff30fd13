//! A ring's directory and its files: opened without following links, checked for kind and owner before any other use,
//! made with exact modes, and put in place whole.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::access::{Access, Trust, with_fault_point};
use super::fault::{Fault, What, io, kind_name, not_opened};
use crate::error::{CreateError, OpenError};
use crate::presence::lock;
use crate::segment::room;

/// The names of a ring's files.
pub(crate) mod file {
    pub(crate) const SEGMENT: &str = "segment";
    pub(crate) const CONTROL: &str = "control";
    pub(crate) const LOCK: &str = "lock";
    pub(crate) const LIVE: &str = "live";

    /// All files of a ring's directory, in the order of removal. The lock is last: while it exists and is held, no
    /// other publisher can begin.
    pub(crate) const ALL: [&str; 6] = [SEGMENT, CONTROL, LIVE, ".segment.new", ".control.new", LOCK];
}

/// An open directory and the path it was opened by.
pub(crate) struct Directory {
    fd: OwnedFd,
    pub(crate) path: PathBuf,
}

const OPEN: OFlags = OFlags::NOFOLLOW.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

impl Directory {
    /// Opens the directory that contains the rings' directories. Follows links, because the caller chose the path.
    pub(crate) fn root(path: &Path) -> Result<Self, Fault> {
        match fs::open(path, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
            Ok(fd) => Ok(Directory { fd, path: path.to_owned() }),
            Err(errno) => Err(not_opened(path.to_owned(), errno, "a directory")),
        }
    }

    /// [`root`](Self::root) for subscribers and tools. A missing root is [`OpenError::NoRoot`], because no publisher
    /// makes it and waiting for one would never end.
    pub(crate) fn root_to_look_in(path: &Path) -> Result<Self, OpenError> {
        Self::root(path).map_err(|fault| match fault {
            Fault { path, what: What::Missing } => OpenError::NoRoot { path },
            fault => fault.into(),
        })
    }

    /// Opens the directory of the ring `name`, which must belong to a trusted user.
    pub(crate) fn ring(&self, name: &str, trust: Trust<'_>) -> Result<Self, Fault> {
        let path = self.path.join(ring_name(name));
        let fd = fs::openat(&self.fd, ring_name(name), OPEN | OFlags::DIRECTORY, Mode::empty())
            .map_err(|errno| not_opened(path.clone(), errno, "a ring's directory"))?;
        let directory = Directory { fd, path };
        trust.check(&directory.path, directory.stat()?.st_uid)?;
        Ok(directory)
    }

    /// Makes the directory of the ring `name` if it does not exist. Returns whether it did not.
    pub(crate) fn make_ring(&self, name: &str) -> Result<bool, Fault> {
        match with_fault_point(fs::mkdirat(&self.fd, ring_name(name), Mode::RWXU)) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(errno) => Err(io(self.path.join(ring_name(name)), "make a directory (mkdir)", errno)),
        }
    }

    /// Removes a directory that [`make_ring`](Self::make_ring) made, if nothing is in it.
    pub(crate) fn unmake_ring(&self, name: &str) {
        // Not empty: another publisher is making a ring in it.
        let _ = with_fault_point(fs::unlinkat(&self.fd, ring_name(name), AtFlags::REMOVEDIR));
    }

    /// Removes the directory of the ring `name` if it is still `ring` and empty.
    pub(crate) fn remove_ring(&self, name: &str, ring: &Directory) -> Result<(), Fault> {
        if self.holds(&ring_name(name), &ring.stat()?)? {
            match with_fault_point(fs::unlinkat(&self.fd, ring_name(name), AtFlags::REMOVEDIR)) {
                // Not empty: another publisher is already making a new ring in it.
                Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::EXIST) => {}
                Err(errno) => return Err(io(ring.path.clone(), "remove the directory", errno)),
            }
        }
        Ok(())
    }

    /// The names and inodes of this directory's files, whatever has its path by now. [`What::Missing`] if it was removed.
    pub(crate) fn entries(&self) -> Result<BTreeMap<OsString, u64>, Fault> {
        let fault = |errno| match errno {
            Errno::NOENT => Fault { path: self.path.clone(), what: What::Missing },
            errno => io(self.path.clone(), "list", errno),
        };
        let mut entries = BTreeMap::new();
        for entry in fs::Dir::read_from(&self.fd).map_err(fault)? {
            let entry = entry.map_err(fault)?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                entries.insert(name.to_owned(), entry.ino());
            }
        }
        Ok(entries)
    }

    /// Whether the directory of the ring `name` is still `ring`. It may have been removed and made again.
    pub(crate) fn is_ring(&self, name: &str, ring: &Directory) -> Result<bool, Fault> {
        self.holds(&ring_name(name), &ring.stat()?)
    }

    /// Whether there is a file `name`. Opens nothing, so it works without a free descriptor.
    pub(crate) fn has(&self, name: &str) -> Result<bool, Fault> {
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(io(self.path.join(name), "look at", errno)),
        }
    }

    /// Whether `name` is the file with this stat. False if there is no such file.
    pub(crate) fn holds(&self, name: &str, stat: &Stat) -> Result<bool, Fault> {
        match fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => Ok((found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino)),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(io(self.path.join(name), "look at", errno)),
        }
    }

    pub(crate) fn stat(&self) -> Result<Stat, Fault> {
        fs::fstat(&self.fd).map_err(|errno| io(self.path.clone(), "look at", errno))
    }

    /// Opens a file that must have this kind and belong to a trusted user. With the flag `CREATE` a missing file is
    /// made, for its owner alone.
    pub(crate) fn open(
        &self,
        name: &str,
        flags: OFlags,
        kind: FileType,
        trust: Trust<'_>,
    ) -> Result<(OwnedFd, Stat), Fault> {
        let (path, expected) = (self.path.join(name), kind_name(kind));
        let fd = fs::openat(&self.fd, name, OPEN | flags, Mode::RUSR | Mode::WUSR)
            .map_err(|errno| not_opened(path.clone(), errno, expected))?;
        let stat = fs::fstat(&fd).map_err(|errno| io(path.clone(), "look at", errno))?;
        let found = FileType::from_raw_mode(stat.st_mode);
        if found != kind {
            return Err(Fault { path, what: What::Kind { found: kind_name(found).to_owned(), expected } });
        }
        trust.check(&path, stat.st_uid)?;
        Ok((fd, stat))
    }

    /// Checks that the kernel answers this process about locks. Under a filter of system calls it may not, and then nothing
    /// must be made: a lock file that cannot be locked could not be removed again, because it may be another publisher's.
    pub(crate) fn check_locks(&self) -> Result<(), CreateError> {
        let refused = |error: &std::io::Error| matches!(error.raw_os_error(), Some(libc::EPERM | libc::ENOSYS));
        match lock::is_free(&self.fd) {
            Err(source) if refused(&source) => {
                Err(CreateError::Io { doing: "ask for a lock (fcntl)", path: self.path.clone(), source })
            }
            _ => Ok(()),
        }
    }

    /// Makes a FIFO for its owner alone if there is no file of that name.
    pub(crate) fn make_fifo(&self, name: &str) -> Result<(), Fault> {
        match with_fault_point(fs::mknodat(&self.fd, name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)) {
            Ok(()) | Err(Errno::EXIST) => Ok(()),
            Err(errno) => Err(io(self.path.join(name), "make a FIFO (mknod)", errno)),
        }
    }

    /// When new files can get their temporary names here. Tries it out with an empty file, because the kernel has many
    /// reasons to refuse. Call it under the ring's lock and after `remove_prepared`.
    pub(crate) fn naming(&self) -> Result<Naming, Fault> {
        let made = self.make_file(file::CONTROL, Naming::Late);
        if made.and_then(|made| self.prepare(&made, file::CONTROL, Naming::Late)).is_err() {
            return Ok(Naming::Early);
        }
        self.remove_prepared(file::CONTROL)?;
        Ok(Naming::Late)
    }

    /// Makes an empty file for its owner alone. [`prepare`](Self::prepare) and [`place`](Self::place) put it in place as
    /// `name`.
    pub(crate) fn make_file(&self, name: &str, naming: Naming) -> Result<OwnedFd, Fault> {
        let mode = Mode::RUSR | Mode::WUSR;
        match naming {
            Naming::Late => fs::openat(&self.fd, ".", OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode)
                .map_err(|errno| io(self.path.clone(), "make a file without a name (open with O_TMPFILE) in", errno)),
            Naming::Early => {
                let flags = OPEN | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
                with_fault_point(fs::openat(&self.fd, temporary(name), flags, mode))
                    .map_err(|errno| self.fault(&temporary(name), "make (open)", errno))
            }
        }
    }

    /// Reserves the first `bytes` of a file. Without this the first touch in a full file system raises SIGBUS.
    pub(crate) fn reserve(&self, fd: impl AsFd, bytes: usize) -> Result<(), CreateError> {
        match room::reserve(fd, bytes) {
            // Another process took the room after it was checked.
            Err(Errno::NOSPC) => {
                let (path, free) = (self.path.clone(), self.free_bytes().unwrap_or(0));
                Err(CreateError::NoRoom { path, needed: bytes as u64, free })
            }
            result => result.map_err(|errno| io(self.path.clone(), "reserve memory in (fallocate)", errno).into()),
        }
    }

    /// Gives a file the temporary name of `name`, unless it has it already: the first half of putting it in place. Only
    /// this half can fail for lack of room.
    pub(crate) fn prepare(&self, fd: impl AsFd, name: &str, naming: Naming) -> Result<(), Fault> {
        if naming == Naming::Early {
            return Ok(());
        }
        let this = format!("/proc/self/fd/{}", fd.as_fd().as_raw_fd());
        let link = |from: BorrowedFd<'_>, path: &str, flags| fs::linkat(from, path, &self.fd, temporary(name), flags);
        let linked = link(fs::CWD, &this, AtFlags::SYMLINK_FOLLOW).or_else(|errno| match errno {
            // Without /proc. Since Linux 6.10, or with CAP_DAC_READ_SEARCH, the descriptor itself is enough.
            Errno::NOENT => link(fd.as_fd(), "", AtFlags::EMPTY_PATH),
            errno => Err(errno),
        });
        with_fault_point(linked).map_err(|errno| self.fault(name, "give a name to (linkat)", errno))
    }

    /// Removes a prepared file that a publisher left which was killed before it renamed it.
    pub(crate) fn remove_prepared(&self, name: &str) -> Result<(), Fault> {
        self.remove(&temporary(name))
    }

    /// Renames a prepared file to `name`, replacing any file of that name. At every moment `name` is the old or the new
    /// file, whole.
    pub(crate) fn place(&self, name: &str) -> Result<(), Fault> {
        self.rename(&temporary(name), name)
    }

    /// A path to `name` through this open directory's descriptor, short enough for a socket's address.
    pub(crate) fn short_path(&self, name: &str) -> String {
        format!("/proc/self/fd/{}/{name}", self.fd.as_raw_fd())
    }

    /// Opens a file of any kind for `stat` and connecting only, not for reading or writing. `None` if there is no such
    /// file.
    pub(crate) fn look_at(&self, name: &str) -> Result<Option<(OwnedFd, Stat)>, Fault> {
        let fd = match fs::openat(&self.fd, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty()) {
            Err(Errno::NOENT) => return Ok(None),
            fd => fd.map_err(|errno| self.fault(name, "look at", errno))?,
        };
        let stat = fs::fstat(&fd).map_err(|errno| self.fault(name, "look at", errno))?;
        Ok(Some((fd, stat)))
    }

    /// Renames a file, replacing any file of the new name.
    pub(crate) fn rename(&self, from: &str, to: &str) -> Result<(), Fault> {
        with_fault_point(fs::renameat(&self.fd, from, &self.fd, to))
            .map_err(|errno| self.fault(to, "put into place (rename)", errno))
    }

    /// Removes a file if it exists.
    pub(crate) fn remove(&self, name: &str) -> Result<(), Fault> {
        match with_fault_point(fs::unlinkat(&self.fd, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(io(self.path.join(name), "remove (unlink)", errno)),
        }
    }

    /// Removes all of a ring's files and no other file.
    pub(crate) fn remove_files(&self) -> Result<(), Fault> {
        for name in file::ALL {
            self.remove(name)?;
        }
        Ok(())
    }

    /// Opens the ring's directory to all users that may read the segment.
    pub(crate) fn admit(&self, access: Access) -> Result<(), Fault> {
        let readers = access.mode & 0o044;
        access
            .apply(&self.fd, 0o700 | readers | readers >> 2)
            .map_err(|errno| io(self.path.clone(), "set the mode of (chmod)", errno))
    }

    /// The error, or [`CreateError::NoInodes`] if that was the cause: the kernel has one error for a lack of inodes and a
    /// lack of room.
    pub(crate) fn or_no_inodes(&self, error: CreateError) -> CreateError {
        let full = matches!(&error, CreateError::Io { source, .. } if source.raw_os_error() == Some(libc::ENOSPC));
        match fs::fstatvfs(&self.fd) {
            // A file system without a fixed number of inodes says 0 of 0.
            Ok(room) if full && room.f_files > 0 && room.f_favail == 0 => {
                CreateError::NoInodes { path: self.path.clone(), total: room.f_files }
            }
            _ => error,
        }
    }

    /// Bytes of the file system that are free for this user.
    pub(crate) fn free_bytes(&self) -> Result<u64, Fault> {
        let room = fs::fstatvfs(&self.fd).map_err(|errno| io(self.path.clone(), "look at the room of", errno))?;
        // A tmpfs without a limit (size=0) reports no size. Only memory bounds it.
        if room.f_blocks == 0 {
            return Ok(u64::MAX);
        }
        Ok(room.f_bavail.saturating_mul(room.f_frsize))
    }

    /// Whether the file system is in memory. Its pages then count against the memory cgroup's limit.
    pub(crate) fn is_memory(&self) -> Result<bool, Fault> {
        const TMPFS: u64 = 0x0102_1994;
        const HUGETLBFS: u64 = 0x9584_58f6;
        let system = fs::fstatfs(&self.fd).map_err(|errno| io(self.path.clone(), "look at", errno))?;
        Ok([TMPFS, HUGETLBFS].contains(&(system.f_type as u64)))
    }

    /// The fault of a failed system call on one of this directory's files.
    pub(crate) fn fault(&self, name: &str, doing: &'static str, source: Errno) -> Fault {
        io(self.path.join(name), doing, source)
    }
}

/// When a new file gets its temporary name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Naming {
    /// Once it is complete. A publisher that is killed before leaves no memory taken.
    Late,
    /// As it is made. Where a file cannot be named later: without /proc, on a file system without `O_TMPFILE`, under a
    /// filter of system calls. The ring's lock protects the name, and the next publisher removes what a killed one left.
    Early,
}

/// The temporary name of a file before it is put in place.
fn temporary(name: &str) -> String {
    format!(".{name}.new")
}

fn ring_name(name: &str) -> String {
    format!("{name}.ring")
}

/// The path of the segment of the ring of this name.
pub(crate) fn segment_path(root: &Path, name: &str) -> PathBuf {
    root.join(ring_name(name)).join(file::SEGMENT)
}
