//! Repeats a system call that a signal interrupted.

use std::io;

/// Repeats `call` while it fails with `EINTR`. A negative result is an error, whose code is in `errno`.
pub(super) fn retry(mut call: impl FnMut() -> isize) -> io::Result<usize> {
    loop {
        if let Ok(value) = usize::try_from(call()) {
            return Ok(value);
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}
