//! What to do about what the kernel refused: an error of the system has no remedy of its own.

use std::io;

use rustix::io::Errno;

/// What to do about a system call that failed at a ring's files; `place` is the flag that says where they are.
pub fn ring(error: &io::Error, place: &str) -> String {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    match (error.kind(), errno) {
        (io::ErrorKind::NotFound, _) => format!("make the directory first, or choose another ({place})"),
        (io::ErrorKind::PermissionDenied, _) => format!("run as a user who may use it, or choose another ({place})"),
        (io::ErrorKind::ReadOnlyFilesystem, _) => format!("choose a file system that can be written to ({place})"),
        (io::ErrorKind::InvalidFilename, _) => format!("choose a shorter path ({place})"),
        (io::ErrorKind::InvalidInput, _) => format!("choose another ({place})"),
        // O_TMPFILE where there is none is taken for an attempt to write to a directory.
        (io::ErrorKind::Unsupported | io::ErrorKind::IsADirectory, _) => {
            format!("choose a directory in memory, such as one in /dev/shm ({place})")
        }
        (io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory, _) => {
            "free some memory (ringctl clean removes dead rings), or make the ring smaller (feed-publisher --capacity N)"
                .to_owned()
        }
        (_, Some(Errno::MFILE | Errno::NFILE)) => "raise the limit of open files (ulimit -n)".to_owned(),
        _ => "see what this machine allows (ringctl doctor)".to_owned(),
    }
}

/// What to do about standard output that cannot be written to.
pub fn output(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or send it elsewhere",
        io::ErrorKind::FileTooLarge => "raise the limit of a file's size (ulimit -f), or send it elsewhere",
        _ => "send it elsewhere",
    }
}

/// What to do about an input that cannot be opened.
pub fn input(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "run as a user who may read it, or have its owner admit this one",
        io::ErrorKind::IsADirectory => "name a file in it",
        _ => "see to the file and what it lies on, or name another",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_of_a_ring_has_a_remedy() {
        for (errno, says) in [
            (Errno::NOENT, "make the directory first, or choose another (--root DIR)"),
            (Errno::ACCESS, "run as a user who may use it, or choose another (--root DIR)"),
            (Errno::PERM, "run as a user who"),
            (Errno::ROFS, "can be written to (--root DIR)"),
            (Errno::NAMETOOLONG, "shorter path (--root DIR)"),
            (Errno::OPNOTSUPP, "/dev/shm (--root DIR)"),
            (Errno::ISDIR, "/dev/shm (--root DIR)"),
            (Errno::NOSPC, "--capacity N"),
            (Errno::NOMEM, "--capacity N"),
            (Errno::MFILE, "ulimit -n"),
            (Errno::NFILE, "ulimit -n"),
            (Errno::IO, "ringctl doctor"),
        ] {
            let remedy = ring(&errno.into(), "--root DIR");
            assert!(remedy.contains(says), "{errno}: {remedy}");
        }
    }
}
