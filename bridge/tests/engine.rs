//! What the bridge relies on: frames that arrive whole and in order, replies likewise, and sessions that come back.

mod sessions;

use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use feed_bridge::engine::{Engine, Held, Outlet};
use feed_bridge::zenoh::ZenohEngine;
use sessions::{PATIENCE, connecting, listening, pair, port, router, wait_for};

const KEY: &str = "feed/test";

/// What a subscriber received.
type Received = Arc<Mutex<Vec<Vec<u8>>>>;

fn receive(engine: &dyn Engine) -> (Received, Box<dyn Held>) {
    let received = Received::default();
    let inlet = Arc::clone(&received);
    let held = engine.subscribe(KEY, Box::new(move |frame| inlet.lock().unwrap().push(frame.to_vec()))).unwrap();
    (received, held)
}

fn outlet(engine: &dyn Engine) -> Box<dyn Outlet> {
    let outlet = engine.outlet(KEY).unwrap();
    wait_for("a subscriber", || outlet.has_subscribers());
    outlet
}

/// The frame with a number, of a length.
fn frame(number: u8, length: usize) -> Vec<u8> {
    (0..length).map(|at| number.wrapping_add((at % 251) as u8)).collect()
}

/// Frames of 1 byte to 1 MiB.
fn frames() -> Vec<Vec<u8>> {
    (0..=60u8).map(|number| frame(number, (1 << (number % 21)).max(1))).collect()
}

fn assert_arrive(from: &dyn Engine, to: &dyn Engine) {
    let (received, _held) = receive(to);
    let mut outlet = outlet(from);
    let sent = frames();
    sent.iter().for_each(|frame| outlet.put(frame).unwrap());
    wait_for("the last frame", || received.lock().unwrap().len() >= sent.len());
    assert!(*received.lock().unwrap() == sent, "they arrived changed or in another order");
}

#[test]
fn frames_of_every_length_arrive_in_order() {
    let (here, there) = pair();
    assert_arrive(&here, &there);
    assert_arrive(&there, &here);
}

#[test]
fn frames_arrive_through_a_router() {
    let port = port();
    let _router = router(&port);
    let here = ZenohEngine::open(&connecting(&port)).unwrap();
    let there = ZenohEngine::open(&connecting(&port)).unwrap();
    assert_arrive(&here, &there);
}

fn answers(engine: &dyn Engine, name: u8) -> Box<dyn Held> {
    engine
        .answer(
            KEY,
            Box::new(move |question, reply| {
                assert_eq!(question, b"which");
                for number in 0..40u8 {
                    reply(&[&[name, number][..], &frame(number, 200_000)].concat()).unwrap();
                }
            }),
        )
        .unwrap()
}

/// The replies to one question, as answerer and number.
fn replies(engine: &dyn Engine) -> Vec<(u8, u8)> {
    let mut replies = Vec::new();
    let mut take = |reply: &[u8]| {
        assert!(reply[2..] == frame(reply[1], 200_000), "reply {} arrived changed", reply[1]);
        replies.push((reply[0], reply[1]));
    };
    engine.ask(KEY, b"which", PATIENCE, &mut take).unwrap();
    replies
}

#[test]
fn every_reply_of_two_answerers_comes_in_the_order_of_each() {
    let (here, there) = pair();
    let _one = answers(&there, 1);
    let _two = answers(&there, 2);
    wait_for("both answerers", || {
        let replies = replies(&here);
        for name in [1, 2] {
            let numbers: Vec<_> = replies.iter().filter(|reply| reply.0 == name).map(|reply| reply.1).collect();
            assert!(numbers.is_empty() || numbers == (0..40).collect::<Vec<_>>(), "{name}: {numbers:?}");
        }
        replies.len() == 80
    });
}

#[test]
fn a_question_that_nobody_answers_ends() {
    let (here, _there) = pair();
    assert_eq!(replies(&here), []);
}

#[test]
fn a_question_ends_when_its_answerer_dies_in_the_middle() {
    let (here, there) = pair();
    let gate = Arc::new(Mutex::new(()));
    let closed = gate.lock().unwrap();
    let waits = Arc::clone(&gate);
    let held = there
        .answer(
            KEY,
            Box::new(move |_, reply| {
                reply(b"one").unwrap();
                drop(waits.lock());
                // Its session is gone by then.
                let _ = reply(b"two");
            }),
        )
        .unwrap();
    let asking = thread::spawn(move || {
        let mut replies = Vec::new();
        wait_for("a reply", || {
            here.ask(KEY, b"", PATIENCE, &mut |reply| replies.push(reply.to_vec())).unwrap();
            !replies.is_empty()
        });
        replies
    });
    thread::sleep(Duration::from_millis(500));
    drop(there);
    assert_eq!(asking.join().unwrap(), [b"one"]);
    drop(closed);
    drop(held);
}

#[test]
fn both_come_back_to_a_router_that_was_restarted() {
    let port = port();
    let first = router(&port);
    let here = ZenohEngine::open(&connecting(&port)).unwrap();
    let there = ZenohEngine::open(&connecting(&port)).unwrap();
    assert_arrive(&here, &there);
    drop(first);
    wait_for("the end of the connections", || here.peers() == 0 && there.peers() == 0);
    let _second = router(&port);
    wait_for("new connections", || here.peers() == 1 && there.peers() == 1);
    assert_arrive(&here, &there);
}

#[test]
fn whoever_starts_first_waits_for_the_other() {
    let port = port();
    let there = ZenohEngine::open(&connecting(&port)).unwrap();
    assert_eq!(there.peers(), 0);
    let here = ZenohEngine::open(&listening(&port)).unwrap();
    wait_for("a connection", || there.peers() == 1);
    assert_arrive(&here, &there);
}

#[test]
fn an_address_in_use_is_told() {
    let port = port();
    let _first = ZenohEngine::open(&listening(&port)).unwrap();
    let error = ZenohEngine::open(&listening(&port)).unwrap_err().to_string();
    assert!(error.contains(&port) && error.contains("another program listens there"), "{error}");
    assert!(!error.contains('\n'), "{error}");
}
