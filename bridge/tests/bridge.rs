//! The far ring is the near ring: numbers, epochs, losses and ends are the same, whatever is lost, cut or restarted.

mod support;

use std::sync::atomic::Ordering::Relaxed;
use std::thread::scope;
use std::time::Duration;

use feed_program::bridge::{ReceiveStatus, SendStatus, receiving_name, sending_name};
use feed_ring::records::RecordsFormat;
use feed_ring::{
    CellReader, Join, KeyedPublisher, KeyedSubscriber, Payload, Publisher, RecordPublisher, RecordSubscriber,
    Subscriber, TryRecvError, inspect,
};
use support::{Sites, conserved, until};

const CAPACITY: usize = 64;

fn publisher(sites: &Sites) -> Publisher<u64> {
    Publisher::options("r").root(&sites.near).capacity(CAPACITY).create().unwrap()
}

fn publish(publisher: &mut Publisher<u64>, count: u64) {
    for _ in 0..count {
        let number = publisher.published();
        publisher.publish(&(number * 3));
    }
}

/// Publishes slowly enough that no sender loses any.
fn publish_slowly(publisher: &mut Publisher<u64>, sites: &Sites, count: u64) {
    for _ in 0..count {
        publish(publisher, 1);
        if publisher.published().is_multiple_of(CAPACITY as u64 / 4) {
            until("sent", || sent(sites).next == publisher.published());
        }
    }
}

/// What the sender tells. All zero before it does.
fn sent(sites: &Sites) -> SendStatus {
    let cell = CellReader::<SendStatus>::options(&sending_name("r")).root(&sites.near).open_cell();
    cell.ok().and_then(|mut cell| cell.get().ok().flatten()).map_or_else(SendStatus::default, |stored| stored.value)
}

/// What the receiver tells. All zero before it does.
fn received(sites: &Sites) -> ReceiveStatus {
    let cell = CellReader::<ReceiveStatus>::options(&receiving_name("r")).root(&sites.far).open_cell();
    cell.ok().and_then(|mut cell| cell.get().ok().flatten()).map_or_else(ReceiveStatus::default, |stored| stored.value)
}

fn join(sites: &Sites) -> Subscriber<u64> {
    let mut opened = None;
    until("the far ring is there", || {
        opened = Subscriber::options("r").root(&sites.far).join(Join::Oldest).open().ok();
        opened.is_some()
    });
    opened.unwrap()
}

/// Receives up to `until`, and checks numbers and contents. Returns the events, each with the number before which it was told.
#[track_caller]
fn follow(subscriber: &mut Subscriber<u64>, until: u64) -> Vec<(u64, TryRecvError)> {
    let mut events = Vec::new();
    while subscriber.sequence() < until {
        match subscriber.recv_timeout(Duration::from_secs(60)) {
            Ok(message) => assert_eq!(message, (subscriber.sequence() - 1) * 3),
            Err(
                error @ (TryRecvError::Empty
                | TryRecvError::Corrupt(_)
                | TryRecvError::Closed
                | TryRecvError::Superseded),
            ) => {
                panic!("{error} at {} of {until}: {events:?}", subscriber.sequence())
            }
            Err(TryRecvError::PublisherDead) => assert!(subscriber.wait_for_publisher(Duration::from_secs(60))),
            Err(error) => events.push((subscriber.sequence(), error)),
        }
    }
    events
}

