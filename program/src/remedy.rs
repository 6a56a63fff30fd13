//! Remedies for errors of the kernel: what a user can do about a system call that failed.

use std::io;

use rustix::io::Errno;

/// The remedy for a system call that failed on a ring's files. `place` is the flag that names their directory.
pub fn ring(error: &io::Error, place: &str) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => format!("make the directory first, or choose another ({place})"),
        io::ErrorKind::PermissionDenied => format!("run as a user who may use it, or choose another ({place})"),
        io::ErrorKind::ReadOnlyFilesystem => format!("choose a file system that can be written to ({place})"),
        io::ErrorKind::InvalidFilename => format!("choose a shorter path ({place})"),
        io::ErrorKind::InvalidInput => format!("choose another ({place})"),
        // A file system without O_TMPFILE takes it for an attempt to write to a directory.
        io::ErrorKind::Unsupported | io::ErrorKind::IsADirectory => {
            format!("choose a directory in memory, such as one in /dev/shm ({place})")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory => {
            "free some memory (ringctl clean removes dead rings), or make the ring smaller (feed-publisher --capacity N)"
                .to_owned()
        }
        _ => system(error).to_owned(),
    }
}

/// The remedy for any other system call that failed.
pub fn system(error: &io::Error) -> &'static str {
    match error.raw_os_error().map(Errno::from_raw_os_error) {
        Some(Errno::MFILE | Errno::NFILE) => "raise the limit of open files (ulimit -n)",
        Some(Errno::AGAIN | Errno::NOMEM) => "raise the limit of processes or memory (ulimit -u, ulimit -v)",
        _ => "see what this machine allows (ringctl doctor)",
    }
}

/// The error with what was being done and the remedy, for `map_err`: `cannot {doing}: {error}: {remedy}`.
pub fn failed(doing: &'static str) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::new(error.kind(), format!("cannot {doing}: {error}: {}", system(&error)))
}

/// The remedy for a failed write to standard output.
pub fn output(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room, or send it elsewhere",
        io::ErrorKind::FileTooLarge => "raise the limit of a file's size (ulimit -f), or send it elsewhere",
        _ => "send it elsewhere",
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
