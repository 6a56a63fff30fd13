//! The choice between read-only and writable pages.

/// The kind of pages through which a subscriber reads the ring.
///
/// On some processors a load through a writable page takes ownership of the line, and a load through a read-only page
/// takes it shared. The publisher then gets the line back sooner from a writable page: docs/performance.md has the
/// measurements. With writable pages the kernel no longer keeps a faulty subscriber from writing into the feed of all
/// others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Read-only pages. A write by the subscriber raises SIGSEGV.
    #[default]
    ReadOnly,
    /// Writable pages. They need write permission for the segment. This crate never writes through them.
    ReadWrite,
}
