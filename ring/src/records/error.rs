//! Why a record was not published, or not passed over.

/// The record is longer than its ring allows. Nothing was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of {found} bytes: this ring takes at most {most}: give it more slots, or larger ones, or cut the record in parts"
)]
pub struct TooLong {
    /// Bytes of the record.
    pub found: usize,
    /// The most bytes: [`RecordPublisher::longest`](crate::RecordPublisher::longest).
    pub most: usize,
}

/// So many numbers cannot be told apart in one ring of records. None was passed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "numbers {oldest} to {until} in one ring: at most {most} numbers of records can be told apart: go on in a fresh ring, which begins there"
)]
pub struct TooFar {
    /// The number of the oldest record in the ring.
    pub oldest: u64,
    /// The number up to which was to be passed over.
    pub until: u64,
    /// The most numbers from the oldest record on: 2^32 less the ring's slots and one.
    pub most: u64,
}
