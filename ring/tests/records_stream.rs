//! Records of random lengths between two processes at full speed. The receiver computes each byte anew from the record's number:
//! none is torn, and what is lost is counted exactly; the same while publishers are killed and take over.
//!
//! `FEED_RECORDS=100` makes it a hundred times as long: ten million records.

use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::records::RecordsFormat;
use feed_ring::{Join, OpenError, RecordPublisher, RecordSubscriber, TryRecvError};
use feed_testing::{PrivateRoot, as_child, child};

const NAME: &str = "records";
const LONGEST: u64 = 4096;

fn mixed(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 20
}

/// Half of all records are short.
fn length_of(number: u64) -> usize {
    let mixed = mixed(number);
    (if mixed.is_multiple_of(2) { mixed / 2 % 64 } else { mixed / 2 % (LONGEST + 1) }) as usize
}

fn kind_of(number: u64) -> u8 {
    (mixed(number) >> 33) as u8
}

/// The bytes of record `number` that begin at `index`.
fn word_of(number: u64, index: usize) -> [u8; 8] {
    number.wrapping_mul(0x2545_f491_4f6c_dd1d).wrapping_add(index as u64 * 0x1_0001_0001).to_ne_bytes()
}

fn fill(number: u64, bytes: &mut Vec<u8>) {
    bytes.clear();
    let length = length_of(number);
    (0..length.div_ceil(8)).for_each(|index| bytes.extend(word_of(number, index)));
    bytes.truncate(length);
}

fn is_whole(number: u64, kind: u8, bytes: &[u8]) -> bool {
    let words = bytes.chunks(8).enumerate();
    bytes.len() == length_of(number)
        && kind == kind_of(number)
        && words.into_iter().all(|(index, chunk)| *chunk == word_of(number, index)[..chunk.len()])
}

fn var(name: &str) -> String {
    std::env::var(name).unwrap()
}

fn scale() -> u64 {
    std::env::var("FEED_RECORDS").map_or(1, |scale| scale.parse().expect("FEED_RECORDS: a number"))
}

/// Takes the ring over and publishes until number `UNTIL`, then closes it. With `QUOTA`, it publishes so many and then slowly
/// until it is killed.
#[test]
#[ignore = "a child of another test"]
fn publish_until_killed() {
    if !as_child() {
        return;
    }
    let (until, quota): (u64, u64) = (var("UNTIL").parse().unwrap(), var("QUOTA").parse().unwrap());
    let options = RecordPublisher::options(NAME, RecordsFormat::encoded("test")).root(var("ROOT"));
    let slots = var("SLOT").parse().unwrap();
    let mut publisher = options.capacity(1 << 15).slot_size(slots).keep(true).create_records().unwrap();
    let (first, mut bytes) = (publisher.published(), Vec::new());
    while publisher.published() < until {
        let number = publisher.published();
        fill(number, &mut bytes);
        assert_eq!(publisher.publish(kind_of(number), &bytes), Ok(number));
        if quota > 0 && number - first >= quota {
            std::thread::sleep(Duration::from_micros(50));
        } else if number.is_multiple_of(256) {
            std::thread::yield_now();
        }
    }
    publisher.close().unwrap();
}

/// What a subscriber received.
#[derive(Debug, Default)]
struct Seen {
    received: u64,
    lost: u64,
    restarts: u64,
}

/// Receives until number `until`, and fails at a torn record or a wrong count.
fn receive(subscriber: &mut RecordSubscriber, until: u64, ended: &AtomicBool) -> Seen {
    let (mut seen, first) = (Seen::default(), subscriber.account().first);
    while subscriber.sequence() < until && !ended.load(Ordering::Relaxed) {
        let expected = first + seen.received + seen.lost;
        match subscriber.try_recv() {
            Ok(record) => {
                assert_eq!(record.number, expected, "a record twice, or passed over");
                assert!(is_whole(record.number, record.kind, record.bytes), "record {} is torn", record.number);
                seen.received += 1;
            }
            Err(TryRecvError::Lagged { missed }) => seen.lost += missed,
            Err(TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => seen.restarts += 1,
            Err(TryRecvError::Empty) => std::thread::yield_now(),
            Err(TryRecvError::PublisherDead | TryRecvError::Closed) => {
                subscriber.wait_for_publisher(Duration::from_millis(5));
            }
            Err(error) => panic!("{error:?}"),
        }
        let account = subscriber.account();
        assert_eq!((account.received, account.lost), (seen.received, seen.lost));
    }
    seen
}

fn run(kills: u64, records: u64, slot: usize) {
    let root = PrivateRoot::new();
    let (ended, quota) = (AtomicBool::new(false), records.checked_div(kills).unwrap_or(0));
    let publisher = || {
        let mut command = child("publish_until_killed");
        command.env("ROOT", root.as_ref()).env("UNTIL", records.to_string()).env("QUOTA", quota.to_string());
        command.env("SLOT", slot.to_string()).stdout(Stdio::null());
        feed_testing::Child::start(&mut command)
    };
    let open = |join| {
        let options = RecordSubscriber::options(NAME).root(&root).join(join);
        options.open_timeout(Duration::from_secs(60)).open_records()
    };
    let mut running = publisher();
    std::thread::scope(|threads| {
        let from_the_start = threads.spawn(|| receive(&mut open(Join::Oldest).unwrap(), records, &ended));
        let joins = threads.spawn(|| {
            let (mut joins, mut seen) = (0, 0);
            while !ended.load(Ordering::Relaxed) {
                let join = match joins % 3 {
                    0 => Join::Oldest,
                    1 => Join::Latest,
                    _ => Join::Sequence(seen),
                };
                match open(join) {
                    Ok(mut subscriber) => {
                        let until = (subscriber.sequence() + 200).min(records);
                        receive(&mut subscriber, until, &ended);
                        seen = subscriber.sequence();
                    }
                    Err(OpenError::Unfinished { .. } | OpenError::NotFound { .. }) => {}
                    Err(error) => panic!("{error:?}"),
                }
                joins += 1;
            }
            joins
        });
        let watch = open(Join::Latest).unwrap();
        for kill in 1..=kills {
            while watch.sequence() + watch.lag() < (kill * quota).min(records - 1) {
                std::thread::sleep(Duration::from_micros(200));
            }
            running.kill();
            running = publisher();
        }
        drop(watch);
        let seen = from_the_start.join();
        ended.store(true, Ordering::Relaxed);
        let joins = joins.join().unwrap();
        let seen = seen.unwrap();
        assert_eq!(seen.received + seen.lost, records, "every record is accounted for");
        assert!(kills == 0 || seen.restarts > 0);
        println!("slots of {slot}: {kills} kills, {joins} joins, {seen:?}, 0 torn");
    });
}

#[test]
fn records_between_processes_are_whole_and_all_accounted_for() {
    run(0, 100_000 * scale(), 64);
    run(0, 20_000 * scale(), 512);
}

#[test]
fn the_same_while_publishers_are_killed() {
    run(10 * scale().min(10), 100_000 * scale(), 64);
}
