//! A reader in Python that was written from docs/segment.md alone reads live, lapped, restarted and closed rings.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use feed_ring::raw::RecordRelayPublisher;
use feed_ring::records::RecordsFormat;
use feed_ring::{Publisher, RecordPublisher};
use feed_testing::{PrivateRoot, Program, skipped};

type Message = [u32; 4];

fn message(number: u32) -> Message {
    [number, 7, u32::MAX, number * 3]
}

fn text(bytes: impl IntoIterator<Item = u8>) -> String {
    bytes.into_iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(number: u32) -> String {
    format!("{number} {}", text(message(number).into_iter().flat_map(u32::to_ne_bytes)))
}

/// The reader. `None` where there is no Python.
fn reader(root: &PrivateRoot, name: &str, number: u64, end: bool) -> Option<Command> {
    if !Command::new("python3").arg("--version").output().is_ok_and(|output| output.status.success()) {
        skipped("docs/segment.md is not tried: python3 is not installed");
        return None;
    }
    let mut command = Command::new("python3");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/segment/reader.py");
    command.arg(script).arg(root.as_ref().join(format!("{name}.ring"))).arg(number.to_string());
    command.args(end.then_some("end"));
    Some(command)
}

fn read(root: &PrivateRoot, name: &str, number: u64) -> Option<Vec<String>> {
    let finished = Program::start(&mut reader(root, name, number, true)?).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    Some(finished.stdout.lines().map(str::to_owned).collect())
}

#[test]
fn messages_are_read() {
    let root = PrivateRoot::new();
    let make = || Publisher::<Message>::options("m").root(&root).capacity(8).keep(true).create().unwrap();
    let mut publisher = make();
    (0..5).for_each(|number| _ = publisher.publish(&message(number)));
    let Some(lines) = read(&root, "m", 0) else { return };
    let expected = |numbers: std::ops::Range<u32>| numbers.map(line).collect::<Vec<_>>();
    assert_eq!(lines, [expected(0..5), vec!["end".to_owned()]].concat());

    (5..20).for_each(|number| _ = publisher.publish(&message(number)));
    let lines = read(&root, "m", 2).unwrap();
    assert_eq!(lines, [vec!["lost 11".to_owned()], expected(13..20), vec!["end".to_owned()]].concat(), "lapped");

    let mut live = Program::start(&mut reader(&root, "m", 18, false).unwrap());
    live.wait_for(&line(19));
    publisher.publish(&message(20));
    live.wait_for(&line(20));
    publisher.leave();
    let dead = live.finish();
    assert!(dead.stdout.ends_with("dead\n"), "{}", dead.stdout);

    let mut publisher = make();
    let mut live = Program::start(&mut reader(&root, "m", 20, false).unwrap());
    live.wait_for(&line(20));
    publisher.publish(&message(21));
    publisher.close().unwrap();
    assert!(live.finish().stdout.ends_with(&format!("{}\nclosed\n", line(21))));
}

#[test]
fn a_takeover_is_seen() {
    let root = PrivateRoot::new();
    let make = || Publisher::<Message>::options("m").root(&root).capacity(8).create().unwrap();
    let mut publisher = make();
    publisher.publish(&message(0));
    let Some(mut command) = reader(&root, "m", 0, false) else { return };
    let mut live = Program::start(&mut command);
    live.wait_for(&line(0));
    // Not dead in between: another process holds the FIFO open, as a publisher does that takes over at once.
    let fifo = std::fs::OpenOptions::new().read(true).write(true).open(root.as_ref().join("m.ring/live")).unwrap();
    publisher.leave();
    let mut publisher = make();
    drop(fifo);
    publisher.publish(&message(1));
    live.wait_for("epoch 2 from 1");
    live.wait_for(&line(1));
    publisher.close().unwrap();
    live.finish();
}

#[test]
fn records_are_read() {
    let root = PrivateRoot::new();
    let options = RecordPublisher::options("r", RecordsFormat::encoded("test"));
    let mut publisher = options.root(&root).capacity(32).create_records().unwrap();
    let bytes = |number: u64| (0..number * 13 % 250).map(move |i| (number + i) as u8).collect::<Vec<_>>();
    let line = |number: u64| format!("{number} {} {}", number % 5, text(bytes(number)));
    let mut publish = |number: u64| assert_eq!(publisher.publish((number % 5) as u8, &bytes(number)), Ok(number));
    (0..8).for_each(&mut publish);
    let Some(lines) = read(&root, "r", 3) else { return };
    assert_eq!(lines, [(3..8).map(line).collect::<Vec<_>>(), vec!["end".to_owned()]].concat());

    (8..200).for_each(&mut publish);
    let lines = read(&root, "r", 3).unwrap();
    let lost: u64 = lines[0].strip_prefix("lost ").expect("it was lapped").parse().unwrap();
    let expected = (3 + lost..200).map(line).collect::<Vec<_>>();
    assert_eq!(lines[1..], [expected, vec!["end".to_owned()]].concat());
    assert!((180..195).contains(&(3 + lost)), "{lost}");

    let mut live = Program::start(&mut reader(&root, "r", 199, false).unwrap());
    live.wait_for(&line(199));
    publish(200);
    live.wait_for(&line(200));
    std::thread::sleep(Duration::from_millis(5));
    publisher.close().unwrap();
    assert!(live.finish().stdout.ends_with("closed\n"));
}

#[test]
fn records_with_another_rings_numbers_are_read() {
    let root = PrivateRoot::new();
    let options = RecordRelayPublisher::options("far", RecordsFormat::encoded("test"));
    let mut relay = options.root(&root).capacity(8).create_record_relay(7, 1 << 40, 3).unwrap();
    let first = 1u64 << 40;
    let line = |number: u64| format!("{number} 5 {}", text(number.to_ne_bytes()));
    let publish = |relay: &mut RecordRelayPublisher| {
        let number = relay.published();
        relay.publish(5, &number.to_ne_bytes()).unwrap();
    };
    publish(&mut relay);
    relay.pass_over(first + 4).unwrap();
    let end = "end".to_owned();
    let Some(lines) = read(&root, "far", first) else { return };
    assert_eq!(lines, [line(first), "lost 3".to_owned(), end.clone()]);
    publish(&mut relay);
    relay.pass_over(first + (1 << 31)).unwrap();
    publish(&mut relay);
    let lines = read(&root, "far", first + 2).unwrap();
    let lost = format!("lost {}", (1u64 << 31) - 5);
    assert_eq!(lines, ["lost 2".to_owned(), line(first + 4), lost, line(first + (1 << 31)), end.clone()]);
    (0..5).for_each(|_| publish(&mut relay));
    let lines = read(&root, "far", first).unwrap();
    let (newest, lost) = (first + (1 << 31), format!("lost {}", 1u64 << 31));
    assert_eq!(lines, [vec![lost], (newest..newest + 6).map(line).collect(), vec![end]].concat(), "lapped");
}
