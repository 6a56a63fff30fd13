//! Sleeping, waking and the barrier on all processors in programs: the kernel does all three.

use super::futex;
pub(crate) use super::futex::{sleep, wake};

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
