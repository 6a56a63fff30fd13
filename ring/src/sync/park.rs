//! Sleeping, waking and the barrier on all processors, as programs have them: the kernel's.

use super::futex;
pub(crate) use super::futex::{sleep, wake};

/// Lets the barriers of others reach this process's threads. False where the kernel refuses.
pub(crate) fn register_for_barriers() -> bool {
    #[cfg(feed_ring_faults)]
    if super::faults::is_unregistered() {
        return true;
    }
    // Miri has no membarrier.
    !cfg!(miri) && futex::register_for_barriers()
}

/// Makes every running thread of every registered process fence. False where the kernel refuses.
pub(crate) fn barrier_on_all() -> bool {
    #[cfg(feed_ring_faults)]
    if super::faults::is_without_barrier() {
        return true;
    }
    futex::barrier_on_all()
}