#[test]
fn numbers_and_messages_are_the_same() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        publish(&mut near, 10);
        let mut options = sites.receive_options();
        options.far.capacity = None;
        let (sender, receiver) = (sites.send(scope), sites.receive_with(scope, options));
        let mut far = join(&sites);
        assert_eq!((far.first(), far.epoch()), (0, 1), "it begins with what the near ring still has");
        for number in 10..510 {
            publish(&mut near, 1);
            assert_eq!(follow(&mut far, number + 1), []);
        }
        let (sent, received) = (sender.stop(), receiver.stop());
        assert_eq!((sent.next, sent.lost_messages), (510, 0));
        assert_eq!((received.next, received.published_messages, received.repeated_messages), (510, 510, 0));
        conserved(&received);
        let there = inspect::Ring::open(&sites.far, "r").unwrap();
        let here = inspect::Ring::open(&sites.near, "r").unwrap();
        assert_eq!(there.facts().source, Some(here.facts().nonce));
        assert_eq!((there.facts().capacity, &there.facts().schema), (here.facts().capacity, &here.facts().schema));
        assert!(there.verify().is_fine(), "{:?}", there.verify());
    });
}

#[test]
fn what_is_lost_on_the_way_is_asked_for() {
    for answers in [0, 1, 2] {
        let sites = Sites::new();
        scope(|scope| {
            sites.network.link.loses.store(3, Relaxed);
            sites.network.link.repeats.store(2, Relaxed);
            sites.network.link.answers.store(answers, Relaxed);
            let mut near = publisher(&sites);
            let (sender, receiver) = (sites.send(scope), sites.receive(scope));
            publish(&mut near, 1);
            let mut far = join(&sites);
            for _ in 0..50 {
                publish(&mut near, 7);
                until("all came", || received(&sites).next == near.published());
            }
            assert_eq!(follow(&mut far, 351), [], "answers end after {answers}");
            drop(sender);
            let counted = receiver.stop();
            assert_eq!((counted.published_messages, counted.lost_wire), (351, 0));
            assert!(counted.refilled_messages > 0, "nothing was lost: this test shows nothing");
            conserved(&counted);
        });
    }
}

#[test]
fn a_cut_that_is_longer_than_the_ring_loses_exactly_what_left_it() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        sites.network.link.cut.store(true, Relaxed);
        publish_slowly(&mut near, &sites, 200);
        until("sent", || sent(&sites).next == 210);
        sites.network.link.cut.store(false, Relaxed);
        let events = follow(&mut far, 210);
        let missed = 200 - (CAPACITY as u64 - 1);
        assert_eq!(events, [(10 + missed, TryRecvError::Lagged { missed })]);
        let (sent, counted) = (sender.stop(), receiver.stop());
        assert_eq!(sent.lost_messages, 0);
        assert_eq!((counted.lost_near, counted.lost_wire, counted.lost_far), (0, missed, 0));
        conserved(&counted);
    });
}

#[test]
fn a_sender_that_was_away_loses_at_the_near_end() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let receiver = sites.receive(scope);
        let sender = sites.send(scope);
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        sender.stop();
        publish(&mut near, 20);
        let sender = sites.send(scope);
        assert_eq!(follow(&mut far, 30), [], "the near ring still had them");
        sender.stop();
        publish(&mut near, 100);
        let sender = sites.send(scope);
        let missed = 100 - (CAPACITY as u64 - 1);
        assert_eq!(follow(&mut far, 130), [(30 + missed, TryRecvError::Lagged { missed })]);
        drop(sender);
        let counted = receiver.stop();
        assert_eq!((counted.lost_near, counted.lost_wire, counted.lost_far, counted.senders), (missed, 0, 0, 3));
        conserved(&counted);
    });
}

#[test]
fn a_receiver_that_was_away_loses_at_the_far_end() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let _sender = sites.send(scope);
        let receiver = sites.receive(scope);
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        receiver.stop();
        publish(&mut near, 20);
        let receiver = sites.receive(scope);
        assert_eq!(follow(&mut far, 30), [], "taken over, and nobody restarted");
        receiver.stop();
        publish_slowly(&mut near, &sites, 100);
        let receiver = sites.receive(scope);
        let missed = 100 - (CAPACITY as u64 - 1);
        assert_eq!(follow(&mut far, 130), [(30 + missed, TryRecvError::Lagged { missed })]);
        let counted = receiver.stop();
        assert_eq!((counted.first, counted.lost_near, counted.lost_wire, counted.lost_far), (30, 0, 0, missed));
        conserved(&counted);
    });
}

