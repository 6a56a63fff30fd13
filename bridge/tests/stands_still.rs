//! A subscriber that stands still for ten seconds loses nothing that was accepted for it, which zenoh's own settings would lose.

mod sessions;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use feed_bridge::engine::{Engine, Outlet};
use feed_bridge::engine_options::EngineOptions;
use feed_bridge::zenoh::ZenohEngine;
use sessions::{connecting, listening, port, wait_for};

const KEY: &str = "feed/test";

fn outlet(engine: &dyn Engine) -> Box<dyn Outlet> {
    let outlet = engine.outlet(KEY).unwrap();
    wait_for("a subscriber", || outlet.has_subscribers());
    outlet
}

/// How many of the frames that `put` accepted arrive at a subscriber whose callback blocks for ten seconds.
fn accepted_and_received(sender: EngineOptions) -> (u64, u64) {
    let port = sender.connect[0].rsplit_once(':').unwrap().1.to_owned();
    let there = ZenohEngine::open(&listening(&port)).unwrap();
    let here = ZenohEngine::open(&sender).unwrap();
    wait_for("a connection", || there.peers() == 1);
    let received = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&received);
    let inlet = move |_: &[u8]| {
        if count.fetch_add(1, Ordering::Relaxed) == 0 {
            thread::sleep(Duration::from_secs(10));
        }
    };
    let _held = there.subscribe(KEY, Box::new(inlet)).unwrap();
    let mut outlet = outlet(&here);
    // Far more than sockets and queues take.
    let sent = 2_000;
    let accepted = (0..sent).filter(|_| outlet.put(&[7; 60_000]).is_ok()).count() as u64;
    // The subscriber goes on; what does not come for two seconds does not come.
    let mut before = u64::MAX;
    while before != received.load(Ordering::Relaxed) && received.load(Ordering::Relaxed) < accepted {
        before = received.load(Ordering::Relaxed);
        thread::sleep(Duration::from_secs(if before <= 1 { 12 } else { 2 }));
    }
    (accepted, received.load(Ordering::Relaxed))
}

/// One test after the other: zenoh reads the network with two threads, which a blocked subscriber stops.
#[test]
fn nothing_that_was_accepted_is_lost_while_a_subscriber_stands_still() {
    let (accepted, received) = accepted_and_received(connecting(&port()));
    assert_eq!((accepted, received), (2_000, 2_000));
    // The counterpart: the same with what zenoh waits by default.
    let wait_before_close = Some(Duration::from_secs(5));
    let (accepted, received) = accepted_and_received(EngineOptions { wait_before_close, ..connecting(&port()) });
    assert!(received < accepted, "{received} of {accepted} arrived: the default has changed, the setting may go");
}
