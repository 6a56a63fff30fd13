//! Zero bytes that fill up a block behind the last record.

use super::error::{Position, Reason};
use super::notes::{Notes, Strange, What};

/// What is counted: bytes.
pub(super) const WHAT: What = What::Text("zero byte of padding");

/// Counts padding, or fails if the source is strict.
pub(super) fn pass_over(notes: &mut Notes, count: u64, position: Position) -> Result<(), Reason> {
    if count == 0 { Ok(()) } else { notes.pass_over_all(strange(count), count, position) }
}

/// The reason for so many bytes of padding.
pub(super) fn strange(count: u64) -> Strange {
    Strange::new(WHAT, Reason::Malformed(format!("the input ends in {count} zero bytes behind its last record")))
}
