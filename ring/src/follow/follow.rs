//! The loop: receives from the ring that has the name, and goes from one ring to the next.

use std::time::{Duration, Instant};

use super::account::{Overall, Sums};
use super::event::{Continuation, Event, FollowError, Next};
use super::file::{Identity, RingFile};
use super::followed::Followed;
use crate::error::{OpenError, TryRecvError};
use crate::protocol::join::Join;
use crate::protocol::wait::Interrupter;
use crate::subscriber::options::{PERMISSION_GRACE, SubscriberOptions};
use crate::subscriber::raw::Account;
use crate::subscriber::received::Received;

/// Time between two looks at whether another ring has the name, in the first seconds of a wait and later.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const LOOK_LATER: Duration = Duration::from_millis(20);
const FIRST_SECONDS: Duration = Duration::from_secs(10);

/// After this long without a ring, [`Event::Waiting`] says so.
const PATIENCE: Duration = Duration::from_secs(1);

/// The shortest time for which the ring that supersedes another is waited for: its publisher is at it.
const REPLACEMENT: Duration = Duration::from_secs(5);

/// What to do once the publisher has closed the ring: [`Follow::on_close`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnClose {
    /// End.
    #[default]
    End,
    /// Wait for the next ring of the name, or for a publisher that takes over a closed ring that is kept.
    Wait,
}

/// Follows the ring of one name, whatever happens to it: see [`follow`](crate::follow).
pub struct Follow<S> {
    file: RingFile,
    open: Box<dyn FnMut(Join) -> Result<S, OpenError> + Send>,
    policy: Policy,
    phase: Phase,
    /// The ring that is open, or was left last: while it is mapped, no other file has its identity.
    ring: Option<Open<S>>,
    sums: Sums,
    interrupter: Interrupter,
    bytes: Vec<u8>,
}

struct Open<S> {
    subscriber: S,
    identity: Option<Identity>,
}

#[derive(Clone, Copy)]
struct Policy {
    join: Join,
    rejoin: Join,
    publisher_timeout: Duration,
    on_close: OnClose,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Looks for a ring: the first, or the one that supersedes the one before.
    Opening(Opening),
    /// Receives.
    Receiving,
    /// The ring has no publisher, which was told. Waits for one, here or under the name.
    Left(Left),
    Ended,
}

#[derive(Clone, Copy)]
struct Opening {
    /// When it first looked.
    since: Option<Instant>,
    timeout: Duration,
    /// Since when the ring may not be read. It may still be in the making.
    denied: Option<Instant>,
    told_waiting: bool,
    told_closed: bool,
}

#[derive(Clone, Copy)]
struct Left {
    /// `PublisherDead` or `Closed`.
    end: TryRecvError,
    since: Instant,
    /// Another ring has the name. All that was left in this one was received after that was seen.
    replaced: bool,
    /// That ring could not be opened yet.
    tried: bool,
}

impl Opening {
    fn within(timeout: Duration) -> Self {
        Opening { since: None, timeout, denied: None, told_waiting: false, told_closed: false }
    }
}

/// What a step found, before it is returned.
enum Found<T> {
    Message(Received<T>),
    Event(Event),
    Empty,
    End,
}

