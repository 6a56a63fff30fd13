//! Following a ring of one name: every event in its place, every kind of subscriber, waiting in every way.

use std::fmt::Debug;
use std::fs;
use std::time::{Duration, Instant};

use feed_ring::follow::{Continuation, Event, Follow, FollowError, Followed, Next, OnClose};
use feed_ring::records::RecordsFormat;
use feed_ring::{
    Join, KeyedPublisher, KeyedSubscriber, OpenError, Publisher, PublisherOptions, Received, RecordPublisher,
    RecordSubscriber, Subscriber, SubscriberOptions, WaitStrategy, raw,
};
use feed_testing::PrivateRoot;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Nothing here takes as long, unless it would take for ever.
const FOR_EVER: Duration = Duration::from_secs(30);

fn options(root: &PrivateRoot) -> PublisherOptions<u64> {
    Publisher::<u64>::options("r").root(root).capacity(64)
}

fn subscriber(root: &PrivateRoot) -> SubscriberOptions<u64> {
    Subscriber::<u64>::options("r").root(root).join(Join::Oldest)
}

fn remove(root: &PrivateRoot) {
    fs::remove_dir_all(root.path().join("r.ring")).unwrap();
}

/// Waits for what comes next, and holds the account against the identity.
fn next<S>(follow: &mut Follow<S>) -> Next<String>
where
    S: Followed + 'static,
    for<'a> S::Message<'a>: Debug,
{
    let next = match follow.next_timeout(FOR_EVER).unwrap_or_else(|error| panic!("{error}")) {
        Next::Message(Received { number, epoch, message }) => {
            Next::Message(Received { number, epoch, message: format!("{message:?}") })
        }
        Next::Event(event) => Next::Event(event),
        Next::Empty => panic!("nothing came"),
        Next::End => Next::End,
    };
    let all = follow.overall();
    assert_eq!(all.first + all.received + all.lost + all.skipped, all.next, "after {next:?}");
    next
}

fn event<S>(follow: &mut Follow<S>) -> Event
where
    S: Followed + 'static,
    for<'a> S::Message<'a>: Debug,
{
    match next(follow) {
        Next::Event(event) => event,
        other => panic!("an event expected: {other:?}"),
    }
}

/// The number at which a ring was opened, and how it continues the one before.
fn opened<S>(follow: &mut Follow<S>) -> (u64, Continuation)
where
    S: Followed + 'static,
    for<'a> S::Message<'a>: Debug,
{
    loop {
        match event(follow) {
            Event::Opened { first, continues, .. } => return (first, continues),
            Event::Waiting { .. } => {}
            other => panic!("a ring expected: {other:?}"),
        }
    }
}

/// Expects a message whose content is `content`.
fn expect<S>(follow: &mut Follow<S>, number: u64, epoch: u64, content: &impl Debug)
where
    S: Followed + 'static,
    for<'a> S::Message<'a>: Debug,
{
    assert_eq!(next(follow), Next::Message(Received { number, epoch, message: format!("{content:?}") }));
}

