//! What following does at present, and when it looks again.

use std::time::{Duration, Instant};

use crate::error::TryRecvError;
use crate::protocol::join::Join;

/// Time between two looks at whether another ring has the name, in the first seconds of a wait and later.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_LATER: Duration = Duration::from_millis(20);
const FIRST_SECONDS: Duration = Duration::from_secs(10);

/// What to do once the publisher has closed the ring: [`Follow::on_close`](super::Follow::on_close).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnClose {
    /// End.
    #[default]
    End,
    /// Wait for the next ring of the name, or for a publisher that takes over a closed ring that is kept.
    Wait,
}

/// What was asked for: the methods of [`Follow`](super::Follow) say what each means.
#[derive(Clone, Copy)]
pub(super) struct Policy {
    pub(super) join: Join,
    pub(super) rejoin: Join,
    pub(super) publisher_timeout: Duration,
    pub(super) on_close: OnClose,
}

/// What it does at present.
#[derive(Clone, Copy)]
pub(super) enum Phase {
    /// Looks for a ring: the first, or the one that supersedes the one before.
    Opening(Opening),
    /// Receives.
    Receiving,
    /// The ring has no publisher, which was told. Waits for one, here or under the name.
    Left(Left),
    Ended,
}

/// Looking for a ring that can be opened.
#[derive(Clone, Copy)]
pub(super) struct Opening {
    /// When it first looked.
    pub(super) since: Option<Instant>,
    pub(super) timeout: Duration,
    /// Since when the ring may not be read. It may still be in the making.
    pub(super) denied: Option<Instant>,
    pub(super) told_waiting: bool,
    pub(super) told_closed: bool,
}

/// Waiting for a publisher.
#[derive(Clone, Copy)]
pub(super) struct Left {
    /// `PublisherDead` or `Closed`.
    pub(super) end: TryRecvError,
    /// The number that was to come next.
    pub(super) sequence: u64,
    pub(super) since: Instant,
    /// Another ring has the name. All that was left in this one was received after that was seen.
    pub(super) replaced: bool,
    /// That ring could not be opened yet.
    pub(super) tried: bool,
}

impl Opening {
    pub(super) fn within(timeout: Duration) -> Self {
        Opening { since: None, timeout, denied: None, told_waiting: false, told_closed: false }
    }
}

impl Phase {
    /// When to look again, at the latest. `None` while it receives, where the ring says when.
    pub(super) fn look_again_at(self) -> Option<Instant> {
        let (since, at_once) = match self {
            Phase::Receiving => return None,
            Phase::Ended => return Some(Instant::now()),
            Phase::Opening(opening) => (opening.since, opening.since.is_none()),
            Phase::Left(left) => (Some(left.since), left.replaced && !left.tried),
        };
        let is_long = since.is_some_and(|since| since.elapsed() >= FIRST_SECONDS);
        let every = if is_long { LOOK_LATER } else { LOOK_EVERY };
        Some(Instant::now() + if at_once { Duration::ZERO } else { every })
    }
}
