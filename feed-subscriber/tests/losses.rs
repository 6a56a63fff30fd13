//! Tests of a subscriber that is too slow: its losses are counted, and what it receives is right.

mod common;

use common::{assert_conserved, number, publisher, rows, start, subscriber, success, summary};
use feed::source::synthetic::Synthetic;
use feed_testing::{PrivateRoot, Program};

#[test]
fn a_slow_subscriber_loses_exactly_what_it_says_and_receives_nothing_wrong() {
    const COUNT: u64 = 400_000;
    let root = PrivateRoot::new();
    let count = COUNT.to_string();
    let publishes = ["--count", &count, "--seed", "11", "--speed", "max", "--capacity", "256"];
    let (publisher, mut subscribers) =
        start(&root, &publishes, &[&["--delay-ns", "20000", "--output", "csv"], &["--delay-ns", "5000"]]);
    let published = success(publisher);
    assert_eq!(number(&published, "next_sequence"), COUNT);
    let quicker = success(subscribers.pop().unwrap());
    let slow = subscribers.pop().unwrap().finish();
    slow.assert_quiet_success();
    let slow_summary = summary(&slow);
    for summary in [&slow_summary, &quicker] {
        assert_conserved(summary);
        assert_eq!(summary["first_sequence"], 0);
        assert_eq!(summary["next_sequence"], published["next_sequence"]);
        assert_eq!(summary["ended"], "closed");
        assert!(number(summary, "lost") > 0, "it was to lose messages: {summary}");
    }

    // Every printed message is the one published at its sequence, and they are in order.
    let rows = rows(&slow);
    assert_eq!(rows.len() as u64, number(&slow_summary, "messages"));
    assert!(rows.len() > 256, "it received some: {}", rows.len());
    let mut market = Synthetic::new(11);
    let mut rows = rows.iter().peekable();
    for sequence in 0..COUNT {
        let message = market.advance();
        if let Some(row) = rows.next_if(|row| row.sequence == sequence) {
            row.assert_is(&message);
        }
    }
    assert!(rows.next().is_none(), "a sequence that was not published, or out of order");
}

#[test]
fn a_kept_ring_is_drained_after_its_close() {
    let root = PrivateRoot::new();
    let published = success(Program::start(publisher(&root).args(["--count", "1000", "--capacity", "64", "--keep"])));
    assert_eq!(number(&published, "messages"), 1_000);
    // The ring holds the last 63. Older messages are lost to a subscriber that asks for them, but not to one that joins
    // at the oldest.
    let oldest = success(Program::start(subscriber(&root).args(["--from", "oldest"])));
    assert_conserved(&oldest);
    assert_eq!((number(&oldest, "messages"), number(&oldest, "lost")), (63, 0));
    assert_eq!(number(&oldest, "first_sequence"), 937);
    let gone = success(Program::start(subscriber(&root).args(["--from", "10"])));
    assert_conserved(&gone);
    assert_eq!((number(&gone, "first_sequence"), number(&gone, "next_sequence")), (10, 1_000));
    assert!(number(&gone, "lost") >= 927, "{gone}");
    let latest = success(Program::start(&mut subscriber(&root)));
    assert_eq!((number(&latest, "messages"), number(&latest, "first_sequence")), (0, 1_000));
    assert_eq!(latest["ended"], "closed");
    // No message was received live.
    for summary in [oldest, gone, latest] {
        assert_eq!(number(&summary, "received_live"), 0);
    }
}
