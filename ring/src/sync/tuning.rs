//! Constants of policy: how often a subscriber polls, probes and reports. Models have no clock and poll once.

#[cfg(loom)]
pub(crate) use modelled::*;
#[cfg(not(loom))]
pub(crate) use real::*;

/// A lapped subscriber resumes at most this many messages after the oldest.
pub(crate) const MARGIN: u64 = 1024;

/// Messages between two updates of a subscriber's entry, which only tools read.
pub(crate) const REPORT_EVERY: u64 = 1024;

#[cfg(not(loom))]
mod real {
    use std::time::Duration;

    /// Polls of a slot before a subscriber looks at anything else.
    pub(crate) const SPINS: u32 = 64;

    /// Empty polls before a subscriber asks the kernel whether its publisher is alive. [`PROBE_TIME`] must have passed
    /// too.
    pub(crate) const PROBE_POLLS: u32 = 16;

    /// Least time between two such questions.
    pub(crate) const PROBE_TIME: Duration = Duration::from_micros(500);

    /// A lapped subscriber resumes at most `1 / MARGIN_PART` of the ring after the oldest message.
    pub(crate) const MARGIN_PART: u64 = 8;

    /// Attempts to read a row whose copies are overwritten meanwhile. A writer at full speed was seen to cause 9 with values of
    /// 56 bytes, and 33 with 248: docs/performance.md.
    pub(crate) const ROW_ATTEMPTS: u32 = 1 << 16;

    /// Attempts to find the end of the records while the publisher overtakes every look. It needs a ring as small as a record, or
    /// a reader that is kept from running.
    pub(crate) const END_ATTEMPTS: u32 = 16;

    /// Rounds of polls before a blocking subscriber sleeps. They take about 10 µs, as long as falling asleep and
    /// waking.
    pub(crate) const ROUNDS: u32 = 8;
}

#[cfg(loom)]
mod modelled {
    use std::time::Duration;

    /// No further polls: to a model, polling again is the same as receiving again. (A static, because clippy rejects a
    /// loop of zero rounds over a constant.)
    pub(crate) static SPINS: u32 = 0;
    /// Every empty poll asks whether the publisher is alive.
    pub(crate) const PROBE_POLLS: u32 = 0;
    pub(crate) const PROBE_TIME: Duration = Duration::ZERO;
    /// A ring of 4 slots has a margin of 1. A ring of 2 slots has none.
    pub(crate) const MARGIN_PART: u64 = super::super::modelled::model::MARGIN_PART;
    pub(crate) static ROUNDS: u32 = 0;
    /// Each may see the same again, so more of them only multiply the executions.
    pub(crate) const END_ATTEMPTS: u32 = 2;
    /// One attempt: to a model, a second one is the same as reading again.
    pub(crate) const ROW_ATTEMPTS: u32 = 1;
}
