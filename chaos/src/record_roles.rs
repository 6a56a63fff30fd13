//! The roles around a ring of records: a publisher, a subscriber at full speed or a slow one, and one that joins again and again,
//! in each way.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_ring::records::{Record, RecordsFormat};
use feed_ring::{Join, OpenError, RecordPublisher, RecordSubscriber, TryRecvError, WaitStrategy};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::child::Result;
use crate::record::{fill, is_whole, kind_of};
use crate::roles::print_line;

/// The name of the ring.
pub(crate) const RECORDS: &str = "records";

/// Bytes of all slots together. The ring holds some tens of records, so that whoever is slow is lapped.
const SLOTS: usize = 128 << 10;

/// Takes the ring over and publishes at full rate until killed.
pub(crate) fn publish(root: &Path, publisher: u64, slot: usize) -> Result<()> {
    let options = RecordPublisher::options(RECORDS, RecordsFormat::encoded("chaos")).root(root);
    let mut feed = options.slot_size(slot).capacity(SLOTS / slot).keep(true).create_records()?;
    let (kind, mut bytes) = (kind_of(publisher), Vec::new());
    print_line("ready");
    loop {
        let number = feed.published();
        fill(number, kind, &mut bytes);
        let published = feed.publish(kind, &bytes)?;
        if published != number {
            return Err(format!("record {number} was published as {published}").into());
        }
    }
}

/// What a subscriber of records has seen so far.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct RecordCounts {
    /// Records received.
    pub(crate) received: u64,
    /// Records lost, as the ring reported.
    pub(crate) lost: u64,
    /// Records whose length or bytes were not those of their number and publisher.
    pub(crate) torn: u64,
    /// Records received twice.
    pub(crate) duplicated: u64,
    /// Records received after a later one, or older than where the subscriber joined.
    pub(crate) out_of_order: u64,
    /// Records neither received nor counted as lost, and records of a new publisher without a report of its epoch.
    pub(crate) unaccounted: u64,
    /// Joins.
    pub(crate) joins: u64,
}

impl RecordCounts {
    /// Records of which something was wrong.
    pub(crate) fn bad(&self) -> u64 {
        self.torn + self.duplicated + self.out_of_order + self.unaccounted
    }
}

/// Counts that are printed every few milliseconds, and at once if they are bad.
struct Printed {
    counts: RecordCounts,
    at: Instant,
    bad: u64,
}

impl Printed {
    fn new() -> Self {
        Printed { counts: RecordCounts::default(), at: Instant::now(), bad: 0 }
    }

    fn print(&mut self) {
        if self.counts.bad() > self.bad || self.at.elapsed() > Duration::from_millis(5) {
            (self.at, self.bad) = (Instant::now(), self.counts.bad());
            print_line(&serde_json::to_string(&self.counts).unwrap_or_default());
        }
    }
}

/// A subscriber, and what is to come next by what it received and was told.
struct Checked {
    subscriber: RecordSubscriber,
    /// The number of the next record, if none is lost before it.
    expected: u64,
    /// The number and the kind of the record received last.
    last: Option<(u64, u8)>,
    epoch_reported: bool,
    unknown_before: u64,
}

