//! Read-only or writable pages.

/// Through which kind of pages a subscriber reads the ring.
///
/// On some processors a load through a writable page takes a line over, and the publisher gets it back sooner than one
/// that was asked for shared, as a load through a read-only page does: docs/performance.md has the measurements. What is
/// given up is the kernel's guarantee that a subscriber gone wild cannot write into the feed of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Read-only pages: a write is a segmentation fault in the subscriber.
    #[default]
    ReadOnly,
    /// Writable pages. Needs write permission for the segment. Nothing is ever written to it through this crate.
    ReadWrite,
}