#[test]
fn a_sender_that_is_lapped_says_so() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let _receiver = sites.receive(scope);
        let sender = sites.send(scope);
        publish(&mut near, 1);
        let mut far = join(&sites);
        let mut events = Vec::new();
        // At full speed, until it loses.
        while sent(&sites).lost_messages == 0 {
            publish(&mut near, 5 * CAPACITY as u64);
        }
        publish(&mut near, 1);
        until("all came", || received(&sites).next == near.published());
        events.extend(follow(&mut far, near.published()));
        let (sent, counted) = (sender.stop(), received(&sites));
        assert_eq!(counted.lost_near, sent.lost_messages);
        assert_eq!((counted.lost_wire, counted.lost_far), (0, 0));
        conserved(&counted);
        assert!(events.iter().all(|(_, event)| matches!(event, TryRecvError::Lagged { .. })), "{events:?}");
    });
}

#[test]
fn restarts_are_told_where_they_were() {
    for cut in [false, true] {
        let sites = Sites::new();
        scope(|scope| {
            let mut near = publisher(&sites);
            let (_sender, _receiver) = (sites.send(scope), sites.receive(scope));
            publish(&mut near, 10);
            let mut far = join(&sites);
            assert_eq!(follow(&mut far, 10), []);
            sites.network.link.cut.store(cut, Relaxed);
            publish(&mut near, 5);
            near.leave();
            let mut near = publisher(&sites);
            publish(&mut near, 5);
            near.leave();
            let mut near = publisher(&sites);
            publish(&mut near, 5);
            until("sent", || sent(&sites).next == 25);
            sites.network.link.cut.store(false, Relaxed);
            let restarted = |epoch, sequence| (sequence, TryRecvError::Restarted { epoch, sequence });
            assert_eq!(follow(&mut far, 25), [restarted(2, 15), restarted(3, 20)], "cut: {cut}");
            assert_eq!(far.lost(), 0);
        });
    }
}

#[test]
fn a_restart_among_lost_messages_is_told_where_it_was() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        sites.network.link.cut.store(true, Relaxed);
        publish(&mut near, 5);
        near.leave();
        let mut near = publisher(&sites);
        publish_slowly(&mut near, &sites, 200);
        until("sent", || sent(&sites).next == 215);
        sites.network.link.cut.store(false, Relaxed);
        let events = follow(&mut far, 215);
        let restarted = TryRecvError::Restarted { epoch: 2, sequence: 15 };
        assert_eq!(events.iter().filter(|(_, event)| *event == restarted).count(), 1, "{events:?}");
        let counted = receiver.stop();
        assert_eq!(far.lost(), 205 - (CAPACITY as u64 - 1));
        assert_eq!(counted.lost_wire, far.lost());
        conserved(&counted);
    });
}

#[test]
fn more_restarts_than_a_ring_knows_begin_a_fresh_one() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        sites.network.link.cut.store(true, Relaxed);
        for _ in 0..12 {
            near.leave();
            near = publisher(&sites);
        }
        publish(&mut near, 5);
        until("sent", || sent(&sites).next == 15);
        sites.network.link.cut.store(false, Relaxed);
        until("superseded", || far.try_recv() == Err(TryRecvError::Superseded));
        let mut far = join(&sites);
        assert_eq!((far.first(), far.epoch()), (10, 13));
        assert_eq!(follow(&mut far, 15), []);
        let counted = receiver.stop();
        assert_eq!((counted.fresh_rings, counted.lost_wire), (1, 0));
        conserved(&counted);
    });
}