#[test]
fn each_thing_that_happens_is_told_in_its_place() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut follow = subscriber(&root).follow();
    assert_eq!(follow.overall(), Default::default());
    let path = root.path().join("r.ring/segment");
    let continues = Continuation::First;
    assert_eq!(event(&mut follow), Event::Opened { path, first: 0, epoch: 1, capacity: 64, continues });
    assert_eq!(follow.try_next().unwrap(), Next::Empty);
    publisher.publish(&10);
    expect(&mut follow, 0, 1, &10);

    // Another takes the ring over.
    publisher.publish(&11);
    publisher.leave();
    expect(&mut follow, 1, 1, &11);
    assert_eq!(event(&mut follow), Event::PublisherGone { sequence: 2 });
    assert_eq!(follow.try_next().unwrap(), Next::Empty);
    let mut publisher = options(&root).create().unwrap();
    publisher.publish(&12);
    assert_eq!(event(&mut follow), Event::Restarted { epoch: 2, sequence: 2 });
    expect(&mut follow, 2, 2, &12);

    // It publishes more than the ring holds.
    for content in 13..213 {
        publisher.publish(&content);
    }
    let Event::Lagged { missed } = event(&mut follow) else { panic!("too slow") };
    assert_eq!((missed, follow.overall().lost), (144, 144), "200, of which 63 are held, and an eighth of these");
    for number in 147..203 {
        expect(&mut follow, number, 2, &(number + 10));
    }

    // Another makes another ring in its place, which laps before it is opened.
    publisher.leave();
    let mut publisher = options(&root).capacity(16).create().unwrap();
    for content in 0..20 {
        publisher.publish(&content);
    }
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 203 });
    assert_eq!(opened(&mut follow), (208, Continuation::Continued { gap: 5 }));
    assert_eq!(follow.ring().unwrap().capacity(), 16);
    for number in 208..223 {
        expect(&mut follow, number, 1, &(number - 203));
    }

    // It is removed, and another has the name.
    publisher.leave();
    assert_eq!(event(&mut follow), Event::PublisherGone { sequence: 223 });
    remove(&root);
    assert_eq!(follow.try_next().unwrap(), Next::Empty);
    let mut publisher = options(&root).create().unwrap();
    publisher.publish(&7);
    assert_eq!(opened(&mut follow), (0, Continuation::Renumbered { left: 223, gap: 0 }));
    expect(&mut follow, 0, 1, &7);
    assert_eq!(follow.overall_number(0), 223);

    publisher.close().unwrap();
    assert_eq!(event(&mut follow), Event::Closed { sequence: 1 });
    assert_eq!((next(&mut follow), next(&mut follow)), (Next::End, Next::End));
    let all = follow.overall();
    assert_eq!((all.first, all.next, all.lost, all.gaps), (0, 224, 149, 5));
    assert_eq!((all.epochs, all.restarts, all.reopened, all.renumbered), (4, 1, 2, 1));
}

#[test]
fn the_first_ring_is_waited_for_as_long_as_its_options_say() {
    let root = PrivateRoot::new();
    let mut none = subscriber(&root).follow();
    assert!(matches!(none.next(), Err(FollowError::Open(OpenError::NotFound { .. }))));
    assert_eq!(none.next().unwrap(), Next::End);
    let mut short = subscriber(&root).open_timeout(Duration::from_millis(5)).follow();
    assert!(matches!(short.next(), Err(FollowError::Open(OpenError::NotFound { .. }))));

    let mut long = subscriber(&root).open_timeout(Duration::MAX).follow();
    assert_eq!(long.try_next().unwrap(), Next::Empty);
    let Event::Waiting { reason } = event(&mut long) else { panic!("after a second") };
    assert!(reason.contains("no such ring"), "{reason}");
    std::thread::scope(|threads| {
        let waits = threads.spawn(|| opened(&mut long));
        let _publisher = options(&root).create().unwrap();
        assert_eq!(waits.join().unwrap(), (0, Continuation::First));
    });
}

#[test]
fn a_publisher_is_waited_for_as_long_as_is_said() {
    for timeout in [Duration::ZERO, Duration::from_millis(20)] {
        let root = PrivateRoot::new();
        let publisher = options(&root).create().unwrap();
        let mut follow = subscriber(&root).follow().publisher_timeout(timeout);
        opened(&mut follow);
        publisher.leave();
        assert_eq!(event(&mut follow), Event::PublisherGone { sequence: 0 });
        let error = follow.next().unwrap_err();
        assert!(matches!(error, FollowError::NoPublisher { waited } if waited == timeout), "{error}");
        assert_eq!(follow.next().unwrap(), Next::End);
    }
    // One that supersedes is waited for, however short that is.
    let root = PrivateRoot::new();
    let publisher = options(&root).create().unwrap();
    let mut follow = subscriber(&root).follow().publisher_timeout(Duration::ZERO);
    opened(&mut follow);
    publisher.leave();
    let _publisher = options(&root).fresh(true).create().unwrap();
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 0 });
    assert_eq!(opened(&mut follow), (0, Continuation::Continued { gap: 0 }));
}

