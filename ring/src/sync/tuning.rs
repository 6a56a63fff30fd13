//! Constants of policy: how often a subscriber polls, asks and reports. Models know no time and poll once.

#[cfg(loom)]
pub(crate) use modelled::*;
#[cfg(not(loom))]
pub(crate) use real::*;

/// A lapped subscriber leaves at most so many messages between itself and the oldest.
pub(crate) const MARGIN: u64 = 1024;

/// A subscriber writes its position into its entry, which only tools read, each time it has received so many messages.
pub(crate) const REPORT_EVERY: u64 = 1024;

#[cfg(not(loom))]
mod real {
    use std::time::Duration;

    /// Polls of a slot between two looks at anything else.
    pub(crate) const SPINS: u32 = 64;

    /// A subscriber asks the kernel whether its publisher lives after at least so many empty polls …
    pub(crate) const PROBE_POLLS: u32 = 16;

    /// … and after at least so long.
    pub(crate) const PROBE_TIME: Duration = Duration::from_micros(500);

    /// A lapped subscriber leaves this part of the ring between itself and the oldest message: an eighth.
    pub(crate) const MARGIN_PART: u64 = 8;

    /// Rounds of polls before a blocking subscriber sleeps: some ten microseconds, which is what sleeping costs.
    pub(crate) const ROUNDS: u32 = 8;
}

#[cfg(loom)]
mod modelled {
    use std::time::Duration;

    /// A poll and a receive that finds nothing are the same to a model. (A static: clippy objects to a loop of no rounds.)
    pub(crate) static SPINS: u32 = 0;
    /// Every empty poll asks whether the publisher lives.
    pub(crate) const PROBE_POLLS: u32 = 0;
    pub(crate) const PROBE_TIME: Duration = Duration::ZERO;
    /// Rings of 4 slots have a margin, of 1. Rings of 2 have none.
    pub(crate) const MARGIN_PART: u64 = super::super::modelled::model::MARGIN_PART;
    pub(crate) static ROUNDS: u32 = 0;
}