#[test]
fn a_ring_that_is_closed_is_closed_there() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let once = |mut options: feed_bridge::sender::SendOptions| {
            options.once = true;
            options
        };
        let sender = sites.send_with(scope, once(sites.send_options()));
        let mut options = sites.receive_options();
        options.once = true;
        let receiver = sites.receive_with(scope, options);
        publish(&mut near, 10);
        let mut far = join(&sites);
        sites.network.link.loses.store(2, Relaxed);
        publish(&mut near, 10);
        near.close().unwrap();
        assert_eq!(follow(&mut far, 20), [], "the end is refilled from a ring that is gone");
        until("closed", || far.try_recv() == Err(TryRecvError::Closed));
        assert_eq!(sender.ended().unwrap().next, 20);
        assert_eq!(receiver.ended().unwrap().next, 20);
        assert!(inspect::Ring::open(&sites.far, "r").is_err(), "removed, as the near one was");
    });
}

#[test]
fn another_near_ring_supersedes_the_far_one() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 20);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 20), []);
        // The machine was started anew: numbers begin at 0 again.
        drop(near);
        let mut near = publisher(&sites);
        assert_eq!(near.published(), 0);
        publish(&mut near, 30);
        until("told", || matches!(far.try_recv(), Err(TryRecvError::Superseded | TryRecvError::Closed)));
        let mut far = join(&sites);
        assert_eq!(far.first(), 0);
        assert_eq!(follow(&mut far, 30), []);
        conserved(&receiver.stop());
        near.close().unwrap();
    });
}

#[test]
fn a_near_ring_that_is_superseded_is_read_to_its_end() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, _receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 20);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 20), []);
        sites.network.link.cut.store(true, Relaxed);
        publish(&mut near, 10);
        near.leave();
        let mut near = Publisher::options("r").root(&sites.near).capacity(CAPACITY).fresh(true).create().unwrap();
        assert_eq!(near.published(), 30);
        publish(&mut near, 10);
        until("sent", || sent(&sites).next == 40);
        sites.network.link.cut.store(false, Relaxed);
        assert_eq!(follow(&mut far, 30), [], "the end of the ring before, although another has its name");
        until("superseded", || far.try_recv() == Err(TryRecvError::Superseded));
        let mut far = join(&sites);
        assert_eq!((far.first(), far.epoch()), (30, 1));
        assert_eq!(follow(&mut far, 40), []);
    });
}

#[test]
fn nobody_else_sends_or_receives_the_same_ring() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, _receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 3);
        join(&sites);
        let second = sites.send(scope).ended().unwrap_err();
        assert!(format!("{second:#}").contains("already has a"), "{second:#}");
        let second = sites.receive(scope).ended().unwrap_err();
        assert!(format!("{second:#}").contains("already has a"), "{second:#}");
        // The same from another machine.
        let elsewhere = feed_testing::PrivateRoot::new();
        let mut options = sites.send_options();
        options.root = elsewhere.path().to_owned();
        let second = sites.send_with(scope, options).ended().unwrap_err();
        assert!(second.to_string().contains("another feed-bridge"), "{second:#}");
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Other {
    price: i64,
}

#[test]
fn a_foreign_schema_is_refused_and_nothing_is_published() {
    let sites = Sites::new();
    scope(|scope| {
        let there = Publisher::<Other>::options("r").root(&sites.far).capacity(8).create().unwrap();
        there.leave();
        let mut near = publisher(&sites);
        publish(&mut near, 3);
        let _sender = sites.send(scope);
        let refused = format!("{:#}", sites.receive(scope).ended().unwrap_err());
        assert!(
            refused.contains("carries Other") && refused.contains("has u64") && refused.contains("--replace"),
            "{refused}"
        );
        let there = inspect::Ring::open(&sites.far, "r").unwrap();
        assert_eq!((there.published(), there.facts().source), (0, None));
        let mut options = sites.receive_options();
        options.far.replace = true;
        let _receiver = sites.receive_with(scope, options);
        until("replaced", || inspect::Ring::open(&sites.far, "r").is_ok_and(|ring| ring.published() == 3));
    });
}

