//! The same guarantees for rings of records: a publisher of records of chosen lengths, and a subscriber that checks everything.
//!
//! The oracles are those of `oracle.rs`. A record is torn as well if its length or kind is not its own. What was overwritten, and
//! where a margin ends, is counted in slots.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use feed_ring::sync::model;
use feed_ring::{
    InProcessRecords, Join, RecordPublisher, RecordSubscriber, TryRecvError, WaitStrategy, in_process_records,
};

use crate::explore::{met, violated};
use crate::truth::{Step, Told, Truth, without_waiting};

/// The bytes of record `number` of this epoch. Each half of a word contains the number, the epoch, how many words there are, and
/// the word's place.
fn content(number: u64, epoch: u64, words: usize) -> Vec<u8> {
    let word = |place| ((number + 1) << 12 | epoch << 8 | (words as u64) << 4 | place as u64) * 0x1_0000_0001;
    (0..words).flat_map(|place| u64::to_ne_bytes(word(place))).collect()
}

/// The number and the epoch of a record, if all of it agrees on them.
fn said(kind: u8, bytes: &[u8]) -> Option<(u64, u64)> {
    let word = u32::from_ne_bytes(bytes.get(..4)?.try_into().expect("four bytes"));
    let (number, epoch) = (u64::from(word >> 12).checked_sub(1)?, u64::from(word >> 8 & 0xf));
    (bytes == content(number, epoch, kind.into())).then_some((number, epoch))
}

/// Where the records are.
#[derive(Debug)]
struct Places {
    capacity: u64,
    /// Words of a slot.
    slot: usize,
    /// The number of the first record, which is at position 0.
    base: u64,
    /// The position behind each record that was begun.
    ends: Mutex<Vec<u64>>,
    /// The highest position whose word may have been stored.
    reached: AtomicU64,
}

impl Places {
    fn slots_of(&self, words: usize) -> u64 {
        1 + words.saturating_sub(self.slot - 2).div_ceil(self.slot - 1) as u64
    }

    /// The position of a record that was begun, or of the next one.
    fn of(&self, number: u64) -> u64 {
        let before = (number - self.base).checked_sub(1);
        before.map_or(0, |before| self.ends.lock().expect("no panic holds it")[before as usize])
    }

    fn begin(&self, number: u64, words: usize) {
        let end = self.of(number) + self.slots_of(words);
        self.ends.lock().expect("no panic holds it").push(end);
        if !model::died() {
            self.reached.fetch_max(end, Ordering::Relaxed);
        }
    }

    /// Numbers are passed over. They are all in the next slot.
    fn pass_over(&self, from: u64, count: u64) {
        let position = self.of(from);
        let mut ends = self.ends.lock().expect("no panic holds it");
        ends.extend((1..count).map(|_| position).chain([position + 1]));
        if !model::died() {
            self.reached.fetch_max(position + 1, Ordering::Relaxed);
        }
    }

    /// Records from `next` on were begun and not published.
    fn forget(&self, next: u64) {
        self.ends.lock().expect("no panic holds it").truncate((next - self.base) as usize);
    }

    /// Whether the slot of a record may say that it is overwritten, or will if `more` slots are written.
    fn may_be_gone(&self, number: u64, more: u64) -> bool {
        self.of(number) + self.capacity <= self.reached.load(Ordering::Relaxed) + more
    }

    /// Slots between the oldest and where a subscriber reads on after a loss.
    fn margin(&self) -> u64 {
        (self.capacity - 1) / model::MARGIN_PART
    }
}

/// The publisher, and the truth about it.
pub struct Feed {
    publisher: RecordPublisher,
    truth: Arc<Truth>,
    places: Arc<Places>,
}

/// A ring to be joined, and the truth about it.
#[derive(Clone)]
pub struct Ring {
    ring: InProcessRecords,
    truth: Arc<Truth>,
    places: Arc<Places>,
}

/// A ring of `capacity` slots of one line.
pub fn ring(capacity: usize) -> (Feed, Ring) {
    ring_from(capacity, 0)
}

/// The same, beginning at record `base`, as a ring does that replaced another.
pub fn ring_from(capacity: usize, base: u64) -> (Feed, Ring) {
    model::begin_at(base);
    of(base, 3, in_process_records(capacity).expect("a capacity that can be"))
}

/// A ring of slots of several lines.
pub fn ring_of_lines(capacity: usize) -> (Feed, Ring) {
    of(0, 8, InProcessRecords::with_slots_of(64, capacity).expect("a capacity that can be"))
}

