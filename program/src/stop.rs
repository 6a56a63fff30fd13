//! SIGINT (Ctrl-C), SIGTERM and SIGHUP as a flag, so that a program closes its ring and prints its summary before it ends.
//!
//! SIGHUP is left alone if it was ignored when the program started: `nohup` keeps a program running.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::flag;
use signal_hook::iterator::Signals;

use crate::hangup;

/// A flag that the first SIGINT, SIGTERM or SIGHUP sets. After a SIGINT or SIGTERM, another one ends the process at once,
/// with exit code 1. A SIGHUP never does: one terminal that closes may send several, and a SIGTERM besides.
///
/// # Errors
/// The kernel refuses a handler, for which it has no reason.
pub fn on_signals() -> io::Result<Arc<AtomicBool>> {
    let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    if !hangup::is_ignored() {
        flag::register(SIGHUP, Arc::clone(&stop))?;
    }
    for signal in [SIGINT, SIGTERM] {
        // Registered first: at the first signal it finds the flag unset and does nothing.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// A flag that SIGUSR1 sets, which then sets `stop` too: a publisher is to end and to leave its ring to the next one.
///
/// # Errors
/// The kernel refuses a handler, for which it has no reason.
pub fn leave_on_signal(stop: &Arc<AtomicBool>) -> io::Result<Arc<AtomicBool>> {
    let leave = Arc::new(AtomicBool::new(false));
    // Registered first: who sees `stop` set sees this one, too.
    flag::register(SIGUSR1, Arc::clone(&leave))?;
    flag::register(SIGUSR1, Arc::clone(stop))?;
    Ok(leave)
}

/// Calls `call` at every signal that sets the flag, on a thread of its own: for a program that waits where it cannot
/// check the flag. Call it after [`on_signals`], so that the flag is set before `call` runs.
///
/// # Errors
/// The kernel refuses the handlers or the thread.
pub fn call_on_signals(call: impl Fn() + Send + 'static) -> io::Result<()> {
    let hangup = (!hangup::is_ignored()).then_some(SIGHUP);
    let mut signals = Signals::new([SIGINT, SIGTERM].into_iter().chain(hangup))?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || signals.forever().for_each(|_| call()))?;
    Ok(())
}