#[test]
fn garbage_is_counted_and_changes_nothing() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        for garbage in [&b""[..], b"FRB", b"FRB\x02 of another version", &[0xff; 300]] {
            sites.network.put("test/r/frames", garbage);
        }
        publish(&mut near, 10);
        assert_eq!(follow(&mut far, 20), []);
        let counted = receiver.stop();
        assert_eq!((counted.refused_frames, counted.published_messages), (4, 20));
    });
}

/// Whatever happens in whatever order: no message twice, none in another's place, and every one accounted for.
#[test]
fn whatever_happens_every_message_is_accounted_for() {
    for seed in 0..8u64 {
        let sites = Sites::new();
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut random = move |below: u64| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        scope(|scope| {
            let mut near = Some(publisher(&sites));
            let (mut sender, mut receiver) = (Some(sites.send(scope)), Some(sites.receive(scope)));
            publish(near.as_mut().unwrap(), 1);
            let mut far = join(&sites);
            for _ in 0..40 {
                match random(8) {
                    0 => {
                        near.take().unwrap().leave();
                        near = Some(publisher(&sites));
                    }
                    1 => {
                        sender.take().unwrap().stop();
                        sender = Some(sites.send(scope));
                    }
                    2 => {
                        conserved(&receiver.take().unwrap().stop());
                        receiver = Some(sites.receive(scope));
                    }
                    3 => sites.network.link.cut.store(random(2) == 0, Relaxed),
                    4 => sites.network.link.loses.store(random(4), Relaxed),
                    5 => sites.network.link.answers.store(random(3), Relaxed),
                    _ => {}
                }
                publish(near.as_mut().unwrap(), random(2 * CAPACITY as u64));
            }
            sites.network.link.cut.store(false, Relaxed);
            sites.network.link.loses.store(0, Relaxed);
            sites.network.link.answers.store(0, Relaxed);
            publish(near.as_mut().unwrap(), 1);
            let end = near.as_ref().unwrap().published();
            until("all came", || received(&sites).next == end);
            conserved(&received(&sites));
            // A fresh ring takes the place of one that cannot tell so many restarts.
            let mut rings = 0;
            while far.sequence() < end {
                match far.recv_timeout(Duration::from_secs(60)) {
                    Ok(message) => assert_eq!(message, (far.sequence() - 1) * 3, "seed {seed}"),
                    Err(TryRecvError::Superseded) => {
                        let next = far.sequence();
                        far = join(&sites);
                        assert!(far.first() >= next, "seed {seed}: {} again", far.first());
                        rings += 1;
                    }
                    Err(error @ (TryRecvError::Empty | TryRecvError::Corrupt(_) | TryRecvError::Closed)) => {
                        panic!("seed {seed}: {error}")
                    }
                    Err(TryRecvError::PublisherDead) => assert!(far.wait_for_publisher(Duration::from_secs(60))),
                    Err(_) => {}
                }
                assert_eq!(far.first() + far.received() + far.lost() + far.skipped(), far.sequence());
            }
            println!("seed {seed}: {end} messages, {rings} fresh rings, {:?}", received(&sites));
        });
    }
}

/// The records of a ring, each a function of its number.
fn record(number: u64) -> (u8, Vec<u8>) {
    ((number % 200) as u8, number.to_le_bytes().repeat(number as usize * 7 % 40))
}

