//! The limit of a file's size (`ulimit -f`, RLIMIT_FSIZE) as an error instead of a death.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::SIGXFSZ;
use signal_hook::flag;

/// Handles SIGXFSZ. Unhandled, it ends a program that makes a file larger than the limit: without a word, and with the
/// ring's files left behind. Handled, the system call fails with EFBIG.
///
/// # Errors
/// The kernel refuses the handler, for which it has no reason.
pub fn fail_beyond_limit() -> io::Result<()> {
    // Nobody looks at the flag: the failed call says it all.
    flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}
