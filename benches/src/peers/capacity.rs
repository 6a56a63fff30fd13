//! The capacity of all peers except iceoryx2. They get the same, so that their rows compare.

/// Messages that a peer's queue holds.
pub(super) const CAPACITY: usize = 65_536;

/// Bytes of a peer's queue for messages of any length: as many as the ring of records has.
pub(super) const BYTES: usize = crate::records::BYTES;
