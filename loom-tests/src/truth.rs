//! What really happened in an execution, and what every subscriber must have been told of it, whatever its messages are.
//!
//! The truth is kept in std's atomics, which loom does not see. It is what really happened so far in the current
//! execution, and it adds nothing to what loom explores.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use feed_ring::sync::model;
use feed_ring::{Join, RecvError, TryRecvError};

use crate::explore::violated;

/// What happened so far.
#[derive(Debug, Default)]
pub struct Truth {
    begun: AtomicU64,
    done: AtomicU64,
    closed: AtomicBool,
    /// Where each epoch began, from the first.
    epochs: Mutex<Vec<u64>>,
    /// The numbers that were passed over.
    passed_over: Mutex<Vec<Range<u64>>>,
    /// Numbers and epochs of all messages that any subscriber received.
    received: Mutex<Vec<(u64, u64)>>,
}

impl Truth {
    /// Of a ring that begins at message `base`.
    pub(crate) fn of_ring_from(base: u64) -> Arc<Self> {
        let truth = Truth::default();
        truth.begin(base);
        Arc::new(truth)
    }

    /// Number of messages whose publishing began.
    pub fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Number of messages whose publishing ended.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Where the ring began.
    pub(crate) fn base(&self) -> u64 {
        self.epochs.lock().expect("no panic holds it")[0]
    }

    fn begins(&self) -> Vec<u64> {
        self.epochs.lock().expect("no panic holds it").clone()
    }

    fn begin(&self, next: u64) {
        self.begun.store(next, Ordering::Relaxed);
        self.done.store(next, Ordering::Relaxed);
        self.closed.store(false, Ordering::Relaxed);
        self.epochs.lock().expect("no panic holds it").push(next);
    }

    /// Runs `publish`, which publishes `count` messages from the number on that it is given. It returns that number.
    pub(crate) fn publish(&self, count: u64, publish: impl FnOnce(u64) -> u64) {
        let first = self.begun.fetch_add(count, Ordering::Relaxed);
        let published = publish(first);
        if published != first {
            violated("order", format!("message {first} was published as {published}"));
        }
        // The last message of a killed publisher may be published or not.
        if !model::died() {
            self.done.fetch_add(count, Ordering::Relaxed);
        }
    }

    /// Runs `pass_over`, which passes over the numbers up to `until`.
    pub(crate) fn pass_over(&self, until: u64, pass_over: impl FnOnce(u64)) {
        let first = self.begun();
        self.passed_over.lock().expect("no panic holds it").push(first..until);
        self.begun.store(until, Ordering::Relaxed);
        pass_over(until);
        if !model::died() {
            self.done.store(until, Ordering::Relaxed);
        }
    }

    /// Behind which number the publisher went on that passed over this one. `None` if none did.
    pub(crate) fn behind_passed_over(&self, number: u64) -> Option<u64> {
        let passed_over = self.passed_over.lock().expect("no panic holds it");
        passed_over.iter().find(|range| range.contains(&number)).map(|range| range.end)
    }

    /// The first of the numbers passed over just before this one, or this one.
    pub(crate) fn before_passed_over(&self, number: u64) -> u64 {
        let passed_over = self.passed_over.lock().expect("no panic holds it");
        passed_over.iter().rev().fold(number, |number, range| if range.end == number { range.start } else { number })
    }

    /// The publisher names an epoch, which begins at the next message.
    pub(crate) fn begin_epoch(&self) -> u64 {
        let mut epochs = self.epochs.lock().expect("no panic holds it");
        epochs.push(self.begun());
        epochs.len() as u64
    }

    /// As [`take_over`](Self::take_over), for a publisher that goes on in the ring's epoch.
    pub(crate) fn go_on<P>(&self, seen: u64, go_on: impl FnOnce() -> Option<(P, u64)>) -> Option<P> {
        // What nobody can have been told of was not passed over.
        self.passed_over.lock().expect("no panic holds it").retain(|range| range.start < seen);
        self.begun.store(seen, Ordering::Relaxed);
        self.done.store(seen, Ordering::Relaxed);
        let (publisher, next) = go_on()?;
        if next != seen {
            violated("next", format!("a publisher goes on at {next}; what can be seen ends before {seen}"))
        }
        Some(publisher)
    }

    /// The publisher begins to close the ring.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// Runs `take_over`, which returns a publisher and its next number, if the ring's publisher ended. `seen` is the number
    /// after the last message that anybody can have seen, if that is known.
    pub(crate) fn take_over<P>(&self, seen: Option<u64>, take_over: impl FnOnce() -> Option<(P, u64)>) -> Option<P> {
        // The truth is updated first, because subscribers learn of the epoch while it begins.
        seen.inspect(|&seen| self.begin(seen));
        let (publisher, next) = take_over()?;
        match seen {
            None => self.begin(next),
            Some(seen) if next == seen => {}
            Some(seen) => {
                violated("next", format!("a takeover goes on at {next}; what can be seen ends before {seen}"))
            }
        }
        Some(publisher)
    }

    fn receive(&self, number: u64, epoch: u64) {
        let mut received = self.received.lock().expect("no panic holds it");
        if let Some(&(_, other)) = received.iter().find(|&&(seen, other)| seen == number && other != epoch) {
            drop(received);
            violated("reuse", format!("message {number} came from epoch {other} and from epoch {epoch}"));
        }
        received.push((number, epoch));
    }
}

