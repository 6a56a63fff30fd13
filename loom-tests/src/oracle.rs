//! The ring's guarantees as oracles: a publisher that records the truth, and a subscriber that checks everything it
//! receives against it.
//!
//! | oracle | fails when |
//! |---|---|
//! | `torn` | a message's words are not all of one message |
//! | `order` | a message is no newer than the one before it: twice, or backwards |
//! | `number` | a whole message comes under another message's number |
//! | `loss` | a message counts as lost although it was not overwritten |
//! | `margin` | a loss ends at the oldest message, which is about to be overwritten |
//! | `conservation` | `first + received + lost + skipped != sequence`, or one of them is not what the calls returned |
//! | `gap` | after the end, a message neither came nor counts as lost |
//! | `end` | `Closed` or `PublisherDead` before the last message |
//! | `join` | a subscriber begins at another place than it asked for |
//! | `next` | a takeover does not continue at the first number that nobody can have seen |
//! | `reuse` | two messages of different epochs have the same number |
//! | `wake` | a subscriber sleeps for ever: loom reports a deadlock, and a thread is asleep |
//! | `restart` | a message of an epoch comes, or is skipped, before `Restarted`, `Restarted` names another first message, or `RestartsUnknown` comes though no epoch can be unknown |
//! | `foreign` | `Corrupt` from a healthy publisher, or no `Corrupt` where a word was forged |

use std::sync::Arc;

use feed_ring::sync::model;
use feed_ring::{Ahead, InProcess, Join, Payload, Publisher, Subscriber, TryRecvError, WaitStrategy, in_process};

use crate::explore::{met, violated};
pub use crate::truth::{Step, Truth};
use crate::truth::{Told, without_waiting};

/// A message. Each of its words contains its number and epoch.
pub trait Message: Payload {
    /// The message with this number and epoch.
    fn of(sequence: u64, epoch: u64) -> Self;
    /// The number and epoch, if all words agree on them.
    fn number(&self) -> Option<(u64, u64)>;
    /// Its words as text.
    fn text(&self) -> String;
}

/// Each half of a word of message `n` contains `n + 1`, the epoch, and the word's place. No word is zero or equals a
/// word of another message, and the same holds for every part of two bytes or more.
impl<const N: usize> Message for [u64; N] {
    fn of(sequence: u64, epoch: u64) -> Self {
        std::array::from_fn(|place| ((sequence + 1) << 8 | epoch << 4 | place as u64) * 0x1_0000_0001)
    }

    fn number(&self) -> Option<(u64, u64)> {
        let word = self[0] as u32;
        let (sequence, epoch) = ((word >> 8).checked_sub(1)?.into(), (word >> 4 & 0xf).into());
        (*self == Self::of(sequence, epoch)).then_some((sequence, epoch))
    }

    fn text(&self) -> String {
        format!("{self:#x?}").replace(['\n', ' '], "")
    }
}

/// The publisher, and the truth about it.
pub struct Feed<T> {
    publisher: Publisher<T>,
    truth: Arc<Truth>,
}

/// A ring to be joined, and the truth about it.
#[derive(Clone)]
pub struct Ring<T> {
    ring: InProcess<T>,
    truth: Arc<Truth>,
}

/// A ring of `capacity` slots.
pub fn ring<T: Message>(capacity: usize) -> (Feed<T>, Ring<T>) {
    ring_from(capacity, 0)
}

/// The same, beginning at message `base`, as a ring does that replaced another.
pub fn ring_from<T: Message>(capacity: usize, base: u64) -> (Feed<T>, Ring<T>) {
    model::begin_at(base);
    let (publisher, ring) = in_process(capacity).expect("a capacity that can be");
    let truth = Truth::of_ring_from(base);
    (Feed { publisher, truth: Arc::clone(&truth) }, Ring { ring, truth })
}

impl<T: Message> Feed<T> {
    /// From now on the publisher owns lines two messages ahead.
    pub fn own_two_ahead(&mut self) {
        self.publisher.set_ahead(Ahead::Two);
    }

    /// Publishes the next message.
    pub fn publish(&mut self) {
        self.publish_batch::<1>();
    }

    /// Publishes the next `N` messages, as one batch if they are more than one.
    pub fn publish_batch<const N: usize>(&mut self) {
        let Feed { publisher, truth } = self;
        truth.publish(N as u64, |first| {
            let messages: [T; N] = std::array::from_fn(|index| T::of(first + index as u64, publisher.epoch()));
            match &messages[..] {
                [message] => publisher.publish(message),
                messages => publisher.publish_batch(messages).start,
            }
        });
    }

    /// Passes over the next `count` numbers.
    pub fn pass_over(&mut self, count: u64) {
        let Feed { publisher, truth } = self;
        truth.pass_over(publisher.published() + count, |until| publisher.pass_over(until));
    }

    /// Begins the next epoch, as a publisher of another ring's messages does.
    pub fn begin_epoch(&mut self) {
        // The truth first, because subscribers learn of the epoch while it begins.
        let epoch = self.truth.begin_epoch();
        self.publisher.begin_epoch(epoch);
    }

