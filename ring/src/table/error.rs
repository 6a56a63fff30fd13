//! The errors of tables and cells in use. Those of making and opening one are a ring's.

/// A table has no row left for another key. Nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the table is full: it has room for {capacity} keys: make it with a larger capacity")]
pub struct Full {
    /// The number of rows.
    pub capacity: usize,
}

/// Why a value could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// Each copy was overwritten while it was read, so many times. The writer stores faster than a value of this size can be
    /// copied.
    #[error("overwritten {attempts} times while it was read: give the table more copies, or store less often")]
    Overtaken {
        /// The attempts that were made.
        attempts: u32,
    },
    /// The segment's file was cut short while it was mapped: see [`TryRecvError::CutShort`](crate::TryRecvError::CutShort).
    #[error("the segment was cut short under its reader: find out who may write to it; restart its writer")]
    CutShort,
}

/// Why a wait for a store ended without one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WaitError {
    /// The writer closed it. The last values can still be read.
    #[error("closed by its writer")]
    Closed,
    /// The writer ended without closing it. The last values can still be read, and another writer may go on.
    #[error("its writer died: restart it")]
    WriterDead,
    /// Another table or cell of the same name has replaced it.
    #[error("superseded by another of the same name: open it again")]
    Superseded,
    /// See [`ReadError::CutShort`].
    #[error(transparent)]
    CutShort(ReadError),
}
