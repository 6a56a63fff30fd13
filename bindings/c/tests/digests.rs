//! The real feed through a publisher in C, to subscribers in Rust, C and C++: all have the same digest. Also when the publisher is
//! killed three times.

mod common;

use std::process::Command;
use std::thread;
use std::time::Duration;

use common::{Linked, compiled};
use feed_ring::{Join, TryRecvError, raw};
use feed_testing::{PrivateRoot, Program, market_data, program};
use serde_json::Value;

/// More slots than the feed has messages: nobody loses any.
const CAPACITY: &str = "262144";

/// What a subscriber of this test program's own received.
#[derive(Debug, PartialEq)]
struct Received {
    digest: String,
    messages: u64,
    restarts: u64,
}

/// The 64-bit FNV-1a hash of all messages that a ring has until it is closed: what tests/c/digest.c prints.
fn receive(mut subscriber: raw::Subscriber) -> Received {
    let mut message = vec![0; subscriber.format().size()];
    let (mut digest, mut restarts) = (0xcbf2_9ce4_8422_2325_u64, 0);
    loop {
        match subscriber.recv_timeout_into(&mut message, Duration::MAX) {
            Ok(()) => {
                let fold = |digest: u64, byte: &u8| (digest ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
                digest = message.iter().fold(digest, fold);
            }
            Err(TryRecvError::Restarted { .. }) => restarts += 1,
            Err(TryRecvError::PublisherDead) => assert!(subscriber.wait_for_publisher(Duration::from_secs(120))),
            Err(TryRecvError::Closed) => break,
            Err(error) => panic!("{error}"),
        }
    }
    let account = subscriber.account();
    assert_eq!((account.first, account.received, account.lost), (0, account.sequence, 0));
    Received { digest: format!("{digest:016x}"), messages: account.received, restarts }
}

/// The last line that a program printed, as JSON.
#[track_caller]
fn summary(program: Program) -> Value {
    let finished = program.finish();
    assert_eq!(finished.code, Some(0), "{}{}", finished.stdout, finished.stderr);
    let last = finished.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"))
}

/// What becomes of the publisher in C: how often it is killed.
fn replay(kills: u64) {
    let Some(relay) = compiled("tests/c/relay.c", Linked::Shared) else { return };
    let subscribers: Vec<_> = ["tests/c/digest.c", "tests/c/digest.cpp"]
        .iter()
        .filter_map(|source| compiled(source, Linked::Shared))
        .collect();
    // Compiled before the feed begins: a feed that waits for nobody would be over.
    let _compiled = ["feed-publisher", "feed-subscriber"].map(program);
    let root = PrivateRoot::new();
    let rooted = |program: &str| {
        let mut command = Command::new(self::program(program));
        command.arg("--root").arg(root.path()).args(["--summary", "json"]);
        command
    };

    // The feed itself, in a ring that stays until every relay has read it.
    let mut publisher = rooted("feed-publisher");
    publisher.args(["--ring", "source", "--capacity", CAPACITY, "--wait-for-subscribers", "1", "--keep"]);
    match market_data("esh4-glbx-mdp3-20231225.mbo.dbn.zst") {
        Some(feed) => publisher.arg("--input").arg(feed),
        None => publisher.args(["--count", "60000"]),
    };
    // Slow enough to be killed in the middle.
    publisher.args(["--rate", if kills == 0 { "200000" } else { "15000" }]);
    let relay = |awaited: usize| {
        let arguments = ["source", "relayed", CAPACITY, &awaited.to_string()];
        Program::start(Command::new(&relay).arg(root.path()).args(arguments))
    };
    let publisher = Program::start(&mut publisher);
    let mut relaying = relay(3 + subscribers.len());
    relaying.wait_for("relay: epoch 1 from 0");

    let options = raw::Subscriber::options("relayed").root(root.path()).join(Join::Oldest);
    let mut watching = options.clone().open_raw().unwrap();
    let own = options.open_raw().unwrap();
    let own = thread::spawn(move || receive(own));
    let mut follow = rooted("feed-subscriber");
    let follow = Program::start(follow.args(["--ring", "relayed", "--from", "oldest"]));
    let subscribers: Vec<_> = subscribers
        .iter()
        .map(|subscriber| Program::start(Command::new(subscriber).arg(root.path()).arg("relayed")))
        .collect();

    let mut message = vec![0; watching.format().size()];
    for kill in 0..kills {
        // So many messages later.
        let until = watching.account().sequence + 5_000;
        while watching.account().sequence < until {
            match watching.recv_timeout_into(&mut message, Duration::from_secs(120)) {
                Ok(()) | Err(TryRecvError::Restarted { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        relaying.kill();
        relaying = relay(0);
        relaying.wait_for(&format!("relay: epoch {} from", kill + 2));
    }
    let published = summary(publisher);
    let messages = published["messages"].as_u64().unwrap();
    assert!(messages >= 60_000, "{published}");
    let relayed = relaying.finish();
    assert_eq!(relayed.code, Some(0), "{}", relayed.stderr);
    assert!(relayed.stdout.ends_with(&format!("relay: published up to {messages}\n")), "{}", relayed.stdout);

    // The feed's own digest, in Rust on both sides.
    let followed = summary(follow);
    assert_eq!(followed["digest"], published["digest"]);
    assert_eq!((followed["messages"].as_u64(), followed["restarts"].as_u64()), (Some(messages), Some(kills)));
    // A plain one of the same bytes, in all three languages.
    let own = own.join().unwrap();
    assert_eq!((own.messages, own.restarts), (messages, kills));
    for subscriber in subscribers {
        let found = summary(subscriber);
        let expected = serde_json::json!({
            "digest": own.digest, "messages": messages, "lost": 0, "restarts": kills, "epoch": kills + 1,
        });
        assert_eq!(found, expected);
    }
    println!("{messages} messages, digest {} and {}, {kills} restarts", published["digest"], own.digest);
}

#[test]
fn a_publisher_in_c_gives_all_languages_the_same_feed() {
    replay(0);
}

#[test]
fn a_publisher_in_c_that_is_killed_three_times_loses_nothing() {
    replay(3);
}
