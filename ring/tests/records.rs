//! Rings of records through the interface: lengths, kinds, joins, losses, ends, takeovers, on disk, sealed and within a process.

use std::time::Duration;

use feed_ring::records::{RecordsFormat, TooLong};
use feed_ring::{
    CreateError, InProcessRecords, Join, OpenError, Publisher, RecordPublisher, RecordSubscriber, RecvError,
    Subscriber, TryRecvError, WaitStrategy, in_process_records,
};
use feed_testing::PrivateRoot;

/// The bytes of record `number`, of `length` bytes.
fn bytes_of(number: u64, length: usize) -> Vec<u8> {
    (0..length).map(|i| (number as usize * 31 + i * 7 + length) as u8).collect()
}

fn publish(publisher: &mut RecordPublisher, lengths: impl IntoIterator<Item = usize>) {
    for length in lengths {
        let number = publisher.published();
        assert_eq!(publisher.publish(length as u8, &bytes_of(number, length)), Ok(number));
    }
}

/// Receives one record, which must have this number and length.
fn expect(subscriber: &mut RecordSubscriber, number: u64, length: usize) {
    let record = subscriber.try_recv().unwrap_or_else(|error| panic!("record {number}: {error:?}"));
    assert_eq!((record.number, record.kind, record.bytes.len()), (number, length as u8, length));
    assert_eq!(record.bytes, bytes_of(number, length), "record {number}");
    let account = subscriber.account();
    assert_eq!(account.first + account.received + account.lost + account.skipped, account.sequence);
}

