//! The points at which a fault-injecting build can kill a publisher.

/// Called after each store into shared memory and after each change of a file. Compiles to nothing in any other build.
#[inline(always)]
pub(crate) fn fault_point() {
    #[cfg(feed_ring_faults)]
    super::faults::point();
}
