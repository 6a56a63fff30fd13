//! The pause that --delay-ns asks for.

use std::time::{Duration, Instant};

/// Spins for --delay-ns.
pub(crate) fn delay(nanoseconds: u64) {
    if nanoseconds > 0 {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_nanos(nanoseconds) {
            std::hint::spin_loop();
        }
    }
}