#[test]
fn records_of_any_length_are_carried() {
    let sites = Sites::new();
    scope(|scope| {
        let create = || {
            let options = RecordPublisher::options("r", RecordsFormat::encoded("test")).root(&sites.near);
            options.capacity(256).create_records().unwrap()
        };
        let mut near = create();
        let publish = |near: &mut RecordPublisher, count: u64| {
            for _ in 0..count {
                let (kind, bytes) = record(near.published());
                near.publish(kind, &bytes).unwrap();
            }
        };
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 5);
        let mut far = None;
        until("the far ring is there", || {
            far = RecordSubscriber::options("r").root(&sites.far).join(Join::Oldest).open_records().ok();
            far.is_some()
        });
        let mut far = far.unwrap();
        let follow = |far: &mut RecordSubscriber, until: u64| {
            let mut events = Vec::new();
            while far.sequence() < until {
                match far.recv_timeout(Duration::from_secs(60)) {
                    Ok(found) => {
                        assert_eq!((found.kind, found.bytes), (record(found.number).0, &*record(found.number).1))
                    }
                    Err(error @ (TryRecvError::Empty | TryRecvError::Corrupt(_))) => panic!("{error}: {events:?}"),
                    Err(event) => events.push(event),
                }
            }
            events
        };
        sites.network.link.loses.store(4, Relaxed);
        for _ in 0..60 {
            publish(&mut near, 3);
            until("all came", || received(&sites).next == near.published());
        }
        assert_eq!(follow(&mut far, 185), []);
        assert!(received(&sites).refilled_messages > 0);
        sites.network.link.loses.store(0, Relaxed);
        sites.network.link.cut.store(true, Relaxed);
        publish(&mut near, 5);
        near.leave();
        near = create();
        for _ in 0..40 {
            publish(&mut near, 10);
            until("sent", || sent(&sites).next == near.published());
        }
        sites.network.link.cut.store(false, Relaxed);
        let end = near.published();
        let events = follow(&mut far, end);
        assert!(events.contains(&TryRecvError::Restarted { epoch: 2, sequence: 190 }), "{events:?}");
        until("all is told", || received(&sites).next == end);
        let counted = receiver.stop();
        assert!(far.account().lost > 0);
        assert_eq!((counted.lost_wire, counted.lost_near, counted.lost_far), (far.account().lost, 0, 0));
        conserved(&counted);
    });
}

#[test]
fn a_frame_that_is_damaged_is_refused() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        let damage = |change: fn(&mut Vec<u8>)| {
            let mut frame = sites.network.last_frame();
            change(&mut frame);
            sites.network.put("test/r/frames", &frame);
        };
        // A message of another size, where the next would come; then records.
        damage(|frame| {
            frame[64..68].copy_from_slice(&1u32.to_le_bytes());
            frame[68..72].copy_from_slice(&4u32.to_le_bytes());
            frame.truncate(72);
            frame.extend([7; 4]);
        });
        damage(|frame| {
            frame[4] = 8;
            frame[64..72].copy_from_slice(&[0; 8]);
            frame.truncate(72);
        });
        publish(&mut near, 10);
        assert_eq!(follow(&mut far, 20), []);
        let counted = receiver.stop();
        assert_eq!((counted.refused_frames, counted.published_messages), (2, 20));
    });
}

/// The newest message of each of these many keys is kept.
const KEYS: u64 = 7;

fn keyed(sites: &Sites) -> KeyedPublisher<u64, u64> {
    KeyedPublisher::options("r").root(&sites.near).capacity(CAPACITY).rows(16).create_keyed().unwrap()
}

fn publish_keyed(near: &mut KeyedPublisher<u64, u64>, count: u64) {
    for _ in 0..count {
        let number = near.ring().published();
        if number % 11 == 10 {
            near.publish_without_row(&(number * 3));
        } else {
            let row = near.row(&(number * 3 % KEYS)).unwrap();
            near.publish(row, &(number * 3));
        }
    }
}

