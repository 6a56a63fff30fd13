//! Ctrl-C and SIGTERM as a flag: a program that is told to stop closes cleanly and still says what it did.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;

/// A flag that is set by the first SIGINT or SIGTERM; a second one ends the program at once, with exit code 1.
///
/// # Errors
/// If the kernel refuses the handlers, which it has no reason to.
pub fn on_signals() -> io::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Before the one that sets the flag: the first signal finds it unset.
        flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop))?;
        flag::register(signal, Arc::clone(&stop))?;
    }
    Ok(stop)
}

/// Also calls this at every SIGINT and SIGTERM, on a thread of its own that sleeps until then: for a program that waits
/// where it cannot look at a flag. Call it after [`on_signals`], so that the flag is set before `call` runs.
///
/// # Errors
/// If there can be no thread or no handlers.
pub fn call_on_signals(call: impl Fn() + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || signals.forever().for_each(|_| call()))?;
    Ok(())
}
