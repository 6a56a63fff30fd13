//! Open-file-description locks: the kernel gives them back when their process ends.
#![allow(unsafe_code)] // fcntl with F_OFD_*, which rustix does not wrap

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// An open-file-description lock of `length` bytes from `start`, asked for or asked about.
pub(crate) fn ofd(fd: impl AsFd, command: libc::c_int, start: usize, length: usize) -> io::Result<libc::flock> {
    ofd_of(libc::F_WRLCK, fd, command, start, length)
}

/// The same of another kind than a write lock.
pub(super) fn ofd_of(
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
        l_pid: 0, // as F_OFD_* demands
    };
    // SAFETY: the descriptor is open for the call, and the kernel writes nothing but `lock`.
    match unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, &mut lock) } {
        0 => Ok(lock),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes the write lock over a whole file, if nobody has it. It lasts as long as the descriptor and its duplicates.
pub(crate) fn try_lock(file: impl AsFd) -> io::Result<bool> {
    match ofd(file, libc::F_OFD_SETLK, 0, 0) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the write lock over a whole file back, for whoever else may have the file open through this description.
pub(crate) fn unlock(file: impl AsFd) {
    // A lock that is not there cannot be given back; there is nothing else to fail.
    let _ = ofd_of(libc::F_UNLCK, file, libc::F_OFD_SETLK, 0, 0);
}

/// Whether nobody else holds the write lock over a whole file. Takes nothing.
pub(crate) fn is_free(file: impl AsFd) -> io::Result<bool> {
    ofd(file, libc::F_OFD_GETLK, 0, 0).map(|found| found.l_type == libc::F_UNLCK as libc::c_short)
}