fn of(base: u64, slot: usize, (publisher, ring): (RecordPublisher, InProcessRecords)) -> (Feed, Ring) {
    let truth = Truth::of_ring_from(base);
    let (capacity, ends, reached) = (publisher.capacity() as u64, Mutex::default(), AtomicU64::new(0));
    let places = Arc::new(Places { capacity, slot, base, ends, reached });
    let feed = Feed { publisher, truth: Arc::clone(&truth), places: Arc::clone(&places) };
    (feed, Ring { ring, truth, places })
}

impl Feed {
    /// Publishes a record of so many words. With slots of one line, 1 takes one slot and 3 take two.
    pub fn publish(&mut self, words: usize) {
        let Feed { publisher, truth, places } = self;
        truth.publish(1, |number| {
            places.begin(number, words);
            let bytes = content(number, publisher.epoch(), words);
            publisher.publish(words as u8, &bytes).expect("a length that can be")
        });
    }

    /// Passes over the next `count` numbers.
    pub fn pass_over(&mut self, count: u64) {
        let Feed { publisher, truth, places } = self;
        let from = publisher.published();
        truth.pass_over(from + count, |until| {
            places.pass_over(from, count);
            publisher.pass_over(until).expect("few numbers");
        });
    }

    /// Ends the ring cleanly.
    pub fn close(self) {
        self.truth.close();
        self.publisher.close().expect("nothing to remove");
    }

    /// Ends like a publisher that a panic unwinds through.
    pub fn unwind(self) {
        model::unwind(|| drop(self.publisher));
    }
}

impl Ring {
    /// Joins.
    pub fn join(&self, join: Join) -> Witness {
        self.join_with(join, WaitStrategy::Spin)
    }

    /// Joins with the given [`WaitStrategy`].
    pub fn join_with(&self, join: Join, wait: WaitStrategy) -> Witness {
        let subscriber = self.ring.subscribe_with(join, wait);
        let account = subscriber.account();
        let witness = Witness {
            truth: Arc::clone(&self.truth),
            places: Arc::clone(&self.places),
            told: Told::new(&self.truth, join, account.first, account.epoch),
            first: account.first,
            received: 0,
            lost: 0,
            skipped: 0,
            keeps_margin: false,
            forged: false,
            subscriber,
        };
        witness.joined(join);
        witness
    }

    /// The number after the last record that a subscriber can see. Call it on the publisher's own thread, which sees
    /// everything.
    pub fn visible(&self) -> u64 {
        let mut subscriber = self.ring.subscribe(Join::Oldest);
        while matches!(subscriber.try_recv(), Ok(_) | Err(TryRecvError::Restarted { .. } | TryRecvError::Lagged { .. }))
        {
        }
        subscriber.sequence()
    }

    /// Takes over the ring, if its publisher ended. `seen` is the number after the last record that anybody can have
    /// seen, if that is known.
    pub fn take_over(&self, seen: Option<u64>) -> Option<Feed> {
        seen.inspect(|&seen| self.places.forget(seen));
        let publisher = self.truth.take_over(seen, || {
            let publisher = self.ring.take_over()?;
            let next = publisher.published();
            Some((publisher, next))
        })?;
        self.places.forget(publisher.published());
        Some(Feed { publisher, truth: Arc::clone(&self.truth), places: Arc::clone(&self.places) })
    }

    /// The same for a publisher of another ring's records: it goes on in the same epoch.
    pub fn go_on(&self, seen: u64) -> Option<Feed> {
        self.places.forget(seen);
        let publisher = self.truth.go_on(seen, || {
            let publisher = self.ring.go_on()?;
            let next = publisher.published();
            Some((publisher, next))
        })?;
        Some(Feed { publisher, truth: Arc::clone(&self.truth), places: Arc::clone(&self.places) })
    }
}

/// A subscriber that checks every result.
pub struct Witness {
    subscriber: RecordSubscriber,
    truth: Arc<Truth>,
    places: Arc<Places>,
    told: Told,
    first: u64,
    received: u64,
    lost: u64,
    skipped: u64,
    keeps_margin: bool,
    forged: bool,
}

impl Witness {
    /// A subscriber cannot begin further on than the publisher is, nor pass over what is not overwritten.
    fn joined(&self, join: Join) {
        let (first, begun) = (self.first, self.truth.begun());
        // What was passed over before the oldest record is not told as a loss.
        let behind = self.truth.before_passed_over(first);
        let fine = match join {
            Join::Sequence(number) => first == number,
            Join::Latest => first <= begun,
            Join::Oldest => first <= begun && (behind == self.places.base || self.places.may_be_gone(behind - 1, 0)),
        };
        if !fine {
            violated("join", format!("{join:?} began at {first} with {begun} records begun, of {:?}", self.places));
        }
    }

