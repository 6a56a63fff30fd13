//! The driver for records: their publisher is killed at random, while subscribers receive at full speed, are slow or stopped, and
//! join in each way.

use std::path::Path;
use std::time::{Duration, Instant};

use feed_testing::PrivateRoot;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::child::{Counting, Result, Writers};
use crate::record_roles::{RECORDS, RecordCounts};
use crate::segment::Segment;

/// The subscribers from the oldest record on: one that yields, one that blocks, and a slow one.
const RECEIVERS: [&[&str]; 3] =
    [&["receive-records"], &["receive-records", "--block"], &["receive-records", "--block", "--slow"]];

/// Those that join again and again.
const JOINERS: usize = 2;

/// Bytes of a slot. In the smaller ones a record takes up to 147 of them, in the larger ones up to 17.
const SLOTS: [usize; 2] = [64, 512];

/// More slots than a record takes.
const A_RECORD: u64 = 160;

/// What became of the records.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Records {
    /// Publishers of records that were killed.
    record_kills: u64,
    /// Kills between the first store and the last one of a record in several slots. The next publisher must write over it.
    half_written_records_found: u64,
    /// Records received, by all subscribers.
    records_received: u64,
    /// Records lost, as the ring reported.
    records_lost: u64,
    /// Records with a length or a byte that is not theirs.
    records_torn: u64,
    /// Records received twice.
    records_duplicated: u64,
    /// Records received after a later one, or older than where the subscriber joined.
    records_out_of_order: u64,
    /// Records neither received nor counted as lost, or of a publisher that was not reported.
    records_unaccounted: u64,
    /// Joins, in each way.
    record_joins: u64,
}

impl Records {
    /// The reason why the run failed; `None` if it passed.
    pub(crate) fn failure(&self) -> Option<&'static str> {
        let bad = [self.records_torn, self.records_duplicated, self.records_out_of_order, self.records_unaccounted];
        if bad.iter().any(|count| *count > 0) {
            Some("a record was torn, duplicated, out of order or unaccounted for")
        } else if [self.records_received, self.records_lost, self.record_joins].contains(&0) {
            Some(
                "no record was received, or none was lost, or nobody joined: this run showed nothing: give it more --seconds",
            )
        } else if self.half_written_records_found == 0 {
            Some("no takeover found a half-written record: this run showed nothing: give it more --seconds")
        } else {
            None
        }
    }

    /// Adds what a subscriber saw.
    fn add(&mut self, counts: &RecordCounts) {
        self.records_received += counts.received;
        self.records_lost += counts.lost;
        self.records_torn += counts.torn;
        self.records_duplicated += counts.duplicated;
        self.records_out_of_order += counts.out_of_order;
        self.records_unaccounted += counts.unaccounted;
        self.record_joins += counts.joins;
    }
}

/// A part of `time` goes to slots of each size.
pub(crate) fn run(time: Duration, seed: u64) -> Result<Records> {
    let mut records = Records::default();
    for slot in SLOTS {
        run_with(slot, time / SLOTS.len() as u32, seed, &mut records)?;
    }
    Ok(records)
}

fn start(which: usize, random: &mut ChaCha8Rng, root: &Path) -> Result<Counting<RecordCounts>> {
    match RECEIVERS.get(which) {
        Some(role) => Counting::start(role, root),
        None => Counting::start(&["join-records", "--seed", &random.random::<u32>().to_string()], root),
    }
}

/// Kills, stops and starts processes at random for `time`, and on until a kill has fallen into the middle of a record. Gives up
/// after ten times `time`.
fn run_with(slot: usize, time: Duration, seed: u64, records: &mut Records) -> Result<()> {
    let root = PrivateRoot::new();
    let root = root.path();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut publishers = Writers::start(&["publish-records", "--slot", &slot.to_string()], root)?;
    let subscribers = RECEIVERS.len() + JOINERS;
    let mut running = (0..subscribers).map(|which| start(which, &mut random, root)).collect::<Result<Vec<_>>>()?;
    let (begin, found_before, mut found_at) = (Instant::now(), records.half_written_records_found, None);
    while begin.elapsed() < if records.half_written_records_found > found_before { time } else { 10 * time } {
        std::thread::sleep(Duration::from_micros(random.random_range(1_000..40_000)));
        match random.random_range(0..10) {
            0..5 => {
                publishers.process.kill();
                records.record_kills += 1;
                // What an earlier kill left is not counted again. It lies no further on than a record.
                if let Some(at) = Segment::open(root, RECORDS)?.begun_record()?
                    && found_at.is_none_or(|before| at > before + A_RECORD)
                {
                    records.half_written_records_found += 1;
                    found_at = Some(at);
                }
                std::thread::sleep(Duration::from_micros(random.random_range(0..5_000)));
                publishers.start_next(root, random.random_range(0..4) > 0)?;
            }
            5..8 => running[random.random_range(0..subscribers)].stop_or_continue(),
            _ => {
                let which = random.random_range(0..subscribers);
                let next = start(which, &mut random, root)?;
                records.add(&std::mem::replace(&mut running[which], next).end());
            }
        }
        if publishers.process.has_ended() || running.iter_mut().any(Counting::has_ended) {
            return Err("a child process ended by itself: see above".into());
        }
    }
    for subscriber in running {
        subscriber.let_finish();
        records.add(&subscriber.end());
    }
    Ok(())
}
