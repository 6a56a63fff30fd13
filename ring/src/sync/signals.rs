//! Signals belong to the program: the library's threads take none.
#![allow(unsafe_code)] // masks of signals, which rustix does not have

use std::ffi::c_int;
use std::mem::MaybeUninit;

/// Signals that a thread raises by a fault of its own. Blocked, such a signal would end the process without its handler.
const FAULTS: [c_int; 6] = [libc::SIGBUS, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS];

/// Calls `start` with all signals blocked but faults. A thread that it starts inherits that. Otherwise the kernel could give
/// the thread a signal that the program blocked in its own threads, to take it with `sigwait` or `signalfd`.
pub(crate) fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    let _restored = Blocked::new();
    start()
}

/// The mask from before, which comes back at the drop. `None` where the kernel refuses to change it.
struct Blocked(Option<libc::sigset_t>);

impl Blocked {
    fn new() -> Self {
        let mut all = MaybeUninit::uninit();
        // SAFETY: it writes a whole set.
        unsafe { libc::sigfillset(all.as_mut_ptr()) };
        // SAFETY: it was written a line ago.
        let mut all = unsafe { all.assume_init() };
        for fault in FAULTS {
            // SAFETY: it changes the set that it is given.
            unsafe { libc::sigdelset(&raw mut all, fault) };
        }
        let mut before = MaybeUninit::uninit();
        // SAFETY: it reads one set and writes the other.
        let changed = unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, before.as_mut_ptr()) } == 0;
        // SAFETY: it was written if the call succeeded.
        Blocked(changed.then(|| unsafe { before.assume_init() }))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        if let Blocked(Some(before)) = self {
            // SAFETY: it reads the set, and the mask from before is not asked for.
            unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const *before, std::ptr::null_mut()) };
        }
    }
}
