//! From one ring to the next: when a ring is left, and how the one that has the name is opened.

use std::time::{Duration, Instant};

use super::account::Sums;
use super::event::{Continuation, Event, FollowError};
use super::follow::{Follow, Open};
use super::followed::Followed;
use super::phase::{Left, OnClose, Opening, Phase};
use crate::error::{OpenError, TryRecvError};
use crate::protocol::join::Join;
use crate::subscriber::options::PERMISSION_GRACE;
use crate::subscriber::raw::Account;

/// After this long without a ring, [`Event::Waiting`] says so.
const PATIENCE: Duration = Duration::from_secs(1);

impl<S: Followed> Follow<S> {
    /// The ring has no publisher, and all its messages were received.
    pub(super) fn leave(&mut self, end: TryRecvError, now: Account) -> Result<Option<Event>, FollowError> {
        let left = match self.phase {
            // What was received since came from another publisher.
            Phase::Left(left) if left.end == end && left.sequence == now.sequence => left,
            Phase::Ended => return Ok(None),
            _ => {
                let ends = end == TryRecvError::Closed && self.policy.on_close == OnClose::End;
                let sequence = now.sequence;
                let left = Left { end, sequence, since: Instant::now(), replaced: false, tried: false };
                self.phase = if ends { Phase::Ended } else { Phase::Left(left) };
                return Ok(Some(match end {
                    TryRecvError::Closed => Event::Closed { sequence },
                    _ => Event::PublisherGone { sequence },
                }));
            }
        };
        if left.replaced {
            // The ring was drained once more after its name was taken. Nobody can publish here any more.
            match self.open_next(true) {
                Ok(event) => return Ok(Some(event)),
                Err(error) if is_passing(&error) => {} // and gone again, or still in the making
                Err(error) => {
                    self.phase = Phase::Ended;
                    return Err(FollowError::Reopen(error));
                }
            }
        }
        let identity = self.ring.as_ref().and_then(|ring| ring.identity);
        // If no ring has the name, this one is still followed: a publisher may take it over.
        let replaced = self.file.identity().is_some_and(|found| Some(found) != identity);
        let tried = left.replaced;
        if (tried || !replaced) && left.since.elapsed() >= self.policy.publisher_timeout {
            self.phase = Phase::Ended;
            return Err(FollowError::NoPublisher { waited: self.policy.publisher_timeout });
        }
        self.phase = Phase::Left(Left { replaced, tried, ..left });
        Ok(None)
    }

    /// Opens the ring that is looked for, if it is there.
    pub(super) fn look_for_ring(&mut self, mut opening: Opening) -> Result<Option<Event>, FollowError> {
        let is_first = self.ring.is_none();
        let error = match if is_first { self.open_first() } else { self.open_next(false) } {
            Ok(event) => return Ok(Some(event)),
            Err(error) => error,
        };
        let now = Instant::now();
        let waited = now.duration_since(*opening.since.get_or_insert(now));
        let is_denied = matches!(error, OpenError::Permission { .. });
        opening.denied = is_denied.then(|| opening.denied.unwrap_or(now));
        let may_come = match opening.denied {
            Some(since) => now.duration_since(since) < PERMISSION_GRACE,
            None => is_passing(&error),
        };
        // The ring that supersedes another has its name from then on until it is closed and removed.
        let closed_unseen = !is_first && !opening.told_closed && self.file.is_missing();
        if !closed_unseen && (!may_come || waited >= opening.timeout) {
            self.phase = Phase::Ended;
            return Err(if is_first { FollowError::Open(error) } else { FollowError::Reopen(error) });
        }
        let told_waiting = opening.told_waiting;
        opening.told_closed |= closed_unseen;
        opening.told_waiting |= waited > PATIENCE;
        let ends = closed_unseen && self.policy.on_close == OnClose::End;
        self.phase = if ends { Phase::Ended } else { Phase::Opening(opening) };
        if closed_unseen {
            return Ok(Some(Event::ClosedUnseen));
        }
        Ok((opening.told_waiting && !told_waiting).then(|| Event::Waiting { reason: error.to_string() }))
    }

    fn open_first(&mut self) -> Result<Event, OpenError> {
        let now = self.open(self.policy.join)?;
        self.sums = Sums::new(now.first);
        Ok(self.opened(Continuation::First))
    }

    /// Leaves the ring and opens the one that has the name.
    fn open_next(&mut self, vanished: bool) -> Result<Event, OpenError> {
        let Some(left) = self.account() else { return self.open_first() };
        let all = self.sums.with(left);
        // A number that is asked for and has not come is waited for in the new ring, too.
        let waits_for_first = matches!(self.policy.join, Join::Sequence(_)) && all.first == all.next;
        let join = if waits_for_first { Join::Sequence(left.sequence) } else { self.policy.rejoin };
        let now = self.open(join)?;
        let continues = self.sums.reopen(left, (self.base(), now.first), vanished && !waits_for_first);
        Ok(self.opened(continues))
    }

    /// Opens the ring again and goes on at the same number: for a program that finds that what belongs to the ring was replaced,
    /// such as the table of a [`KeyedSubscriber`](crate::KeyedSubscriber). The event is always [`Event::Opened`].
    ///
    /// # Errors
    /// [`OpenError`]; the ring before stays open.
    pub fn reopen(&mut self) -> Result<Event, OpenError> {
        let Some(left) = self.account() else { return self.open_first() };
        let now = self.open(Join::Sequence(left.sequence))?;
        let continues = self.sums.reopen(left, (self.base(), now.first), false);
        Ok(self.opened(continues))
    }

    /// Opens the ring that has the name, in the place of the one that is open.
    fn open(&mut self, join: Join) -> Result<Account, OpenError> {
        let (mut subscriber, identity) = self.file.open(|| (self.open)(join))?;
        subscriber.core_mut().set_interrupter(self.interrupter.clone());
        let now = subscriber.core().account();
        self.ring = Some(Open { subscriber, identity });
        self.phase = Phase::Receiving;
        Ok(now)
    }

    fn opened(&self, continues: Continuation) -> Event {
        let core = self.ring.as_ref().expect("it was opened a moment ago").subscriber.core();
        let (Account { first, epoch, .. }, capacity) = (core.account(), core.capacity());
        Event::Opened { path: self.file.path().to_owned(), first, epoch, capacity, continues }
    }

    /// Where the numbers of the open ring begin.
    fn base(&self) -> u64 {
        self.ring.as_ref().map_or(0, |ring| ring.subscriber.core().base())
    }

    pub(super) fn account(&self) -> Option<Account> {
        self.ring.as_ref().map(|ring| ring.subscriber.core().account())
    }
}

/// Whether the ring may be opened after a while.
fn is_passing(error: &OpenError) -> bool {
    matches!(error, OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. })
}