/// A ring that takes another's place, and is closed before the subscriber looks.
#[test]
fn a_ring_that_closed_at_once_is_read_if_it_is_kept_and_told_if_it_is_not() {
    for (keep, on_close) in [(true, OnClose::End), (false, OnClose::End), (false, OnClose::Wait), (true, OnClose::Wait)]
    {
        let root = PrivateRoot::new();
        let mut publisher = options(&root).create().unwrap();
        publisher.publish(&1);
        let mut follow = subscriber(&root).follow().on_close(on_close);
        opened(&mut follow);
        expect(&mut follow, 0, 1, &1);
        publisher.leave();
        let mut publisher = options(&root).fresh(true).keep(keep).create().unwrap();
        publisher.publish(&2);
        publisher.close().unwrap();
        assert_eq!(event(&mut follow), Event::Superseded { sequence: 1 });
        if keep {
            assert_eq!(opened(&mut follow), (1, Continuation::Continued { gap: 0 }));
            expect(&mut follow, 1, 1, &2);
            assert_eq!(event(&mut follow), Event::Closed { sequence: 2 });
        } else {
            assert_eq!(event(&mut follow), Event::ClosedUnseen);
        }
        if on_close == OnClose::End {
            assert_eq!(next(&mut follow), Next::End);
            continue;
        }
        assert_eq!(follow.next_timeout(Duration::from_millis(10)).unwrap(), Next::Empty);
        let mut publisher = options(&root).create().unwrap();
        publisher.publish(&3);
        if keep {
            assert_eq!(event(&mut follow), Event::Restarted { epoch: 2, sequence: 2 });
            expect(&mut follow, 2, 2, &3);
        } else {
            assert_eq!(opened(&mut follow), (0, Continuation::Renumbered { left: 1, gap: 0 }));
            expect(&mut follow, 0, 1, &3);
        }
    }
}

#[test]
fn a_closed_ring_is_followed_by_the_next_of_its_name() {
    let root = PrivateRoot::new();
    let mut follow = subscriber(&root).open_timeout(Duration::MAX).follow().on_close(OnClose::Wait);
    for round in 0..3 {
        let mut publisher = options(&root).create().unwrap();
        publisher.publish(&round);
        let continues = if round == 0 { Continuation::First } else { Continuation::Renumbered { left: 1, gap: 0 } };
        assert_eq!(opened(&mut follow), (0, continues));
        expect(&mut follow, 0, 1, &round);
        publisher.close().unwrap();
        assert_eq!(event(&mut follow), Event::Closed { sequence: 1 });
        assert_eq!(follow.try_next().unwrap(), Next::Empty);
    }
    let all = follow.overall();
    assert_eq!((all.next, all.received, all.reopened, all.renumbered), (3, 3, 2, 2));
}

#[test]
fn a_number_that_has_not_come_is_waited_for_in_the_next_ring() {
    let root = PrivateRoot::new();
    let publisher = options(&root).create().unwrap();
    let mut follow = subscriber(&root).join(Join::Sequence(30)).follow();
    assert_eq!(opened(&mut follow), (30, Continuation::First));
    publisher.leave();
    let mut publisher = options(&root).fresh(true).create().unwrap();
    for content in 0..40 {
        publisher.publish(&content);
    }
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 30 });
    assert_eq!(opened(&mut follow), (30, Continuation::Continued { gap: 0 }));
    expect(&mut follow, 30, 1, &30);
}

/// Each kind of subscriber goes through a takeover, a ring in the place of another, and one that carries something else.
#[test]
fn bytes_are_followed_in_the_format_of_the_first_ring() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut follow = raw::Subscriber::options("r").root(&root).join(Join::Oldest).follow_raw();
    opened(&mut follow);
    publisher.publish(&258);
    expect(&mut follow, 0, 1, &258u64.to_ne_bytes());
    publisher.leave();
    let mut publisher = options(&root).fresh(true).create().unwrap();
    publisher.publish(&3);
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 1 });
    opened(&mut follow);
    expect(&mut follow, 1, 1, &3u64.to_ne_bytes());
    publisher.leave();
    let _publisher = Publisher::<u32>::options("r").root(&root).create().unwrap();
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 2 });
    let error = follow.next().unwrap_err();
    assert!(matches!(error, FollowError::Reopen(OpenError::Payload { .. })), "{error}");
    assert_eq!(follow.next().unwrap(), Next::End);
}

