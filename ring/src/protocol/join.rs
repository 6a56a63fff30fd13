//! Where a subscriber begins to read.

use crate::error::OpenError;
use crate::format::layout::MAX_SEQUENCE;

/// Where a subscriber begins to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// At the oldest message that the ring still holds.
    Oldest,
    /// At the first message that is published after joining.
    #[default]
    Latest,
    /// At the message with this sequence number. If it is not published yet, the subscriber waits for it. If it was
    /// overwritten, it counts as lost, and so does every later message that was overwritten too.
    Sequence(u64),
}

impl Join {
    /// Refuses a sequence that no ring can reach. Its sequence word would wrap and look like that of another message.
    pub(crate) fn check(self) -> Result<(), OpenError> {
        match self {
            Join::Sequence(found) if found >= MAX_SEQUENCE => Err(OpenError::Sequence { found }),
            _ => Ok(()),
        }
    }
}
