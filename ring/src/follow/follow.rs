//! The loop: receives from the ring that has the name, and goes from one ring to the next.

use std::time::{Duration, Instant};

use super::account::{Overall, Sums};
use super::event::{Event, FollowError, Next};
use super::file::{Identity, RingFile};
use super::followed::Followed;
use super::phase::{OnClose, Opening, Phase, Policy};
use crate::error::{OpenError, TryRecvError};
use crate::protocol::join::Join;
use crate::protocol::wait::Interrupter;
use crate::subscriber::options::SubscriberOptions;
use crate::subscriber::received::Received;

/// The shortest time for which the ring that supersedes another is waited for: its publisher is at it.
const REPLACEMENT: Duration = Duration::from_secs(5);

/// Follows the ring of one name, whatever happens to it: see [`follow`](crate::follow).
pub struct Follow<S> {
    pub(super) file: RingFile,
    pub(super) open: Box<dyn FnMut(Join) -> Result<S, OpenError> + Send>,
    pub(super) policy: Policy,
    pub(super) phase: Phase,
    /// The ring that is open, or was left last: while it is mapped, no other file has its identity.
    pub(super) ring: Option<Open<S>>,
    pub(super) sums: Sums,
    pub(super) interrupter: Interrupter,
    bytes: Vec<u8>,
}

/// A ring that was opened.
pub(super) struct Open<S> {
    pub(super) subscriber: S,
    pub(super) identity: Option<Identity>,
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
        let goes_on = !matches!(error, TryRecvError::PublisherDead | TryRecvError::Closed);
        if goes_on && matches!(self.phase, Phase::Left(_)) {
            // There is a publisher again.
            self.phase = Phase::Receiving;
        }
        Ok(Some(match error {
            TryRecvError::Empty => return Ok(None),
            TryRecvError::Lagged { missed } => Event::Lagged { missed },
            TryRecvError::Restarted { epoch, sequence } => {
                self.sums.note_restart(now);
                Event::Restarted { epoch, sequence }
            }
            TryRecvError::RestartsUnknown { until } => Event::RestartsUnknown { until },
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

    /// Sleeps until it is worth looking again, or `until`. Returns whether it was interrupted.
    fn sleep(&mut self, until: Option<Instant>) -> bool {
        let Some(look_at) = self.phase.look_again_at() else { return false };
        let wake_at = until.map_or(look_at, |until| until.min(look_at));
        match (self.phase, &mut self.ring) {
            // A takeover wakes at once.
            (Phase::Left(_), Some(ring)) => ring.subscriber.core_mut().wait_for_publisher(wake_at),
            _ => {
                self.interrupter.sleep(wake_at);
                self.interrupter.take()
            }
        }
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

impl<S> std::fmt::Debug for Follow<S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follow").field("file", &self.file).field("sums", &self.sums).finish_non_exhaustive()
    }
}
