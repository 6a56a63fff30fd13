//! Whether SIGHUP was ignored when the program started (`nohup`).
#![allow(unsafe_code)] // sigaction(2) has no safe wrapper that only asks.

use signal_hook::consts::SIGHUP;

/// True if SIGHUP is ignored. Asked before a handler is registered, that is how the program was started: its ignored
/// signals are all that it inherits of them.
pub(crate) fn is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: the new action is null, so nothing changes; the old one is written to a place of its type.
    let asked = unsafe { libc::sigaction(SIGHUP, std::ptr::null(), action.as_mut_ptr()) };
    // SAFETY: all zeros are a value of the type, and the kernel wrote another, if any.
    let action = unsafe { action.assume_init() };
    asked == 0 && action.sa_sigaction == libc::SIG_IGN
}
