//! Where a publisher may be killed in a build that injects faults.

/// Stands after each store into shared memory and after each change of a file. Nothing at all in any other build.
#[inline(always)]
pub(crate) fn fault_point() {
    #[cfg(feed_ring_faults)]
    super::faults::point();
}