#[test]
fn records_are_followed() {
    let root = PrivateRoot::new();
    let make = |format| RecordPublisher::options("r", format).root(&root).capacity(64);
    let dbn = || RecordsFormat::encoded("dbn");
    let mut publisher = make(dbn()).create_records().unwrap();
    let mut follow = RecordSubscriber::options("r").root(&root).join(Join::Oldest).follow_records();
    opened(&mut follow);
    let mut expect = |number: u64, epoch: u64, bytes: &[u8]| match follow.next_timeout(FOR_EVER).unwrap() {
        Next::Message(received) => {
            assert_eq!((received.number, received.epoch, received.message.number), (number, epoch, number));
            assert_eq!(received.message.bytes, bytes);
        }
        Next::Event(event) => assert!(bytes.is_empty(), "{event}"),
        other => panic!("{other:?}"),
    };
    publisher.publish(1, b"one").unwrap();
    publisher.publish(1, &[7; 300]).unwrap();
    publisher.leave();
    expect(0, 1, b"one");
    expect(1, 1, &[7; 300]);
    let mut publisher = make(dbn()).create_records().unwrap();
    publisher.publish(1, b"two").unwrap();
    expect(2, 2, b""); // Restarted
    expect(2, 2, b"two");
    publisher.leave();
    let mut publisher = make(dbn()).fresh(true).create_records().unwrap();
    publisher.publish(1, b"three").unwrap();
    expect(3, 1, b""); // Superseded
    expect(3, 1, b""); // Opened
    expect(3, 1, b"three");
    publisher.leave();
    let _publisher = make(RecordsFormat::encoded("itch")).create_records().unwrap();
    expect(4, 1, b""); // Superseded
    assert!(matches!(follow.next(), Err(FollowError::Reopen(OpenError::Payload { .. }))));
}

#[test]
fn a_ring_and_its_table_are_followed() {
    let root = PrivateRoot::new();
    type Feed = KeyedPublisher<u64, u64>;
    let mut feed = Feed::options("r").root(&root).capacity(64).create_keyed().unwrap();
    let mut follow = KeyedSubscriber::<u64, u64>::options("r").root(&root).follow_keyed(|value| Some(*value % 10));
    opened(&mut follow);
    let row = feed.row(&3).unwrap();
    feed.publish(row, &13);
    expect(&mut follow, 0, 1, &13);
    assert_eq!(follow.ring_mut().unwrap().snapshot().unwrap().rows.len(), 1);
    feed.leave();
    let mut feed = Feed::options("r").root(&root).capacity(64).fresh(true).create_keyed().unwrap();
    let row = feed.row(&4).unwrap();
    feed.publish(row, &14);
    assert_eq!(event(&mut follow), Event::Superseded { sequence: 1 });
    assert_eq!(opened(&mut follow), (1, Continuation::Continued { gap: 0 }));
    let Event::Opened { first: 1, .. } = follow.reopen().unwrap() else { panic!("where it was") };
    expect(&mut follow, 1, 1, &14);
}

#[test]
fn a_sealed_ring_is_followed_from_one_publisher_to_the_next() {
    let root = PrivateRoot::new();
    let socket = root.path().join("socket");
    let serve = || Publisher::<u64>::options("r").capacity(64).serve(&socket);
    let mut publisher = serve().create().unwrap();
    let mut follow = Subscriber::<u64>::connect(&socket).join(Join::Oldest).follow();
    assert_eq!(opened(&mut follow), (0, Continuation::First));
    publisher.publish(&1);
    expect(&mut follow, 0, 1, &1);
    publisher.leave();
    assert_eq!(event(&mut follow), Event::PublisherGone { sequence: 1 });
    let mut publisher = serve().create().unwrap();
    publisher.publish(&2);
    assert_eq!(opened(&mut follow), (0, Continuation::Renumbered { left: 1, gap: 0 }));
    expect(&mut follow, 0, 1, &2);
    publisher.close().unwrap();
    assert_eq!(event(&mut follow), Event::Closed { sequence: 1 });
    assert_eq!(next(&mut follow), Next::End);
}