/// What a subscriber that joins with the table knows after all messages: the newest number of each key.
fn state(root: &feed_testing::PrivateRoot, until: u64) -> Vec<(u64, u64)> {
    let open = || KeyedSubscriber::<u64, u64>::options("r").root(root).open_keyed(|message| Some(message % KEYS));
    let mut joined = None;
    until_some(&mut joined, || open().ok());
    let mut subscriber = joined.unwrap();
    let mut known = None;
    until_some(&mut known, || {
        if subscriber.snapshot().is_err() {
            subscriber = open().ok()?;
        }
        subscriber.snapshot().ok()
    });
    let snapshot = known.unwrap();
    let mut newest: std::collections::BTreeMap<u64, u64> = snapshot
        .rows
        .iter()
        .map(|(key, stored)| {
            assert_eq!((stored.value % KEYS, stored.value), (*key, stored.number * 3), "a row of another message");
            (*key, stored.number)
        })
        .collect();
    while subscriber.ring().sequence() < until {
        match subscriber.recv_timeout(Duration::from_secs(60)) {
            // A message without a row changes none.
            Ok(received) if received.number % 11 == 10 => {}
            Ok(received) => {
                let before = newest.insert(received.message % KEYS, received.number);
                assert!(before < Some(received.number));
            }
            Err(error @ TryRecvError::Empty) => panic!("{error} at {} of {until}", subscriber.ring().sequence()),
            Err(_) => {}
        }
    }
    newest.into_iter().collect()
}

fn until_some<T>(found: &mut Option<T>, mut look: impl FnMut() -> Option<T>) {
    until("it is there", || {
        *found = look();
        found.is_some()
    });
}

/// The newest number of each key below `until`.
fn expected(until: u64) -> Vec<(u64, u64)> {
    let newest = |key| (0..until).rev().find(|number| number * 3 % KEYS == key && number % 11 != 10);
    (0..KEYS).filter_map(|key| Some((key, newest(key)?))).collect()
}

#[test]
fn whoever_joins_late_there_finds_the_table() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = keyed(&sites);
        publish_keyed(&mut near, 30);
        let (sender, receiver) = (sites.send(scope), sites.receive(scope));
        let arrived = |near: &KeyedPublisher<u64, u64>| {
            until("all came", || received(&sites).next == near.ring().published());
            assert_eq!(state(&sites.near, near.ring().published()), expected(near.ring().published()), "as near");
            assert_eq!(state(&sites.far, near.ring().published()), expected(near.ring().published()));
        };
        until("the far ring is there", || received(&sites).next == 30);
        arrived(&near);
        for _ in 0..30 {
            publish_keyed(&mut near, 5);
            arrived(&near);
        }
        // Frames with rows are lost, and a receiver is away while rows change that no message in the window has.
        sites.network.link.loses.store(2, Relaxed);
        for _ in 0..10 {
            publish_keyed(&mut near, 9);
            arrived(&near);
        }
        sites.network.link.loses.store(0, Relaxed);
        receiver.stop();
        publish_keyed(&mut near, 500);
        let receiver = sites.receive(scope);
        arrived(&near);
        sender.stop();
        publish_keyed(&mut near, 500);
        let _sender = sites.send(scope);
        arrived(&near);
        near.leave();
        let mut near = keyed(&sites);
        publish_keyed(&mut near, 5);
        arrived(&near);
        assert_eq!(inspect::Ring::open(&sites.far, "r").unwrap().epoch(), 2);
        // Joined before, it goes on in step.
        near.close().unwrap();
        until("closed there, the table too", || {
            inspect::Inspected::open(&sites.far, "r.table").is_err() && inspect::Ring::open(&sites.far, "r").is_err()
        });
        conserved(&receiver.stop());
    });
}

#[test]
fn a_closed_ring_that_is_kept_goes_on_there() {
    let sites = Sites::new();
    scope(|scope| {
        let create =
            || Publisher::<u64>::options("r").root(&sites.near).capacity(CAPACITY).keep(true).create().unwrap();
        let mut near = create();
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        near.close().unwrap();
        until("closed", || far.try_recv() == Err(TryRecvError::Closed));
        let mut near = create();
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!((far.first(), far.epoch()), (10, 2));
        assert_eq!(follow(&mut far, 20), []);
        conserved(&receiver.stop());
    });
}

