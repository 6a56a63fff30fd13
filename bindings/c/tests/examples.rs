//! The examples as somebody would run them: publishers and subscribers in both languages, killed, restarted and stopped.

mod common;

use std::fs;
use std::path::Path;
use std::process::Command;

use common::{Linked, compiled, under_valgrind};
use feed_ring::{Join, Payload, Subscriber};
use feed_testing::{PrivateRoot, Program};
use rustix::process::Signal;

/// The message of ring/examples, which those in C and C++ have too.
#[derive(Clone, Copy, Debug, Payload)]
#[repr(C)]
struct Tick {
    time: u64,
    price: i64,
    size: u64,
}

fn start(program: &Path, root: &PrivateRoot, arguments: &[&str]) -> Program {
    Program::start(Command::new(program).arg(root.path()).args(arguments))
}

#[test]
fn publishers_and_subscribers_of_both_languages_survive_each_other() {
    let Some(publisher) = compiled("examples/publisher.c", Linked::Shared) else { return };
    let Some(subscriber) = compiled("examples/subscriber.c", Linked::Static) else { return };
    let (Some(next), Some(other)) =
        (compiled("examples/publisher.cpp", Linked::Shared), compiled("examples/subscriber.cpp", Linked::Shared))
    else {
        return;
    };
    let root = PrivateRoot::new();
    let mut first = start(&publisher, &root, &[]);
    first.wait_for_error("from sequence 0, epoch 1");
    let mut subscribers = [start(&subscriber, &root, &[]), start(&other, &root, &[])];
    // The same ring from Rust: the schemas are equal.
    let mut rust = Subscriber::<Tick>::options("ticks").root(root.path()).join(Join::Oldest).open().unwrap();
    assert!(rust.recv().unwrap().price > 0);
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for(" price "));
    first.kill();
    let gone = "publisher is gone";
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for_error(gone));
    let mut second = start(&next, &root, &[]);
    second.wait_for_error("epoch 2");
    subscribers.iter_mut().for_each(|subscriber| subscriber.wait_for_error("epoch 2 begins at sequence"));
    second.signal(Signal::INT);
    assert_eq!(second.finish().code, Some(0));

    let [mut in_c, in_cpp] = subscribers;
    in_c.wait_for_error("the ring is closed; waiting for a publisher");
    let ended = in_cpp.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("closed\n") && ended.stderr.contains(", lost 0 of"), "{}", ended.stderr);
    // Another ring of the name.
    let third = start(&publisher, &root, &[]);
    in_c.wait_for_error("another ring");
    in_c.signal(Signal::INT);
    let ended = in_c.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("lost 0 of the last ring's ticks"), "{}", ended.stderr);
    third.signal(Signal::TERM);
    assert_eq!(third.finish().code, Some(0));
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn the_example_of_the_readme_compiles() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let example = readme.split_once("```c\n").unwrap().1.split_once("```").unwrap().0;
    let root = PrivateRoot::new();
    let source = root.path().join("readme.c");
    fs::write(&source, example).unwrap();
    compiled(source.to_str().unwrap(), Linked::Shared);
}

#[test]
fn the_examples_are_clean_under_valgrind() {
    let programs =
        ["examples/publisher.c", "examples/subscriber.c", "examples/publisher.cpp", "examples/subscriber.cpp"];
    for pair in programs.chunks(2) {
        let [Some(publisher), Some(subscriber)] = [pair[0], pair[1]].map(|source| compiled(source, Linked::Shared))
        else {
            return;
        };
        let (Some(mut publishes), Some(mut subscribes)) = (under_valgrind(&publisher), under_valgrind(&subscriber))
        else {
            return;
        };
        let root = PrivateRoot::new();
        let mut publisher = Program::start(publishes.arg(root.path()));
        publisher.wait_for_error("from sequence 0");
        let received = Program::start(subscribes.arg(root.path()).arg("5")).finish();
        assert_eq!((received.code, received.stdout.lines().count()), (Some(0), 5), "{}", received.stderr);
        publisher.signal(Signal::INT);
        let published = publisher.finish();
        assert_eq!(published.code, Some(0), "{}", published.stderr);
    }
}
