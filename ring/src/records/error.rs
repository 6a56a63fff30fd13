//! Why a record was not published.

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