impl<S: Followed> Follow<S> {
    /// `open` opens with the options that it gets, which do not wait.
    pub(super) fn new<T: 'static>(
        mut options: SubscriberOptions<T>,
        mut open: impl FnMut(SubscriberOptions<T>) -> Result<S, OpenError> + Send + 'static,
    ) -> Self
    where
        SubscriberOptions<T>: Clone,
    {
        let open_timeout = options.take_open_timeout();
        let policy = Policy {
            join: options.join_at(),
            rejoin: Join::Oldest,
            publisher_timeout: Duration::MAX,
            on_close: OnClose::End,
        };
        Follow {
            file: RingFile::new(options.path()),
            open: Box::new(move |join| open(options.clone().join(join))),
            policy,
            phase: Phase::Opening(Opening::within(open_timeout)),
            ring: None,
            sums: Sums::default(),
            interrupter: Interrupter::new(),
            bytes: Vec::new(),
        }
    }

    /// How long to wait for a publisher after [`Event::PublisherGone`], or after [`Event::Closed`] where that does not end it;
    /// by default for ever. Zero ends with [`FollowError::NoPublisher`] at once.
    ///
    /// The first ring is waited for as long as [`SubscriberOptions::open_timeout`] says, by default not at all. One that
    /// supersedes another is waited for at least 5 s.
    #[must_use]
    pub fn publisher_timeout(mut self, timeout: Duration) -> Self {
        self.policy.publisher_timeout = timeout;
        self
    }

    /// What to do once the publisher has closed the ring; by default to end.
    #[must_use]
    pub fn on_close(mut self, on_close: OnClose) -> Self {
        self.policy.on_close = on_close;
        self
    }

    /// Where to join each ring but the first; by default [`Join::Oldest`], because all its messages are new. The first is joined
    /// where [`SubscriberOptions::join`] says. If that is a number that has not come yet, later rings are joined there, too.
    #[must_use]
    pub fn rejoin(mut self, join: Join) -> Self {
        self.policy.rejoin = join;
        self
    }

    /// Returns what comes next if it is there. Never waits: without a ring it looks for one, which opens and maps it.
    ///
    /// # Errors
    /// [`FollowError`]. After it there is only [`Next::End`].
    #[inline]
    pub fn try_next(&mut self) -> Result<Next<S::Message<'_>>, FollowError> {
        self.advance(None)
    }

    /// Waits for what comes next. [`Next::Empty`] means that it was [interrupted](Self::interrupter).
    ///
    /// While there is a ring it waits as the ring's [`WaitStrategy`](crate::WaitStrategy) says; without one, or without a
    /// publisher, it sleeps and looks every 2 ms, and after 10 s every 20 ms, whether another ring has the name.
    ///
    /// # Errors
    /// [`FollowError`]. After it there is only [`Next::End`].
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "what it returns borrows from it, which no Iterator can say")]
    pub fn next(&mut self) -> Result<Next<S::Message<'_>>, FollowError> {
        self.advance(Some(Duration::MAX))
    }

    /// As [`next`](Self::next), for at most `timeout`; then it returns [`Next::Empty`].
    ///
    /// # Errors
    /// [`FollowError`]. After it there is only [`Next::End`].
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Next<S::Message<'_>>, FollowError> {
        self.advance(Some(timeout))
    }

    #[inline]
    fn advance(&mut self, patience: Option<Duration>) -> Result<Next<S::Message<'_>>, FollowError> {
        let received = match (&mut self.ring, self.phase) {
            (Some(ring), Phase::Receiving) => Some(ring.subscriber.take(&mut self.bytes, patience)),
            _ => None,
        };
        let found = match received {
            Some(Ok(taken)) => Found::Message(taken),
            // Within the ring it waited that long, or was interrupted.
            Some(Err(TryRecvError::Empty)) => Found::Empty,
            Some(Err(error)) => self.advance_after(Some(error), patience)?,
            None => self.advance_after(None, patience)?,
        };
        Ok(match (found, &self.ring) {
            (Found::Message(taken), Some(ring)) => {
                Next::Message(taken.map(|taken| ring.subscriber.show(&self.bytes, taken)))
            }
            (Found::Event(event), _) => Next::Event(event),
            (Found::End, _) => Next::End,
            _ => Next::Empty,
        })
    }

    /// Everything but a message that is there. `error` was returned by the ring just now.
    #[cold]
    fn advance_after(
        &mut self,
        mut error: Option<TryRecvError>,
        patience: Option<Duration>,
    ) -> Result<Found<S::Taken>, FollowError> {
        let begun = Instant::now();
        loop {
            let event = match (self.phase, &mut self.ring) {
                (Phase::Ended, _) => return Ok(Found::End),
                (Phase::Opening(opening), _) => self.look_for_ring(opening)?,
                (phase, Some(ring)) => {
                    let waits = patience.filter(|_| matches!(phase, Phase::Receiving));
                    let left = waits.map(|patience| patience.saturating_sub(begun.elapsed()));
                    let failed = match error.take() {
                        Some(error) => error,
                        None => match ring.subscriber.take(&mut self.bytes, left) {
                            Ok(taken) => {
                                self.phase = Phase::Receiving;
                                return Ok(Found::Message(taken));
                            }
                            Err(error) => error,
                        },
                    };
                    if failed == TryRecvError::Empty && matches!(phase, Phase::Receiving) {
                        return Ok(Found::Empty);
                    }
                    self.handle(failed)?
                }
                (_, None) => unreachable!("a ring is received from or was left only once it is open"),
            };
            if let Some(event) = event {
                return Ok(Found::Event(event));
            }
            let Some(patience) = patience else { return Ok(Found::Empty) };
            let until = begun.checked_add(patience);
            if until.is_some_and(|until| Instant::now() >= until) || self.sleep(until) {
                return Ok(Found::Empty);
            }
        }
    }

    /// Takes note of what a receive returned instead of a message: for a program that receives from
    /// [`ring_mut`](Self::ring_mut) itself. Returns the event that it is, if it is one.
    ///
    /// # Errors
    /// [`FollowError`]. After it there is only [`Next::End`].
    pub fn handle(&mut self, error: TryRecvError) -> Result<Option<Event>, FollowError> {
        let Some(ring) = &self.ring else { return Ok(None) };
        let now = ring.subscriber.core().account();
        Ok(Some(match error {
            TryRecvError::Empty => return Ok(None),
            TryRecvError::Lagged { missed } => Event::Lagged { missed },
            TryRecvError::Restarted { epoch, sequence } => {
                self.sums.note_restart(now);
                self.phase = Phase::Receiving;
                Event::Restarted { epoch, sequence }
            }
            TryRecvError::RestartsUnknown { until } => {
                self.phase = Phase::Receiving;
                Event::RestartsUnknown { until }
            }
            TryRecvError::PublisherDead | TryRecvError::Closed => return self.leave(error, now),
            TryRecvError::Superseded => {
                if matches!(self.phase, Phase::Opening(_) | Phase::Ended) {
                    return Ok(None);
                }
                self.phase = Phase::Opening(Opening::within(self.policy.publisher_timeout.max(REPLACEMENT)));
                Event::Superseded { sequence: now.sequence }
            }
            TryRecvError::Corrupt(_) | TryRecvError::CutShort => {
                self.phase = Phase::Ended;
                return Err(FollowError::Damaged(error));
            }
        }))
    }

    /// The ring has no publisher, and all its messages were received.
    fn leave(&mut self, end: TryRecvError, now: Account) -> Result<Option<Event>, FollowError> {
        let left = match self.phase {
            Phase::Left(left) if left.end == end => left,
            Phase::Ended => return Ok(None),
            _ => {
                let ends = end == TryRecvError::Closed && self.policy.on_close == OnClose::End;
                let left = Left { end, since: Instant::now(), replaced: false, tried: false };
                self.phase = if ends { Phase::Ended } else { Phase::Left(left) };
                let sequence = now.sequence;
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
    fn look_for_ring(&mut self, mut opening: Opening) -> Result<Option<Event>, FollowError> {
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

    fn account(&self) -> Option<Account> {
        self.ring.as_ref().map(|ring| ring.subscriber.core().account())
    }

    /// Sleeps until it is worth looking again, or `until`. Returns whether it was interrupted.
    fn sleep(&mut self, until: Option<Instant>) -> bool {
        let Some(look_at) = self.look_again_at() else { return false };
        let wake_at = until.map_or(look_at, |until| until.min(look_at));
        match (self.phase, &mut self.ring) {
            // A takeover wakes at once.
            (Phase::Left(_), Some(ring)) if !ring.subscriber.core().publisher_is_alive() => {
                ring.subscriber.core_mut().wait_for_publisher(wake_at)
            }
            _ => {
                self.interrupter.sleep(wake_at);
                self.interrupter.take()
            }
        }
    }

    /// When to look again, at the latest: `None` while it receives, where the ring says when.
    pub(super) fn look_again_at(&self) -> Option<Instant> {
        let (since, at_once) = match self.phase {
            Phase::Receiving => return None,
            Phase::Ended => return Some(Instant::now()),
            Phase::Opening(opening) => (opening.since, opening.since.is_none()),
            Phase::Left(left) => (Some(left.since), left.replaced && !left.tried),
        };
        let is_long = since.is_some_and(|since| since.elapsed() >= FIRST_SECONDS);
        let every = if is_long { LOOK_LATER } else { LOOK_EVERY };
        Some(Instant::now() + if at_once { Duration::ZERO } else { every })
    }

    /// A handle with which another thread, or a signal handler, ends a wait in [`next`](Self::next) or
    /// [`next_timeout`](Self::next_timeout), which then return [`Next::Empty`]. It stays the same over all rings. An
    /// interruption while nothing waits ends the next wait.
    pub fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// What became of every message so far, over all rings. All zero before the first ring is opened.
    pub fn overall(&self) -> Overall {
        self.account().map_or_else(Overall::default, |now| self.sums.with(now))
    }

    /// The overall number of the message with this number in the present ring.
    #[inline]
    pub fn overall_number(&self, number: u64) -> u64 {
        self.sums.overall(number)
    }

    /// The subscriber of the ring that is open, or was left last.
    pub fn ring(&self) -> Option<&S> {
        self.ring.as_ref().map(|ring| &ring.subscriber)
    }

    /// The same, to receive from it in another way, such as in batches. What it returns instead of a message must be given to
    /// [`handle`](Self::handle). `None` while there is no ring to receive from: then call [`try_next`](Self::try_next) or
    /// [`next`](Self::next).
    #[inline]
    pub fn ring_mut(&mut self) -> Option<&mut S> {
        match self.phase {
            Phase::Receiving | Phase::Left(_) => self.ring.as_mut().map(|ring| &mut ring.subscriber),
            Phase::Opening(_) | Phase::Ended => None,
        }
    }

    /// The ring to be woken by, and whether it waits for that ring's publisher.
    pub(super) fn wakes(&self) -> Option<(&S, bool)> {
        let waits_for_publisher = match self.phase {
            Phase::Receiving => false,
            Phase::Left(_) => true,
            Phase::Opening(_) | Phase::Ended => return None,
        };
        Some((self.ring()?, waits_for_publisher))
    }

    /// How many rings were opened so far.
    pub(super) fn rings(&self) -> u64 {
        self.overall().reopened + u64::from(self.ring.is_some())
    }
}

/// Whether the ring may be opened after a while.
fn is_passing(error: &OpenError) -> bool {
    matches!(error, OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. })
}

impl<S> std::fmt::Debug for Follow<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("file", &self.file).field("sums", &self.sums).finish_non_exhaustive()
    }
}
