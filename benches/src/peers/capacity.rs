//! The capacity of all peers except iceoryx2. They get the same, so that their rows compare.

/// Messages that a peer's queue holds.
pub(super) const CAPACITY: usize = 65_536;