/// A relay goes on in the epoch of the relay before it: nothing but a message tells that it is there.
#[test]
fn a_relay_is_followed_to_the_next_within_an_epoch() {
    let root = PrivateRoot::new();
    let format = raw::MessageFormat::of::<u64>;
    let relay =
        |from| raw::RelayPublisher::options("r", format()).root(&root).capacity(64).create_relay(1, from, 5).unwrap();
    let mut publisher = relay(100);
    let mut follow = subscriber(&root).follow();
    assert_eq!(opened(&mut follow), (100, Continuation::First));
    for number in [100, 101, 103] {
        publisher.leave();
        assert_eq!(event(&mut follow), Event::PublisherGone { sequence: number });
        assert_eq!(follow.try_next().unwrap(), Next::Empty);
        publisher = relay(number);
        if number == 101 {
            publisher.pass_over(102);
            assert_eq!(event(&mut follow), Event::Lagged { missed: 1 });
        }
        let number = publisher.published();
        publisher.publish(&[7; 8]);
        expect(&mut follow, number, 5, &u64::from_ne_bytes([7; 8]));
    }
}

#[test]
fn a_cut_off_ring_ends_it() {
    feed_ring::guard::install().unwrap();
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    publisher.publish(&1);
    let mut follow = subscriber(&root).follow();
    opened(&mut follow);
    fs::OpenOptions::new().write(true).open(root.path().join("r.ring/segment")).unwrap().set_len(0).unwrap();
    let error = loop {
        match follow.next_timeout(FOR_EVER) {
            Ok(Next::Message(_)) => {}
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, FollowError::Damaged(_)), "{error}");
    assert_eq!(follow.next().unwrap(), Next::End);
}

#[test]
fn one_interrupter_ends_every_wait_from_ring_to_ring() {
    for wait in [WaitStrategy::Block, WaitStrategy::Yield] {
        let root = PrivateRoot::new();
        let mut follow = subscriber(&root).wait(wait).open_timeout(Duration::MAX).follow();
        let interrupter = follow.interrupter();
        let is_interrupted = |follow: &mut Follow<Subscriber<u64>>, sleeps: bool| {
            std::thread::scope(|threads| {
                let waits = threads.spawn(|| assert_eq!(follow.next().unwrap(), Next::Empty));
                if sleeps {
                    std::thread::sleep(Duration::from_millis(30));
                }
                interrupter.interrupt();
                waits.join().unwrap();
            });
        };
        for sleeps in [false, true] {
            is_interrupted(&mut follow, sleeps);
        }
        let publisher = options(&root).create().unwrap();
        opened(&mut follow);
        is_interrupted(&mut follow, true);
        publisher.leave();
        event(&mut follow);
        is_interrupted(&mut follow, true);
        let _publisher = options(&root).fresh(true).create().unwrap();
        assert_eq!(event(&mut follow), Event::Superseded { sequence: 0 });
        // What nobody waited for is kept, from one ring to the next.
        follow.interrupter().interrupt();
        opened(&mut follow);
        assert_eq!(follow.next().unwrap(), Next::Empty);
    }
}