    /// Call it when `published` records were published before the join, in the sense of happens-before.
    pub fn knows(&self, join: Join, published: u64) {
        let places = &self.places;
        let fine = match join {
            Join::Sequence(_) => true,
            Join::Latest => self.first >= published,
            Join::Oldest => places.of(self.first) + places.capacity > places.of(published),
        };
        if !fine {
            violated("join", format!("{join:?} began at {} after {published} records, of {places:?}", self.first));
        }
    }

    /// From now on a loss must end a margin behind the oldest.
    pub fn expect_margin(&mut self) {
        self.keeps_margin = true;
    }

    /// A word was forged: from now on `Corrupt` is the right result.
    pub fn expect_forgery(&mut self) {
        self.forged = true;
    }

    /// Asks for the next record.
    pub fn step(&mut self) -> Step {
        let step = self.ask();
        met(step.letter());
        step
    }

    fn ask(&mut self) -> Step {
        let before = self.subscriber.sequence();
        match self.subscriber.try_recv() {
            Ok(record) => {
                let record = (record.number, record.kind, record.bytes.to_owned());
                self.record(before, record)
            }
            Err(error) => self.error(before, error),
        }
    }

    /// Asks for the newest record.
    pub fn latest(&mut self) -> Step {
        let step = self.ask_latest();
        met(step.letter());
        step
    }

    fn ask_latest(&mut self) -> Step {
        let before = self.subscriber.account();
        let result = self.subscriber.latest().map(|record| (record.number, record.kind, record.bytes.to_owned()));
        let after = self.subscriber.account();
        // How many it skips is its own to say. It reports each loss, or does not count it as one.
        let (lost, skipped) = (after.lost - before.lost, after.skipped - before.skipped);
        let told = if let Err(TryRecvError::Lagged { missed }) = result { missed } else { 0 };
        if lost != told {
            violated("conservation", format!("lost {lost}, told of {told}"));
        }
        self.skipped += skipped;
        match result {
            Ok(record) => self.record(before.sequence + skipped, record),
            Err(error) => self.error(before.sequence + skipped, error),
        }
    }

    /// Waits for the next record or the end.
    pub fn wait(&mut self) -> Step {
        let before = self.subscriber.sequence();
        let waited = self.subscriber.recv().map(|record| (record.number, record.kind, record.bytes.to_owned()));
        let step = match waited {
            Ok(record) => self.record(before, record),
            Err(error) => self.error(before, without_waiting(error)),
        };
        met(step.letter());
        if model::sleeps().0 > 0 {
            met('z');
        }
        step
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

    /// The number of the next record.
    pub fn sequence(&self) -> u64 {
        self.subscriber.sequence()
    }

    /// Where it began.
    pub fn first(&self) -> u64 {
        self.first
    }

    fn record(&mut self, sequence: u64, (number, kind, bytes): (u64, u8, Vec<u8>)) -> Step {
        let Some(content) = said(kind, &bytes) else {
            violated("torn", format!("record {sequence} is of kind {kind} and of {bytes:x?}"));
        };
        if number != sequence {
            violated("number", format!("record {sequence} is returned as {number}"));
        }
        self.told.message(sequence, content);
        self.received += 1;
        self.balance(sequence + 1);
        Step::Messages(1)
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
                self.lagged(before)
            }
            error => {
                self.balance(before);
                self.told.event(before, &error)
            }
        }
    }

    /// Checks a loss: the record before the next must have been overwritten, or be in the margin.
    fn lagged(&self, before: u64) -> Step {
        let (next, places, margin) = (self.subscriber.sequence(), &self.places, self.places.margin());
        if next > places.base && (next > self.truth.begun() || !places.may_be_gone(next - 1, margin)) {
            violated("loss", format!("lost up to {next} of {places:?}"));
        }
        if self.keeps_margin && places.of(next) < places.of(before) + 1 + margin {
            violated("margin", format!("lost from {before} to {next} only, of {places:?}"));
        }
        Step::Lagged
    }

    fn balance(&self, sequence: u64) {
        let told = (self.first, self.received, self.lost, self.skipped, sequence);
        let account = self.subscriber.account();
        let found = (account.first, account.received, account.lost, account.skipped, account.sequence);
        if told != found || self.first + self.received + self.lost + self.skipped != sequence {
            violated("conservation", format!("told {told:?}, the subscriber says {found:?}"));
        }
    }
}
