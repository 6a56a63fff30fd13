//! Inspecting a ring of records beside a publisher at full speed, and after publishers that were killed: records are read whole,
//! and verifying finds nothing wrong.

use std::time::{Duration, Instant};

use feed_ring::RecordPublisher;
use feed_ring::inspect::{Life, Ring, Unread};
use feed_ring::records::RecordsFormat;
use feed_testing::{Child, PrivateRoot, as_child, child};

fn length_of(number: u64) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40) as usize % 700
}

/// Publishes without a pause until killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_at_full_speed() {
    if as_child() {
        let (root, capacity): (String, String) = (std::env::var("ROOT").unwrap(), std::env::var("CAPACITY").unwrap());
        let options = RecordPublisher::options("r", RecordsFormat::encoded("test")).root(root);
        let mut publisher = options.capacity(capacity.parse().unwrap()).create_records().unwrap();
        let longest = publisher.longest();
        println!("\npublished");
        let mut bytes = [0; 700];
        loop {
            let number = publisher.published();
            let length = length_of(number).min(longest);
            bytes[..length].fill(number as u8);
            publisher.publish(number as u8, &bytes[..length]).unwrap();
        }
    }
}

fn start(root: &PrivateRoot, capacity: usize) -> Child {
    let mut command = child("publish_at_full_speed");
    let mut publisher = Child::start(command.env("ROOT", root.path()).env("CAPACITY", capacity.to_string()));
    publisher.wait_for("published");
    publisher
}

/// Every record that is read must be whole.
fn expect_whole(number: u64, longest: usize, kind: u8, bytes: &[u8]) {
    assert_eq!((kind, bytes.len()), (number as u8, length_of(number).min(longest)), "record {number}");
    assert!(bytes.iter().all(|byte| *byte == number as u8), "record {number} is torn");
}

#[test]
fn a_publisher_at_full_speed_is_read_whole_and_verified() {
    for (capacity, verifications) in [(4, 1000), (16, 1000), (64, 1000), (1024, 300), (1 << 14, 30)] {
        let root = PrivateRoot::new();
        let _publisher = start(&root, capacity);
        let ring = Ring::open(&root, "r").unwrap();
        let longest = ring.facts().payload_size;
        let (mut bytes, mut read) = (Vec::new(), 0);
        let begun = Instant::now();
        while read < 3_000 && begun.elapsed() < Duration::from_secs(10) {
            for number in ring.held().rev().take(1).chain([ring.held().start, ring.published()]) {
                match ring.read_record(number, &mut bytes) {
                    Ok(kind) => {
                        expect_whole(number, longest, kind, &bytes);
                        read += 1;
                    }
                    Err(why) => {
                        let expected = matches!(why, Unread::Overwritten | Unread::NotYet | Unread::Overtaken { .. });
                        assert!(expected, "{why:?}");
                    }
                }
            }
        }
        assert!(read > 0, "no record was read before it was overwritten");
        for _ in 0..verifications {
            let verdict = ring.verify();
            assert!(verdict.is_fine(), "{capacity}: {verdict:?}");
        }
    }
}

#[test]
fn a_publisher_that_is_killed_leaves_a_ring_that_is_fine() {
    let root = PrivateRoot::new();
    for kill in 0..40 {
        let mut publisher = start(&root, 256);
        std::thread::sleep(Duration::from_micros(kill * 50));
        publisher.kill();
        let ring = Ring::open(&root, "r").unwrap();
        assert_eq!((ring.publisher(), ring.epoch()), (Life::Dead, kill + 1));
        assert!(ring.verify().is_fine(), "{:?}", ring.verify());
        let (mut bytes, longest) = (Vec::new(), ring.facts().payload_size);
        for number in ring.held() {
            let kind = ring.read_record(number, &mut bytes).unwrap();
            expect_whole(number, longest, kind, &bytes);
        }
    }
}
