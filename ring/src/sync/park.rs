//! Sleeping, waking, the barrier on all processors and threads in programs: the kernel does all of it.

use std::io;
use std::time::{Duration, Instant};

use super::futex;
pub(crate) use super::futex::{sleep, wake};
use super::signals::without_signals;
use super::word::Word;

/// Registers this process, so that other processes' barriers reach its threads. False if the kernel refuses.
pub(crate) fn register_for_barriers() -> bool {
    #[cfg(feed_ring_faults)]
    if super::faults::is_unregistered() {
        return true;
    }
    // Miri has no membarrier.
    !cfg!(miri) && futex::register_for_barriers()
}

/// Makes every running thread of every registered process execute a full fence. False if the kernel refuses.
pub(crate) fn barrier_on_all() -> bool {
    #[cfg(feed_ring_faults)]
    if super::faults::is_without_barrier() {
        return true;
    }
    futex::barrier_on_all()
}

/// Whether a sleeper wakes up at intervals to look for itself. Only tests of lost wake-ups leave that out.
pub(crate) fn naps() -> bool {
    #[cfg(feed_ring_faults)]
    if super::faults::is_without_naps() {
        return false;
    }
    true
}

/// Pauses, or ends early if the word changes from the given value and is woken.
pub(crate) fn nap(unless: (&Word, u64), pause: Duration) {
    sleep(&[unless], Some(Instant::now() + pause));
}

/// A thread of the library's own.
pub(crate) struct Thread(std::thread::JoinHandle<()>);

/// Starts a thread, on the CPUs of this one. It takes no signals.
pub(crate) fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    without_signals(|| std::thread::Builder::new().name(name.to_owned()).spawn(run)).map(Thread)
}

impl Thread {
    /// Waits for its end.
    pub(crate) fn join(self) {
        let _ = self.0.join(); // it returns nothing, and a panic was printed
    }
}
