//! Runs the examples as their reader does: beside each other, on one ring, until Ctrl-C.

use std::path::PathBuf;
use std::process::Command;

use feed_testing::{PrivateRoot, Program};
use rustix::process::Signal;

/// Kills, restarts and ends the publisher, and sees each subscriber follow it and end on Ctrl-C. `path` is that of an
/// example's program.
pub(crate) fn run(path: impl Fn(&str) -> PathBuf) {
    let root = PrivateRoot::new();
    let start = |name: &str| Program::start(Command::new(path(name)).arg(root.path()));
    let publish = |epoch: u64| {
        let mut publisher = start("publisher");
        publisher.wait_for_error(&format!("epoch {epoch}\n"));
        publisher
    };
    for name in ["publisher", "subscriber", "blocking", "event_loop"] {
        let finished = Program::start(Command::new(path(name)).arg(root.path().join("none"))).finish();
        assert_eq!((finished.code, finished.stderr.lines().count()), (Some(1), 1), "{}", finished.stderr);
        let says = format!("{name}: {}/none: ", root.path().display());
        assert!(finished.stderr.starts_with(&says), "{}", finished.stderr);
    }
    let mut subscriber = start("subscriber");
    subscriber.wait_for_error(&format!("waiting for the ring: {}/ticks.ring: no such ring", root.path().display()));
    let mut publisher = publish(1);
    let mut sleepers = ["blocking", "event_loop"].map(start);
    subscriber.wait_for(" Tick {");
    sleepers.iter_mut().for_each(|sleeper| sleeper.wait_for(" Tick {"));

    publisher.kill();
    subscriber.wait_for_error("the publisher is gone, before sequence ");
    publisher = publish(2);
    subscriber.wait_for_error("epoch 2 begins at sequence");
    sleepers.iter_mut().for_each(|sleeper| sleeper.wait_for_error("epoch 2 begins at sequence"));

    // Nothing but the signal can wake them now.
    publisher.kill();
    for sleeper in sleepers {
        interrupt(sleeper, "received ");
    }

    publisher = publish(3);
    subscriber.wait_for_error("epoch 3 begins at sequence");
    interrupt(publisher, "published up to sequence ");
    assert_eq!(root.names(), [""; 0], "a publisher that ends on Ctrl-C leaves no ring");
    subscriber.wait_for_error("closed at sequence ");
    publisher = publish(1);
    subscriber.wait_for_error("it numbers its messages anew");
    subscriber.wait_for("\n0 Tick {");
    interrupt(subscriber, "received ");
    interrupt(publisher, "published up to sequence ");
    assert_eq!(root.names(), [""; 0]);
}

/// Presses Ctrl-C, and checks that the program says this and ends well.
fn interrupt(program: Program, says: &str) {
    program.signal(Signal::INT);
    let finished = program.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains(says), "{}", finished.stderr);
}
