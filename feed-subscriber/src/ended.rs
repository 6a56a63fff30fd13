//! Why receiving ended.

use std::io;

use feed::records::dbn_file::Failed;
use feed_program::stdout;
use feed_ring::keyed::SnapshotError;
use feed_ring::{OpenError, TryRecvError};

/// Why receiving ended.
#[derive(Debug)]
pub(crate) enum Ended {
    Closed,
    Max,
    Signal,
    /// The pipe of standard output was closed: the only end without a summary.
    OutputClosed,
    /// A signal came while nobody read standard output.
    OutputUnread,
    /// The ring ended it: the word for the summary, and the error.
    Ring(&'static str, TryRecvError),
    /// The ring that took the name cannot be opened.
    Reopen(OpenError),
    /// There is no snapshot of the table.
    Table(SnapshotError),
    Placement(anyhow::Error),
    /// The DBN file cannot go on.
    File(Failed),
    Output(io::Error),
}

impl Ended {
    /// The reason as one word, as in the summary.
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Ended::Closed => "closed",
            Ended::Max => "max",
            Ended::Signal | Ended::OutputUnread => "signal",
            Ended::OutputClosed => "output_closed",
            Ended::Ring(word, _) => word,
            Ended::Reopen(_) => "superseded",
            Ended::Table(_) | Ended::Placement(_) | Ended::File(_) | Ended::Output(_) => "error",
        }
    }
}

impl From<io::Error> for Ended {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Ended::OutputClosed,
            _ if stdout::is_unread(&error) => Ended::OutputUnread,
            _ => Ended::Output(error),
        }
    }
}

impl From<Failed> for Ended {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Write(error) => error.into(),
            failed @ Failed::AnotherFile { .. } => Ended::File(failed),
        }
    }
}