/// What comes through the descriptor is what comes without it.
#[test]
fn a_descriptor_tells_of_everything() {
    let root = PrivateRoot::new();
    let mut follow = subscriber(&root).open_timeout(Duration::MAX).follow();
    let mut notifier = follow.notifier().unwrap();
    let mut wait = |follow: &mut Follow<Subscriber<u64>>| {
        let begun = Instant::now();
        loop {
            match follow.try_next().unwrap() {
                Next::Empty => {}
                other => return other,
            }
            notifier.arm(follow).unwrap();
            let timeout = Timespec { tv_sec: 30, tv_nsec: 0 };
            assert_eq!(poll(&mut [PollFd::new(&notifier, PollFlags::IN)], Some(&timeout)), Ok(1), "nothing came");
            notifier.clear();
            assert!(begun.elapsed() < FOR_EVER, "it is readable, and nothing comes");
        }
    };
    let later = |what: Box<dyn FnOnce() -> Publisher<u64> + Send>| {
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            what()
        })
    };
    let path = root.path().to_owned();
    let made = later(Box::new(move || Publisher::options("r").root(path).capacity(64).create().unwrap()));
    assert!(matches!(wait(&mut follow), Next::Event(Event::Opened { .. })));
    let mut publisher = made.join().unwrap();
    let published = later(Box::new(move || {
        publisher.publish(&1);
        publisher
    }));
    assert_eq!(wait(&mut follow), Next::Message(Received { number: 0, epoch: 1, message: 1 }));
    let publisher = published.join().unwrap();
    let path = root.path().to_owned();
    let left = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        publisher.leave();
    });
    assert_eq!(wait(&mut follow), Next::Event(Event::PublisherGone { sequence: 1 }));
    left.join().unwrap();
    let made = later(Box::new(move || Publisher::options("r").root(path).capacity(64).create().unwrap()));
    assert_eq!(wait(&mut follow), Next::Event(Event::Restarted { epoch: 2, sequence: 1 }));
    let publisher = made.join().unwrap();
    let path = root.path().to_owned();
    let left = later(Box::new(move || {
        publisher.leave();
        let mut publisher = Publisher::options("r").root(path).capacity(32).create().unwrap();
        publisher.publish(&2);
        publisher
    }));
    let mut seen = Vec::new();
    loop {
        match wait(&mut follow) {
            Next::Event(event) => seen.push(event),
            Next::Message(received) => break assert_eq!((received.number, received.message), (1, 2)),
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(&seen[seen.len() - 2..], [Event::Superseded { sequence: 1 }, Event::Opened { .. }]), "{seen:?}");
    left.join().unwrap().close().unwrap();
    assert_eq!(wait(&mut follow), Next::Event(Event::Closed { sequence: 2 }));
    assert_eq!((wait(&mut follow), wait(&mut follow)), (Next::End, Next::End));
}

/// Batches are received from the ring itself.
#[test]
fn what_a_batch_returns_instead_of_messages_is_handled() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root).create().unwrap();
    let mut follow = subscriber(&root).follow();
    assert!(follow.ring_mut().is_none());
    opened(&mut follow);
    let (mut batch, mut received, mut events) = ([0; 10], Vec::new(), Vec::new());
    publisher.publish_batch(&[1, 2, 3]);
    publisher.leave();
    let mut publisher = options(&root).create().unwrap();
    publisher.publish_batch(&[4, 5]);
    publisher.leave();
    let mut publisher = options(&root).capacity(32).keep(true).create().unwrap();
    publisher.publish_batch(&[6]);
    publisher.close().unwrap();
    loop {
        let result = match follow.ring_mut() {
            Some(ring) => ring.recv_batch(&mut batch),
            None => match follow.try_next().unwrap() {
                Next::Event(event) => {
                    events.push(event);
                    continue;
                }
                Next::End => break,
                other => panic!("{other:?}"),
            },
        };
        match result {
            Ok(count) => received.extend_from_slice(&batch[..count]),
            Err(error) => events.extend(follow.handle(error).unwrap()),
        }
    }
    assert_eq!(received, [1, 2, 3, 4, 5, 6]);
    assert_eq!(events[0], Event::Restarted { epoch: 2, sequence: 3 });
    assert_eq!(events[1], Event::Superseded { sequence: 5 });
    assert!(matches!(events[2], Event::Opened { first: 5, .. }));
    assert_eq!(events[3..], [Event::Closed { sequence: 6 }]);
    let all = follow.overall();
    assert_eq!((all.received, all.next, all.restarts, all.reopened), (6, 6, 1, 1));
}