    /// Ends the ring cleanly.
    pub fn close(self) {
        self.truth.close();
        self.publisher.close().expect("nothing to remove");
    }

    /// Ends and leaves the ring to another publisher.
    pub fn leave(self) {
        self.publisher.leave();
    }

    /// Ends like a publisher that a panic unwinds through.
    pub fn unwind(self) {
        model::unwind(|| drop(self.publisher));
    }
}

impl<T: Message> Ring<T> {
    /// Joins.
    pub fn join(&self, join: Join) -> Witness<T> {
        self.join_with(join, WaitStrategy::Spin)
    }

    /// Joins with the given [`WaitStrategy`].
    pub fn join_with(&self, join: Join, wait: WaitStrategy) -> Witness<T> {
        let subscriber = self.ring.subscribe_with(join, wait);
        let witness = Witness {
            truth: Arc::clone(&self.truth),
            told: Told::new(&self.truth, join, subscriber.first(), subscriber.epoch()),
            first: subscriber.first(),
            received: 0,
            lost: 0,
            skipped: 0,
            forged: false,
            subscriber,
        };
        witness.joined(join);
        witness
    }

    /// The number after the last message that a subscriber can see. Call it on the publisher's own thread, which sees
    /// everything.
    pub fn visible(&self) -> u64 {
        let mut subscriber = self.ring.subscribe(Join::Oldest);
        let goes_on = |error| matches!(error, TryRecvError::Restarted { .. } | TryRecvError::Lagged { .. });
        while subscriber.try_recv().map_or_else(goes_on, |_| true) {}
        subscriber.sequence()
    }

    /// Takes over the ring, if its publisher ended. `seen` is the number after the last message that anybody can have
    /// seen, if that is known.
    pub fn take_over(&self, seen: Option<u64>) -> Option<Feed<T>> {
        let take_over = || {
            self.ring.take_over().map(|publisher| {
                let next = publisher.published();
                (publisher, next)
            })
        };
        let publisher = self.truth.take_over(seen, take_over)?;
        Some(Feed { publisher, truth: Arc::clone(&self.truth) })
    }
}

impl<T: Message> Ring<T> {
    /// As [`take_over`](Self::take_over), for a publisher of another ring's messages: it goes on in the same epoch.
    pub fn go_on(&self, seen: u64) -> Option<Feed<T>> {
        let go_on = || {
            self.ring.go_on().map(|publisher| {
                let next = publisher.published();
                (publisher, next)
            })
        };
        let publisher = self.truth.go_on(seen, go_on)?;
        Some(Feed { publisher, truth: Arc::clone(&self.truth) })
    }
}

/// A subscriber that checks every result.
pub struct Witness<T> {
    subscriber: Subscriber<T>,
    truth: Arc<Truth>,
    told: Told,
    first: u64,
    received: u64,
    lost: u64,
    skipped: u64,
    forged: bool,
}

impl<T: Message> Witness<T> {
    /// A subscriber cannot begin further on than the publisher is.
    fn joined(&self, join: Join) {
        let begun = self.truth.begun();
        let fine = match join {
            Join::Sequence(sequence) => self.first == sequence,
            Join::Latest => self.first <= begun,
            Join::Oldest => self.first <= begun.saturating_sub(self.window()).max(self.truth.base()),
        };
        if !fine {
            violated("join", format!("{join:?} began at {} with {begun} messages begun", self.first));
        }
    }

    /// Call it when `published` messages were published before the join, in the sense of happens-before.
    pub fn knows(&self, join: Join, published: u64) {
        let least = match join {
            Join::Sequence(sequence) => sequence,
            Join::Latest => published,
            Join::Oldest => published.saturating_sub(self.window()).max(self.truth.base()),
        };
        if self.first < least {
            violated("join", format!("{join:?} began at {} after {published} messages", self.first));
        }
    }

    /// A word was forged: from now on `Corrupt` is the right result.
    pub fn expect_forgery(&mut self) {
        self.forged = true;
    }

    /// Asks for the next message.
    pub fn step(&mut self) -> Step {
        let step = self.ask();
        met(step.letter());
        step
    }

    fn ask(&mut self) -> Step {
        let before = self.subscriber.sequence();
        match self.subscriber.try_recv() {
            Ok(message) => self.message(before, &message),
            Err(error) => self.error(before, error),
        }
    }

    /// Asks for up to `N` messages at once.
    pub fn batch<const N: usize>(&mut self) -> Step {
        let step = self.ask_batch::<N>();
        met(step.letter());
        step
    }

    fn ask_batch<const N: usize>(&mut self) -> Step {
        let before = self.subscriber.sequence();
        let mut messages = [T::zeroed(); N];
        match self.subscriber.recv_batch(&mut messages) {
            Ok(count) => {
                for (index, message) in messages[..count].iter().enumerate() {
                    self.content(before + index as u64, message);
                }
                self.received += count as u64;
                self.balance(before + count as u64);
                Step::Messages(count)
            }
            Err(error) => self.error(before, error),
        }
    }

    /// Asks for the newest message.
    pub fn latest(&mut self) -> Step {
        let step = self.ask_latest();
        met(step.letter());
        step
    }