#[test]
fn records_of_every_length_come_back() {
    for slot in [64, 128, 256, 1024, 4096] {
        let (mut publisher, ring) = InProcessRecords::with_slots_of(slot, 64).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        let longest = publisher.longest();
        assert!(longest > 15 * (slot - 8) && longest < 16 * slot, "{slot}: {longest}");
        let lengths = (0..=longest.min(700)).chain(longest - 20..=longest);
        for (number, length) in lengths.enumerate() {
            publish(&mut publisher, [length]);
            expect(&mut subscriber, number as u64, length);
        }
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn a_record_that_is_too_long_is_refused_and_nothing_is_published() {
    let (mut publisher, ring) = in_process_records(8).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    assert_eq!(publisher.longest(), 48 + 56);
    assert_eq!(publisher.publish(1, &[0; 105]), Err(TooLong { found: 105, most: 104 }));
    assert_eq!(publisher.publish_with(1, 105, |_| panic!("it was called")), Err(TooLong { found: 105, most: 104 }));
    assert_eq!((publisher.published(), subscriber.try_recv().err()), (0, Some(TryRecvError::Empty)));
    publish(&mut publisher, [104]);
    expect(&mut subscriber, 0, 104);
    let text = TooLong { found: 105, most: 104 }.to_string();
    assert!(text.contains("105 bytes") && text.contains("at most 104"), "{text}");
}

#[test]
fn a_record_is_filled_in_place_of_the_callers_buffer() {
    let (mut publisher, ring) = in_process_records(64).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    publisher.publish_with(3, 100, |bytes| bytes[99] = 7).unwrap();
    publisher.publish_with(4, 2, |bytes| assert_eq!(bytes, [0; 2], "zeroed, though it was used before")).unwrap();
    let record = subscriber.try_recv().unwrap();
    assert_eq!((record.kind, record.bytes.len(), record.bytes[99], record.bytes[0]), (3, 100, 7, 0));
    assert_eq!(subscriber.try_recv().unwrap().bytes, [0; 2]);
}

#[test]
fn losses_are_counted_in_records() {
    let (mut publisher, ring) = in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    publish(&mut publisher, [48, 100, 150, 200, 0, 60, 160, 210]);
    // They take 1, 2, 3, 4, 1, 2, 3 and 4 slots, so the next begins at 20 and positions from 5 on are left. An eighth of the ring
    // behind 5, at 6, begins the fourth.
    let missed = match subscriber.try_recv() {
        Err(TryRecvError::Lagged { missed }) => missed,
        other => panic!("{other:?}"),
    };
    assert_eq!((missed, subscriber.sequence()), (3, 3));
    for (number, length) in [(3, 200), (4, 0), (5, 60), (6, 160), (7, 210)] {
        expect(&mut subscriber, number, length);
    }
    assert_eq!((subscriber.account().lost, subscriber.lag()), (3, 0));
}

#[test]
fn every_way_to_join_finds_its_record() {
    let (mut publisher, ring) = in_process_records(64).unwrap();
    let lengths: Vec<usize> = (0..100).map(|i| i * 37 % 400).collect();
    let mut next = ring.subscribe(Join::Latest);
    publish(&mut publisher, lengths.iter().copied());
    assert!(matches!(next.try_recv(), Err(TryRecvError::Lagged { .. })));

    let mut oldest = ring.subscribe(Join::Oldest);
    let first = oldest.sequence();
    assert!((80..97).contains(&first), "{first}");
    for number in first..100 {
        let mut at = ring.subscribe(Join::Sequence(number));
        assert_eq!((at.sequence(), at.account().first, at.lag()), (number, number, 100 - number));
        expect(&mut at, number, lengths[number as usize]);
        expect(&mut oldest, number, lengths[number as usize]);
    }
    // Overwritten: counted as lost.
    let mut gone = ring.subscribe(Join::Sequence(3));
    let Err(TryRecvError::Lagged { missed }) = gone.try_recv() else { panic!("it is overwritten") };
    assert_eq!(gone.sequence(), 3 + missed);
    expect(&mut gone, 3 + missed, lengths[3 + missed as usize]);
    // Not published yet: waited for, whatever comes before.
    let (mut latest, mut later) = (ring.subscribe(Join::Latest), ring.subscribe(Join::Sequence(103)));
    for length in [70, 0, 300, 55, 9] {
        assert_eq!(later.try_recv().err(), Some(TryRecvError::Empty));
        let number = publisher.published();
        publish(&mut publisher, [length]);
        expect(&mut latest, number, length);
        if number == 103 {
            break;
        }
    }
    expect(&mut later, 103, 55);
    assert_eq!(later.account().received, 1);
    publish(&mut publisher, [1, 2, 3]);
    let newest = latest.latest().unwrap();
    assert_eq!((newest.number, newest.bytes.len()), (106, 3));
    assert_eq!(latest.account().skipped, 2);
    assert_eq!(latest.latest().err(), Some(TryRecvError::Empty));
}

#[test]
fn one_that_waits_for_a_later_record_is_woken_for_it() {
    let (mut publisher, ring) = in_process_records(64).unwrap();
    let mut subscriber = ring.subscribe(Join::Sequence(40));
    std::thread::scope(|threads| {
        let waits = threads.spawn(move || subscriber.recv().map(|record| (record.number, record.bytes.len())));
        for number in 0..=40 {
            std::thread::sleep(Duration::from_millis(1));
            publish(&mut publisher, [number * 3]);
        }
        assert_eq!(waits.join().unwrap(), Ok((40, 120)));
    });
}

#[test]
fn a_batch_ends_at_an_event_and_the_next_call_returns_it() {
    let (mut publisher, ring) = in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let lengths = |subscriber: &mut RecordSubscriber, most| {
        let mut lengths = Vec::new();
        subscriber.recv_batch(most, |record| lengths.push(record.bytes.len())).map(|count| {
            assert_eq!(count, lengths.len());
            lengths
        })
    };
    publish(&mut publisher, [1, 2, 100, 4]);
    assert_eq!(lengths(&mut subscriber, 2), Ok(vec![1, 2]));
    assert_eq!(lengths(&mut subscriber, 9), Ok(vec![100, 4]));
    assert_eq!(lengths(&mut subscriber, 9), Err(TryRecvError::Empty));
    publish(&mut publisher, [5]);
    publisher.close().unwrap();
    let mut publisher = ring.take_over().unwrap();
    publish(&mut publisher, [6]);
    assert_eq!(lengths(&mut subscriber, 9), Ok(vec![5]));
    assert_eq!(lengths(&mut subscriber, 9), Err(TryRecvError::Restarted { epoch: 2, sequence: 5 }));
    assert_eq!(lengths(&mut subscriber, 9), Ok(vec![6]));
    let mut bytes = vec![9; 3];
    publish(&mut publisher, [70, 7]);
    assert_eq!(subscriber.try_recv_into(&mut bytes), Ok((6, 70)));
    assert_eq!(bytes, bytes_of(6, 70));
    assert_eq!(subscriber.try_recv_into(&mut bytes), Ok((7, 7)));
    assert_eq!(bytes, bytes_of(7, 7));
}

#[test]
fn a_takeover_goes_on_with_the_next_number() {
    let (mut publisher, ring) = in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let (mut number, mut epoch) = (0, 1);
    for length in (0..200).map(|i| i * 61 % 200) {
        publish(&mut publisher, [length, 9]);
        let received = subscriber.try_recv_numbered().unwrap();
        assert_eq!((received.number, received.epoch, received.message.number), (number, epoch, number));
        assert_eq!(received.message.bytes, bytes_of(number, length));
        // The header names the next epoch already when this one is received.
        if length % 2 == 0 {
            expect(&mut subscriber, number + 1, 9);
        }
        publisher.close().unwrap();
        if length % 2 == 0 {
            assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
        }
        publisher = ring.take_over().unwrap();
        if length % 2 != 0 {
            let received = match length % 4 {
                1 => subscriber.recv_numbered().unwrap(),
                _ => subscriber.recv_timeout_numbered(Duration::MAX).unwrap(),
            };
            assert_eq!((received.number, received.epoch, received.message.kind), (number + 1, epoch, 9));
        }
        (number, epoch) = (number + 2, epoch + 1);
        assert_eq!((publisher.published(), publisher.epoch()), (number, epoch));
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch, sequence: number }));
    }
}

