//! What following a ring returns: messages, events, and the errors that end it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::error::{OpenError, TryRecvError};
use crate::subscriber::received::Received;

/// What comes next: see [`Follow::next`](super::Follow::next).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next<M> {
    /// A message, with its number in its ring and its epoch.
    Message(Received<M>),
    /// Something that happened to the ring.
    Event(Event),
    /// Neither, for now: the time passed, or the wait was interrupted.
    Empty,
    /// The end: the ring was closed, or an error was returned before. Nothing comes any more.
    End,
}

/// Something that happened to the ring that is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A ring was opened: the first, or one that took the place of the one before.
    Opened {
        /// Its segment, or the socket of a sealed ring.
        path: PathBuf,
        /// The number at which it was joined.
        first: u64,
        /// The epoch of the message there. 0 if it is not known.
        epoch: u64,
        /// Its slots.
        capacity: usize,
        /// How it continues the ring before. Unless it is the first, rebuild any state that was built from earlier messages.
        continues: Continuation,
    },
    /// No ring can be opened yet, for a second by now. Told once for each wait.
    Waiting {
        /// Why none can be opened.
        reason: String,
    },
    /// The publisher overwrote `missed` messages before they were read: see [`TryRecvError::Lagged`].
    Lagged {
        /// The number of lost messages.
        missed: u64,
    },
    /// A new publisher took the ring over: see [`TryRecvError::Restarted`].
    Restarted {
        /// The epoch, 1 for a ring's first publisher.
        epoch: u64,
        /// The first sequence of the epoch.
        sequence: u64,
    },
    /// Publishers took the ring over more often than it can tell where: see [`TryRecvError::RestartsUnknown`].
    RestartsUnknown {
        /// The first sequence whose epoch is known again.
        until: u64,
    },
    /// The publisher died or left, and all its messages were returned. If another comes, `Restarted` or `Opened` says so;
    /// after a [`RelayPublisher`](crate::raw::RelayPublisher), whose successor goes on in the same epoch, the next message does.
    PublisherGone {
        /// The number that the next message would have had.
        sequence: u64,
    },
    /// Another ring takes this one's place, of which all messages were returned. `Opened` follows once it is there.
    Superseded {
        /// The number that the next message would have had.
        sequence: u64,
    },
    /// The ring that was to take this one's place was closed and removed before it could be opened. What it carried was not
    /// received, and is not counted, because nobody knows how much it was.
    ClosedUnseen,
    /// The publisher closed the ring, and all its messages were returned.
    Closed {
        /// The number that the next message would have had.
        sequence: u64,
    },
}

/// How a ring continues the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Continuation {
    /// There was none before.
    First,
    /// It continues the numbers.
    Continued {
        /// Messages that were published between the last one of the ring before and the first one here. They count as lost.
        gap: u64,
    },
    /// It has numbers of its own.
    Renumbered {
        /// The number that the next message of the ring before would have had.
        left: u64,
        /// Messages that this ring carried before the first one here. They count as lost.
        gap: u64,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::Opened { path, first, epoch, continues, .. } => {
                write!(f, "opened {} at sequence {first}, epoch {epoch}", path.display())?;
                match continues {
                    Continuation::First | Continuation::Continued { gap: 0 } => Ok(()),
                    Continuation::Continued { gap } => write!(f, ": {gap} messages lost before it"),
                    Continuation::Renumbered { left, gap } => {
                        write!(
                            f,
                            ": it numbers its messages anew, and {gap} of them are lost; the one before was left at {left}"
                        )
                    }
                }
            }
            Event::Waiting { reason } => write!(f, "waiting for the ring: {reason}"),
            Event::Lagged { missed } => write!(f, "{}", TryRecvError::Lagged { missed: *missed }),
            Event::Restarted { epoch, sequence } => {
                write!(f, "{}", TryRecvError::Restarted { epoch: *epoch, sequence: *sequence })
            }
            Event::RestartsUnknown { until } => write!(f, "{}", TryRecvError::RestartsUnknown { until: *until }),
            Event::PublisherGone { sequence } => write!(f, "the publisher is gone, before sequence {sequence}"),
            Event::Superseded { sequence } => {
                write!(f, "superseded at sequence {sequence}: the ring that takes its place is opened next")
            }
            Event::ClosedUnseen => f.write_str(
                "the ring that took its place was closed before it could be opened: what it carried is missing",
            ),
            Event::Closed { sequence } => write!(f, "closed at sequence {sequence}"),
        }
    }
}

/// Why following a ring ended, if not because the ring was closed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The first ring was not opened.
    #[error(transparent)]
    Open(OpenError),
    /// The ring was left, and the one that took its place was not opened.
    #[error("superseded, and the ring that took its place cannot be opened: {0}")]
    Reopen(#[source] OpenError),
    /// The publisher is gone or closed the ring, and no other came within the time that
    /// [`publisher_timeout`](super::Follow::publisher_timeout) allows.
    #[error("no publisher within {}: restart it, or wait longer", seconds(*.waited))]
    NoPublisher {
        /// How long it was waited for.
        waited: Duration,
    },
    /// The ring was damaged or cut short: [`TryRecvError::Corrupt`] or [`TryRecvError::CutShort`].
    #[error(transparent)]
    Damaged(TryRecvError),
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