/// The result of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// This many messages, all correct.
    Messages(usize),
    /// Nothing yet.
    Empty,
    /// A correct loss.
    Lagged,
    /// The end after a close.
    Closed,
    /// The end after a death.
    Dead,
    /// The beginning of another epoch, at the right place.
    Restarted,
    /// That others began, and that it is not known where.
    Unknown,
    /// A word that no publisher stores.
    Corrupt,
}

impl Step {
    /// Its letter in the table of models.
    pub(crate) fn letter(self) -> char {
        match self {
            Step::Messages(_) => 'M',
            Step::Empty => 'e',
            Step::Lagged => 'L',
            Step::Closed => 'C',
            Step::Dead => 'D',
            Step::Restarted => 'R',
            Step::Unknown => 'U',
            Step::Corrupt => 'X',
        }
    }
}

/// What a subscriber was told of its messages' order and of their epochs.
pub(crate) struct Told {
    truth: Arc<Truth>,
    joined: Join,
    first: u64,
    last: Option<u64>,
    epoch: u64,
    /// The epoch of the last message. Messages of an unknown epoch do not go back behind it.
    last_epoch: u64,
    /// Of messages before this one the epoch was said to be unknown.
    unknown_before: u64,
}

impl Told {
    /// For one that joined at message `first`, of which it was told that its epoch is `epoch`.
    pub(crate) fn new(truth: &Arc<Truth>, joined: Join, first: u64, epoch: u64) -> Self {
        let truth = Arc::clone(truth);
        Told { truth, joined, first, last: None, epoch, last_epoch: 0, unknown_before: 0 }
    }

    /// A whole message came as message `sequence`. Its content says the number and the epoch.
    pub(crate) fn message(&mut self, sequence: u64, (number, epoch): (u64, u64)) {
        if let Some(last) = self.last
            && number <= last
        {
            violated("order", format!("message {number} after message {last}"));
        }
        if self.truth.behind_passed_over(number).is_some() {
            violated("number", format!("message {number} came, which was passed over"));
        }
        if number != sequence {
            violated("number", format!("message {number} came as {sequence}"));
        }
        let unknown = number < self.unknown_before && epoch >= self.epoch.max(self.last_epoch);
        if epoch != self.epoch && !unknown {
            violated("restart", format!("message {number} is of epoch {epoch}, told was {}", self.epoch));
        }
        self.last_epoch = epoch;
        self.truth.receive(number, epoch);
        self.last = Some(number);
    }

    /// An event came before message `before` that is neither a loss nor `Empty`.
    pub(crate) fn event(&mut self, before: u64, error: &TryRecvError) -> Step {
        match *error {
            TryRecvError::Restarted { epoch, sequence } => {
                let begins = self.truth.begins();
                // Whoever joined by how far the publisher was knows the epoch that it published in.
                let joined_before = matches!(self.joined, Join::Sequence(_)) || sequence >= self.first;
                if epoch <= self.epoch || begins.get(epoch as usize - 1) != Some(&sequence) || !joined_before {
                    let found = format!("epoch {epoch} at {sequence} after epoch {}", self.epoch);
                    violated("restart", format!("{found}; they began at {begins:?}"));
                }
                self.epoch = epoch;
                Step::Restarted
            }
            TryRecvError::RestartsUnknown { until } => {
                let begins = self.truth.begins();
                // At least one whole epoch lies between the one that was told and the one that is known again.
                let known = begins.iter().rposition(|&begin| begin == until).map_or(0, |index| index as u64 + 1);
                if known < self.epoch + 2 || until <= before.max(self.unknown_before) {
                    let found = format!("unknown before {until} at {before} after epoch {}", self.epoch);
                    violated("restart", format!("{found}; they began at {begins:?}"));
                }
                self.unknown_before = until;
                Step::Unknown
            }
            TryRecvError::Closed | TryRecvError::PublisherDead => {
                // The end is of the epoch reported last: messages of a later epoch do not count.
                let begins = self.truth.begins();
                let done = begins.get(self.epoch as usize).copied().unwrap_or(self.truth.done());
                if before < done {
                    violated("end", format!("{error:?} at {before}, and {done} messages were published"));
                }
                // A later publisher may have closed since the death of this one.
                let is_last = self.epoch as usize == begins.len();
                let closed = self.truth.closed.load(Ordering::Relaxed);
                if *error == TryRecvError::PublisherDead && is_last && closed {
                    violated("end", format!("{error:?} from a publisher that closed"));
                }
                if *error == TryRecvError::Closed { Step::Closed } else { Step::Dead }
            }
            TryRecvError::Corrupt(corrupt) => violated("foreign", corrupt.to_string()),
            ref error => violated("end", format!("{error:?} from a ring that never had it")),
        }
    }

    /// One that read to the end is at message `sequence`.
    pub(crate) fn drained(&self, sequence: u64, end: Step) {
        let done = self.truth.done();
        if sequence < done {
            violated("gap", format!("{end:?} at {sequence}, and {done} messages were published"));
        }
    }
}

/// What a wait ended with, as the same event of a call that does not wait.
pub(crate) fn without_waiting(error: RecvError) -> TryRecvError {
    match error {
        RecvError::Lagged { missed } => TryRecvError::Lagged { missed },
        RecvError::Closed => TryRecvError::Closed,
        RecvError::PublisherDead => TryRecvError::PublisherDead,
        RecvError::Corrupt(corrupt) => corrupt.into(),
        RecvError::Restarted { epoch, sequence } => TryRecvError::Restarted { epoch, sequence },
        RecvError::RestartsUnknown { until } => TryRecvError::RestartsUnknown { until },
        error => violated("end", format!("{error:?} from a ring that never had it")),
    }
}
