//! The capacity that all peers but iceoryx2 are given, so that their rows compare.

/// Messages that a peer's queue holds.
pub(super) const CAPACITY: usize = 65_536;
