//! Open-file-description locks: the kernel releases them when their process ends.
#![allow(unsafe_code)] // fcntl with F_OFD_*, which rustix does not wrap

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Applies `command` (`F_OFD_SETLK` takes, `F_OFD_GETLK` asks) for a write lock on `length` bytes from `start`. Length
/// 0 is the whole file.
pub(crate) fn write_lock(fd: impl AsFd, command: libc::c_int, start: usize, length: usize) -> io::Result<libc::flock> {
    lock_range(libc::F_WRLCK, fd, command, start, length)
}

/// The same for a lock of any kind; `F_UNLCK` releases.
pub(super) fn lock_range(
    kind: libc::c_int,
    fd: impl AsFd,
    command: libc::c_int,
    start: usize,
    length: usize,
) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start as libc::off_t,
        l_len: length as libc::off_t,
        l_pid: 0, // F_OFD_* requires 0
    };
    // SAFETY: the descriptor is open during the call, and the kernel writes only `lock`.
    match unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, &mut lock) } {
        0 => Ok(lock),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes the write lock on a whole file. False if somebody else holds it. The lock lasts until the descriptor and all
/// its duplicates are closed.
pub(crate) fn try_lock(file: impl AsFd) -> io::Result<bool> {
    match write_lock(file, libc::F_OFD_SETLK, 0, 0) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Releases the write lock on a whole file, even if duplicates of the descriptor are still open.
pub(crate) fn unlock(file: impl AsFd) {
    // Releasing has no other error than a bad descriptor, and this one is open.
    let _ = lock_range(libc::F_UNLCK, file, libc::F_OFD_SETLK, 0, 0);
}

/// Whether nobody else holds the write lock on a whole file. Takes no lock.
pub(crate) fn is_free(file: impl AsFd) -> io::Result<bool> {
    write_lock(file, libc::F_OFD_GETLK, 0, 0).map(|found| found.l_type == libc::F_UNLCK as libc::c_short)
}