impl Checked {
    /// Joins. `None` if there is no ring at this moment.
    fn join(root: &Path, join: Join, wait: WaitStrategy) -> Result<Option<Self>> {
        let options = RecordSubscriber::options(RECORDS).root(root).join(join).wait(wait);
        match options.open_timeout(Duration::from_secs(10)).open_records() {
            Ok(subscriber) => {
                let expected = subscriber.sequence();
                Ok(Some(Checked { subscriber, expected, last: None, epoch_reported: false, unknown_before: 0 }))
            }
            Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A number that the next record to be published has reached, as far as it is known.
    fn published(&self) -> u64 {
        let (lag, received) = (self.subscriber.lag(), self.last.map_or(0, |(last, _)| last + 1));
        // Without a lag, it may wait for a record of the future.
        if lag > 0 { self.subscriber.sequence() + lag } else { received }
    }

    /// Receives and checks one record or event.
    fn receive(&mut self, counts: &mut RecordCounts) -> Result<()> {
        match self.subscriber.recv_timeout(Duration::from_millis(5)) {
            Ok(Record { number, kind, bytes }) => {
                counts.received += 1;
                counts.torn += u64::from(!is_whole(number, kind, bytes));
                if self.last.is_some_and(|(last, _)| last == number) {
                    counts.duplicated += 1;
                } else if number < self.expected {
                    counts.out_of_order += 1;
                } else {
                    counts.unaccounted += number - self.expected;
                }
                // The ring must report an epoch before the first record of its publisher.
                let known = self.epoch_reported || number < self.unknown_before;
                counts.unaccounted += u64::from(self.last.is_some_and(|(_, last)| last != kind) && !known);
                (self.expected, self.last, self.epoch_reported) = (number + 1, Some((number, kind)), false);
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Lagged { missed }) => {
                counts.lost += missed;
                self.expected += missed;
            }
            Err(TryRecvError::Restarted { sequence, .. }) => {
                counts.unaccounted += u64::from(self.last.is_some_and(|(last, _)| last >= sequence));
                self.epoch_reported = true;
            }
            // Records of several publishers follow, without a report of their own, up to there.
            Err(TryRecvError::RestartsUnknown { until }) => self.unknown_before = until,
            Err(TryRecvError::PublisherDead) => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(format!("{error}; so far {counts:?}").into()),
        }
        counts.unaccounted += self.expected.abs_diff(self.subscriber.sequence());
        self.expected = self.subscriber.sequence();
        Ok(())
    }
}

/// Receives from the oldest record on until killed. A slow one rests now and then, so that it is lapped again and again.
pub(crate) fn receive(root: &Path, block: bool, slow: bool) -> Result<()> {
    let (mut random, mut printed) = (ChaCha8Rng::seed_from_u64(0), Printed::new());
    let wait = if block { WaitStrategy::Block } else { WaitStrategy::Yield };
    let mut checked = Checked::join(root, Join::Oldest, wait)?.ok_or("no ring")?;
    printed.counts.joins += 1;
    loop {
        checked.receive(&mut printed.counts)?;
        printed.print();
        if slow && random.random_range(0..32) == 0 {
            std::thread::sleep(Duration::from_micros(random.random_range(0..2_000)));
        }
    }
}

/// Joins and receives some records, again and again until killed: at the oldest record, at the next one, at one of the past, which
/// may be gone, and at one of the future.
pub(crate) fn join(root: &Path, seed: u64) -> Result<()> {
    let (mut random, mut printed) = (ChaCha8Rng::seed_from_u64(seed), Printed::new());
    let mut published = 0u64;
    for way in (0..4).cycle() {
        std::thread::sleep(Duration::from_micros(random.random_range(0..2_000)));
        let join = match way {
            0 => Join::Oldest,
            1 => Join::Latest,
            2 => Join::Sequence(published.saturating_sub(random.random_range(0..200))),
            _ => Join::Sequence(published + random.random_range(0..10_000)),
        };
        let Some(mut checked) = Checked::join(root, join, WaitStrategy::Block)? else { continue };
        let (counts, first) = (&mut printed.counts, checked.subscriber.sequence());
        counts.joins += 1;
        match join {
            Join::Oldest => {}
            Join::Latest => counts.out_of_order += u64::from(first < published),
            Join::Sequence(wanted) => counts.unaccounted += first.abs_diff(wanted),
        }
        let (until, begin) = (counts.received + random.random_range(1..300), Instant::now());
        while printed.counts.received < until && begin.elapsed() < Duration::from_millis(30) {
            checked.receive(&mut printed.counts)?;
            printed.print();
        }
        published = published.max(checked.published());
    }
    Ok(())
}
