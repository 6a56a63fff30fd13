//! Remedies for errors of the kernel: what a user can do about a system call that failed.
//!
//! The same error has different causes. Where this machine can tell which one it was, the remedy is for that one.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::circumstances::Circumstances;

const SMALLER: &str = "make the ring smaller (feed-publisher --capacity N)";
const ALLOW: &str = "allow the call in the filter of system calls (seccomp; Docker: --security-opt seccomp=FILE)";

/// The remedy for a system call that failed on the files or the socket of a ring in `directory`. `place` is the flag that
/// names it.
pub fn ring(error: &io::Error, directory: &Path, place: &str) -> String {
    in_ring(error, Circumstances::of(directory), place)
}

fn in_ring(error: &io::Error, here: Circumstances, place: &str) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        _ if raw(error) == Some(Errno::PERM) && here.filtered => {
            format!("run as a user who may use it, or {ALLOW}")
        }
        _ if raw(error) == Some(Errno::NOSYS) => no_such_call(here).to_owned(),
        Kind::NotFound if !here.directory => format!("make the directory first, or choose another ({place})"),
        Kind::NotFound if here.in_proc => {
            format!("choose a directory that files can be made in, such as /dev/shm ({place})")
        }
        Kind::NotFound => "try again: somebody removed it meanwhile".to_owned(),
        Kind::PermissionDenied => format!("run as a user who may use it, or choose another ({place})"),
        Kind::ReadOnlyFilesystem => format!("choose a file system that can be written to ({place})"),
        Kind::InvalidFilename => format!("choose a shorter path ({place})"),
        Kind::InvalidInput | Kind::NotADirectory => format!("choose another ({place})"),
        // A file system without O_TMPFILE takes it for an attempt to write to a directory.
        Kind::Unsupported | Kind::IsADirectory => {
            format!("choose a directory in memory, such as one in /dev/shm ({place})")
        }
        Kind::StorageFull if here.no_inodes => format!(
            "remove files: the file system has no inodes left (df -i; ringctl clean removes dead rings; mount -o \
             remount,nr_inodes=N), or choose another ({place})"
        ),
        Kind::QuotaExceeded => {
            format!("remove files of this user, or have the quota raised, or choose another ({place})")
        }
        Kind::FileTooLarge if here.file_size_limited => {
            format!("raise the limit of a file's size (ulimit -f), or {SMALLER}")
        }
        Kind::FileTooLarge => format!("{SMALLER}, or choose another file system ({place})"),
        Kind::OutOfMemory if here.memory_limited => format!("raise the limit of memory (ulimit -v), or {SMALLER}"),
        Kind::StorageFull | Kind::OutOfMemory => {
            format!("free some memory (ringctl clean removes dead rings), or {SMALLER}")
        }
        _ => in_system(error, here).to_owned(),
    }
}

/// The remedy for any other system call that failed.
pub fn system(error: &io::Error) -> &'static str {
    in_system(error, Circumstances::of(Path::new("/")))
}

fn in_system(error: &io::Error, here: Circumstances) -> &'static str {
    match raw(error) {
        Some(Errno::MFILE) => "raise the limit of open files (ulimit -n)",
        Some(Errno::NFILE) => "raise the machine's limit of open files (sysctl -w fs.file-max=N)",
        Some(Errno::AGAIN) => "raise the limit of processes (ulimit -u)",
        Some(Errno::NOMEM) if here.memory_limited => "raise the limit of memory (ulimit -v)",
        Some(Errno::NOMEM) => "free some memory",
        Some(Errno::NOSYS) => no_such_call(here),
        Some(Errno::PERM) if here.filtered => ALLOW,
        _ => "see what this machine allows (ringctl doctor)",
    }
}

fn no_such_call(here: Circumstances) -> &'static str {
    // A filter answers so on behalf of the kernel; no kernel of this decade lacks a call that a ring cannot do without.
    if here.filtered || !here.proc { ALLOW } else { "use a newer kernel (ringctl doctor)" }
}

fn raw(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
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

    /// Nothing but the call itself is to blame.
    const PLAIN: Circumstances = Circumstances {
        directory: true,
        in_proc: false,
        proc: true,
        no_inodes: false,
        filtered: false,
        file_size_limited: false,
        memory_limited: false,
    };

    #[test]
    fn every_error_of_a_ring_has_a_remedy() {
        for (errno, says) in [
            (Errno::NOENT, "try again"),
            (Errno::ACCESS, "run as a user who may use it, or choose another (--root DIR)"),
            (Errno::PERM, "run as a user who"),
            (Errno::ROFS, "can be written to (--root DIR)"),
            (Errno::NAMETOOLONG, "shorter path (--root DIR)"),
            (Errno::NOTDIR, "choose another (--root DIR)"),
            (Errno::OPNOTSUPP, "/dev/shm (--root DIR)"),
            (Errno::ISDIR, "/dev/shm (--root DIR)"),
            (Errno::NOSPC, "--capacity N"),
            (Errno::NOMEM, "--capacity N"),
            (Errno::FBIG, "--capacity N"),
            (Errno::DQUOT, "quota"),
            (Errno::MFILE, "ulimit -n"),
            (Errno::NFILE, "fs.file-max"),
            (Errno::AGAIN, "ulimit -u"),
            (Errno::NOSYS, "newer kernel"),
            (Errno::IO, "ringctl doctor"),
        ] {
            let remedy = in_ring(&errno.into(), PLAIN, "--root DIR");
            assert!(remedy.contains(says), "{errno}: {remedy}");
            assert!(
                !["ulimit -f", "ulimit -v", "inodes", "seccomp", "/proc"].iter().any(|no| remedy.contains(no)),
                "{remedy}"
            );
        }
    }

    #[test]
    fn the_remedy_is_for_the_cause() {
        for (errno, here, says) in [
            (Errno::NOENT, Circumstances { directory: false, ..PLAIN }, "make the directory first"),
            (Errno::NOENT, Circumstances { in_proc: true, ..PLAIN }, "that files can be made in"),
            (Errno::NOSPC, Circumstances { no_inodes: true, ..PLAIN }, "inodes"),
            (Errno::NOSYS, Circumstances { filtered: true, ..PLAIN }, "seccomp"),
            (Errno::PERM, Circumstances { filtered: true, ..PLAIN }, "run as a user who may use it, or allow the call"),
            (Errno::FBIG, Circumstances { file_size_limited: true, ..PLAIN }, "ulimit -f"),
            (Errno::NOMEM, Circumstances { memory_limited: true, ..PLAIN }, "ulimit -v"),
        ] {
            let remedy = in_ring(&errno.into(), here, "--root DIR");
            assert!(remedy.contains(says), "{errno} {here:?}: {remedy}");
        }
        // A permission on a file is none of the filter's.
        let filtered = Circumstances { filtered: true, ..PLAIN };
        assert!(!in_ring(&Errno::ACCESS.into(), filtered, "--root DIR").contains("seccomp"));
    }

    #[test]
    fn an_error_of_another_call_has_a_remedy_too() {
        for (errno, here, says) in [
            (Errno::NOMEM, PLAIN, "free some memory"),
            (Errno::NOMEM, Circumstances { memory_limited: true, ..PLAIN }, "ulimit -v"),
            (Errno::PERM, PLAIN, "ringctl doctor"),
            (Errno::PERM, Circumstances { filtered: true, ..PLAIN }, "seccomp"),
        ] {
            assert!(in_system(&errno.into(), here).contains(says), "{errno} {here:?}");
        }
    }
}