    fn ask_latest(&mut self) -> Step {
        let before = self.subscriber.sequence();
        let (lost, skipped) = (self.subscriber.lost(), self.subscriber.skipped());
        let result = self.subscriber.latest();
        // How many messages it skips is its own to say. It reports each loss, or does not count it as one.
        let (lost, skipped) = (self.subscriber.lost() - lost, self.subscriber.skipped() - skipped);
        let told = if let Err(TryRecvError::Lagged { missed }) = result { missed } else { 0 };
        if lost != told {
            violated("conservation", format!("lost {lost}, told of {told}"));
        }
        self.skipped += skipped;
        if let Err(TryRecvError::Restarted { epoch, sequence }) = result
            && self.subscriber.sequence() > sequence.max(before)
            && !self.overtaken(sequence)
        {
            let at = self.subscriber.sequence();
            violated("restart", format!("epoch {epoch}, which began at {sequence}, was told of at {at}"));
        }
        match result {
            Ok(message) => self.message(before + skipped, &message),
            Err(error) => self.error(before + skipped, error),
        }
    }

    /// Waits for the next message or the end.
    pub fn wait(&mut self) -> Step {
        let step = self.ask_wait();
        met(step.letter());
        if model::sleeps().0 > 0 {
            met('z');
        }
        step
    }

    fn ask_wait(&mut self) -> Step {
        let before = self.subscriber.sequence();
        match self.subscriber.recv() {
            Ok(message) => self.message(before, &message),
            Err(error) => self.error(before, without_waiting(error)),
        }
    }

    /// Waits until there is a publisher.
    pub fn await_publisher(&mut self) {
        if !self.subscriber.wait_for_publisher(std::time::Duration::MAX) {
            violated("wake", "a wait without an end ended with nothing".to_owned());
        }
        if model::sleeps().0 > 0 {
            met('z');
        }
    }

    /// Reads to the end. This thread must know that the publisher ended, or will publish no more.
    pub fn drain(&mut self) -> Step {
        loop {
            match self.ask() {
                Step::Messages(_) | Step::Lagged | Step::Restarted | Step::Unknown => {}
                end => {
                    self.told.drained(self.subscriber.sequence(), end);
                    return end;
                }
            }
        }
    }

    /// The number of the next message.
    pub fn sequence(&self) -> u64 {
        self.subscriber.sequence()
    }

    /// Where it began.
    pub fn first(&self) -> u64 {
        self.first
    }

    fn window(&self) -> u64 {
        self.subscriber.capacity() as u64 - 1
    }

    /// Number of messages between the oldest and the one that a subscriber reads after a loss.
    fn margin(&self) -> u64 {
        self.window() / model::MARGIN_PART
    }

    fn message(&mut self, sequence: u64, message: &T) -> Step {
        self.content(sequence, message);
        self.received += 1;
        self.balance(sequence + 1);
        Step::Messages(1)
    }

    fn content(&mut self, sequence: u64, message: &T) {
        let Some(said) = message.number() else {
            violated("torn", format!("message {sequence} is {}", message.text()));
        };
        self.told.message(sequence, said);
    }

    fn error(&mut self, before: u64, error: TryRecvError) -> Step {
        match error {
            TryRecvError::Corrupt(_) if self.forged => Step::Corrupt,
            error if self.forged => violated("foreign", format!("{error:?} where a word was forged")),
            TryRecvError::Empty => {
                self.balance(before);
                Step::Empty
            }
            TryRecvError::Lagged { missed } => {
                self.lost += missed;
                self.balance(before + missed);
                // Passed over: all of that is lost, and no more.
                if self.truth.behind_passed_over(before) == Some(before + missed) {
                    return Step::Lagged;
                }
                // A subscriber that lost one message of this ring also loses those in the margin.
                if before >= self.truth.base() && missed < 1 + self.margin() {
                    violated("margin", format!("only {missed} lost from {before} on"));
                }
                self.lagged()
            }
            error => {
                self.balance(before);
                self.told.event(before, &error)
            }
        }
    }

    /// Checks a loss: the message before the next must have been overwritten. Its slot is marked again at the end of
    /// publishing the message `capacity - 1` after it.
    fn lagged(&mut self) -> Step {
        let (sequence, begun) = (self.subscriber.sequence(), self.truth.begun());
        // The first messages of the ring may be all that there are.
        if sequence != self.truth.base() && sequence.saturating_add(self.window()) > begun + self.margin() {
            violated("loss", format!("lost up to {sequence} with {begun} messages begun"));
        }
        Step::Lagged
    }

    /// Whether the message of this number may have been overwritten, so that no reader can stop there any more.
    fn overtaken(&self, sequence: u64) -> bool {
        self.truth.begun() + 1 > sequence + self.window()
    }

    fn balance(&self, sequence: u64) {
        let s = &self.subscriber;
        let told = (self.first, self.received, self.lost, self.skipped, sequence);
        let found = (s.first(), s.received(), s.lost(), s.skipped(), s.sequence());
        if told != found || self.first + self.received + self.lost + self.skipped != sequence {
            violated("conservation", format!("told {told:?}, the subscriber says {found:?}"));
        }
    }
}