#[test]
fn restarts_are_told_where_they_were_by_a_sender_that_came_after_them() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (sender, _receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 10);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 10), []);
        sites.network.link.cut.store(true, Relaxed);
        let mut expected = Vec::new();
        for epoch in 2..7 {
            publish(&mut near, 5);
            near.leave();
            near = publisher(&sites);
            let sequence = near.published();
            expected.push((sequence, TryRecvError::Restarted { epoch, sequence }));
        }
        publish(&mut near, 5);
        sender.stop();
        let _sender = sites.send(scope);
        sites.network.link.cut.store(false, Relaxed);
        assert_eq!(follow(&mut far, 40), expected);
    });
}

#[test]
fn restarts_of_which_a_ring_knows_no_more_are_told_where_they_were() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 3);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 3), []);
        receiver.stop();
        let mut expected = Vec::new();
        for epoch in 2..16 {
            near.leave();
            near = publisher(&sites);
            let sequence = near.published();
            expected.push((sequence, TryRecvError::Restarted { epoch, sequence }));
            publish(&mut near, 3);
            until("seen", || sent(&sites).epoch == epoch);
        }
        let _receiver = sites.receive(scope);
        let mut found = Vec::new();
        // The far ring knows no more of them than any: one that follows at once is told each.
        while far.sequence() < near.published() {
            found.extend(follow(&mut far, near.published()));
        }
        let last: Vec<_> = expected[expected.len() - 6..].to_vec();
        assert!(found.ends_with(&last), "{found:?}");
        assert!(
            found
                .iter()
                .all(|event| expected.contains(event) || matches!(event.1, TryRecvError::RestartsUnknown { .. })),
            "{found:?}"
        );
    });
}

#[test]
fn a_sender_that_was_left_is_followed_again_when_the_other_has_ended() {
    let sites = Sites::new();
    scope(|scope| {
        let mut near = publisher(&sites);
        let (_sender, receiver) = (sites.send(scope), sites.receive(scope));
        publish(&mut near, 3);
        let mut far = join(&sites);
        assert_eq!(follow(&mut far, 3), []);
        // A frame of somebody else, as of a second sender that could not see the first when it began.
        let mut other = sites.network.last_frame();
        other[8..16].copy_from_slice(&77u64.to_le_bytes());
        sites.network.put("test/r/frames", &other);
        publish(&mut near, 3);
        assert_eq!(follow(&mut far, 6), []);
        let counted = receiver.stop();
        assert_eq!(counted.senders, 3);
        assert!(counted.stale_frames > 0);
    });
}

#[test]
fn a_ring_that_is_just_being_made_is_waited_for() {
    let sites = Sites::new();
    scope(|scope| {
        let being_made = sites.near.path().join("r.ring");
        std::fs::create_dir(&being_made).unwrap();
        let (_sender, _receiver) = (sites.send(scope), sites.receive(scope));
        until("it looks", || sent(&sites).updated > 0);
        std::fs::remove_dir(&being_made).unwrap();
        let mut near = publisher(&sites);
        publish(&mut near, 5);
        assert_eq!(follow(&mut join(&sites), 5), []);
    });
}

#[test]
fn messages_of_another_schema_are_another_ring() {
    let sites = Sites::new();
    scope(|scope| {
        let mut options = sites.receive_options();
        options.far.replace = true;
        let mut near = publisher(&sites);
        let (_sender, _receiver) = (sites.send(scope), sites.receive_with(scope, options));
        publish(&mut near, 5);
        assert_eq!(follow(&mut join(&sites), 5), []);
        near.leave();
        let mut near = Publisher::<Other>::options("r").root(&sites.near).capacity(CAPACITY).create().unwrap();
        near.publish(&Other { price: 7 });
        let mut far = None;
        until_some(&mut far, || Subscriber::<Other>::options("r").root(&sites.far).join(Join::Oldest).open().ok());
        assert_eq!(far.unwrap().recv_timeout(Duration::from_secs(60)), Ok(Other { price: 7 }));
    });
}