#[test]
fn a_sleeping_subscriber_is_woken_by_a_record_and_by_the_end() {
    let (mut publisher, ring) = in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Block);
    std::thread::scope(|threads| {
        threads.spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            publish(&mut publisher, [150]);
            std::thread::sleep(Duration::from_millis(20));
            publisher.close().unwrap();
        });
        assert_eq!(subscriber.recv().unwrap().bytes.len(), 150);
        assert_eq!(subscriber.recv(), Err(RecvError::Closed));
    });
}

#[test]
fn rings_of_records_are_on_disk() {
    let root = PrivateRoot::new();
    let dbn = || RecordsFormat::encoded("dbn");
    let make = |format| RecordPublisher::options("r", format).root(&root).capacity(64).keep(true).create_records();
    let mut publisher = make(dbn()).unwrap();
    let mut subscriber = RecordSubscriber::options("r").root(&root).join(Join::Oldest).open_records_of(&dbn()).unwrap();
    assert_eq!(subscriber.format(), Some(&dbn()));
    assert_eq!((publisher.subscribers().unwrap(), subscriber.without_entry()), (1, None));
    publish(&mut publisher, [40, 400]);
    expect(&mut subscriber, 0, 40);
    publisher.close().unwrap();
    let mut publisher = make(dbn()).unwrap();
    assert_eq!((publisher.epoch(), publisher.published()), (2, 2), "it was taken over");
    publish(&mut publisher, [0]);
    expect(&mut subscriber, 1, 400);
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 2 }));
    expect(&mut subscriber, 2, 0);

    // Another format is another ring, which goes on with the number.
    drop(publisher);
    let mut publisher = make(RecordsFormat::encoded("itch")).unwrap();
    assert_eq!((publisher.epoch(), publisher.published()), (1, 3));
    publish(&mut publisher, [77]);
    let mut next = RecordSubscriber::options("r").root(&root).join(Join::Oldest).open_records().unwrap();
    expect(&mut next, 3, 77);
    assert_eq!(next.format().map(RecordsFormat::encoding), Some("itch"));
    let mut early = RecordSubscriber::options("r").root(&root).join(Join::Sequence(1)).open_records().unwrap();
    assert_eq!(early.try_recv(), Err(TryRecvError::Lagged { missed: 2 }), "this ring never had them");
    expect(&mut early, 3, 77);

    let error = RecordSubscriber::options("r").root(&root).open_records_of(&dbn()).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, OpenError::Payload { .. }) && text.contains("itch") && text.contains("dbn"), "{text}");
}

#[test]
fn what_is_no_ring_of_records_is_refused() {
    let root = PrivateRoot::new();
    let _messages = Publisher::<u64>::options("m").root(&root).capacity(4).create().unwrap();
    let _records =
        RecordPublisher::options("r", RecordsFormat::default()).root(&root).capacity(4).create_records().unwrap();
    let text = RecordSubscriber::options("m").root(&root).open_records().unwrap_err().to_string();
    assert!(text.contains("a ring of messages") && text.contains("a ring of records"), "{text}");
    let text = Subscriber::<u64>::options("r").root(&root).open().unwrap_err().to_string();
    assert!(text.contains("a ring of messages") && text.contains("a ring of records"), "{text}");
    let slots = |bytes| {
        let options = RecordPublisher::options("s", RecordsFormat::default()).root(&root).slot_size(bytes);
        options.capacity(4).create_records().map(drop)
    };
    for (found, nearest) in [(0, 64), (63, 64), (96, 128), (8192, 4096)] {
        let Err(CreateError::SlotSize { found: f, nearest: n }) = slots(found) else { panic!("slots of {found}") };
        assert_eq!((f, n), (found, nearest));
    }
    slots(4096).unwrap();
    assert!(matches!(in_process_records(3), Err(CreateError::Capacity { found: 3, nearest: 4 })));
}

#[test]
fn rings_of_records_are_sealed() {
    let root = PrivateRoot::new();
    let path = root.as_ref().join("r.sock");
    let options = RecordPublisher::options("r", RecordsFormat::encoded("text")).capacity(64).serve(&path);
    let mut publisher = options.create_records().unwrap();
    let mut subscriber = RecordSubscriber::connect(&path).join(Join::Oldest).open_records().unwrap();
    publish(&mut publisher, [10, 300]);
    expect(&mut subscriber, 0, 10);
    expect(&mut subscriber, 1, 300);
    publisher.close().unwrap();
    assert_eq!(subscriber.recv(), Err(RecvError::Closed));
}

#[test]
fn a_descriptor_tells_of_a_record() {
    let (mut publisher, ring) = in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    let notifier = subscriber.notifier().unwrap();
    notifier.arm_records(&subscriber);
    publish(&mut publisher, [100]);
    let mut polled = [rustix::event::PollFd::new(&notifier, rustix::event::PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut polled, None), Ok(1));
    expect(&mut subscriber, 0, 100);
}
