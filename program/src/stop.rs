//! SIGINT (Ctrl-C) and SIGTERM as a flag, so that a program closes its ring and prints its summary before it ends.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// A flag that the first SIGINT or SIGTERM sets. The second one ends the process at once, with exit code 1.
///
/// # Errors
/// The kernel refuses a handler, for which it has no reason.
pub fn on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Registered first: at the first signal it finds the flag unset and does nothing.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Calls `call` at every SIGINT and SIGTERM, on a thread of its own: for a program that waits where it cannot check the
/// flag. Call it after [`on_signals`], so that the flag is set before `call` runs.
///
/// # Errors
/// The kernel refuses the handlers or the thread.
pub fn call_on_signals(call: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || signals.forever().for_each(|_| call()))?;
    Ok(())
}
