//! A publisher that is killed at every store: after its k-th store or change of a file, for k from 0 until it survives
//! its whole task. After each death the ring is intact: nobody sees half a message, no sequence number stands for two
//! messages, everything is accounted for, and a new publisher takes over.
//!
//! Only in a build that injects faults: `make faults`.
#![cfg(feed_ring_faults)]

use std::collections::HashMap;
use std::path::Path;
use std::process::ExitStatus;

use feed_ring::inspect::Ring;
use feed_ring::raw::{MessageFormat, RelayPublisher};
use feed_ring::{Ahead, Join, Payload, Publisher, Subscriber, TryRecvError, sync::faults};
use feed_testing::{PrivateRoot, as_child, child};

mod deaths;

use deaths::points_of;

/// A message of two cache lines: a shorter one would leave the stores into further lines untested. A longer one would
/// test nothing more. The assembly of copy.rs copies whole further lines, and no fault point lies between its stores.
/// For the slot's protocol they are stores like the others, between the same two fault points; `make chaos` kills
/// within them, and hot-path/tests/steps.rs after each of them and of the assembly that copies short messages.
const WORDS: usize = 9;
type Message = [u64; WORDS];

/// A message that contains its publisher and its number; its other words follow from these.
fn message(publisher: u64, number: u64) -> Message {
    let start = publisher << 32 | number;
    std::array::from_fn(|index| start.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(start) ^ (index as u64) << 60)
}

/// Whether all its words belong together: whether it is one of the messages that are published here.
fn is_whole(found: &Message) -> bool {
    (0..8).any(|publisher| (0..8).any(|number| message(publisher, number) == *found))
}

fn create<T: Payload>(root: &Path, capacity: usize, keep: bool) -> Publisher<T> {
    Publisher::options("faults").root(root).capacity(capacity).keep(keep).create().unwrap()
}

/// The tasks during which a publisher is killed.
const SCENARIOS: [&str; 9] = ["create", "publish", "ahead", "batch", "close", "takeover", "supersede", "one", "resume"];

fn run(scenario: &str, root: &Path, points: u64) {
    let arm = || faults::arm(points);
    match scenario {
        "create" => {
            arm();
            create::<Message>(root, 4, true).publish(&message(1, 0));
        }
        "publish" | "ahead" => {
            let mut publisher = create::<Message>(root, 4, true);
            publisher.set_ahead(if scenario == "ahead" { Ahead::Two } else { Ahead::One });
            arm();
            for number in 0..6 {
                publisher.publish(&message(1, number)); // laps the ring of 4
            }
        }
        "batch" => {
            let mut publisher = create::<Message>(root, 4, true);
            publisher.publish(&message(1, 0));
            arm();
            publisher.publish_batch(&[message(1, 1), message(1, 2), message(1, 3), message(1, 4)]);
        }
        "close" => {
            let mut publisher = create::<Message>(root, 4, false);
            publisher.publish(&message(1, 0));
            arm();
            publisher.close().unwrap();
        }
        "takeover" => {
            let mut publisher = create::<Message>(root, 4, true);
            publisher.publish_batch(&[message(1, 0), message(1, 1), message(1, 2), message(1, 3), message(1, 4)]);
            drop(publisher);
            arm();
            create::<Message>(root, 4, true).publish(&message(2, 0));
        }
        "supersede" => {
            let mut publisher = create::<Message>(root, 4, true);
            publisher.publish_batch(&[message(1, 0), message(1, 1)]);
            drop(publisher);
            arm();
            create::<Message>(root, 8, true).publish(&message(2, 0));
        }
        "one" => {
            let mut publisher = create::<Message>(root, 4, true);
            arm();
            publisher.publish(&message(1, 0));
        }
        "resume" => {
            arm();
            create::<Message>(root, 4, true).publish(&message(2, 0));
        }
        other => unreachable!("{other}"),
    }
    faults::arm(u64::MAX);
}

#[test]
#[ignore = "a child of other tests"]
fn publish_and_die() {
    if as_child() {
        let var = |name| std::env::var(name).unwrap();
        // It may be killed before anybody attached. Subscribers run in the parent, which waits for a first ring.
        run(&var("SCENARIO"), Path::new(&var("ROOT")), var("POINTS").parse().unwrap());
    }
}

/// A subscriber that remembers which message each sequence number stood for.
struct Witness {
    subscriber: Option<Subscriber<Message>>,
}

impl Witness {
    fn join(root: &Path, join: Join) -> Self {
        let subscriber = Subscriber::options("faults").root(root).join(join).open().ok();
        Witness { subscriber }
    }

    /// Reads everything there is; returns the error that ended it.
    fn drain(&mut self, seen: &mut HashMap<u64, Message>, context: &str) -> Option<TryRecvError> {
        let subscriber = self.subscriber.as_mut()?;
        loop {
            let at = subscriber.sequence();
            match subscriber.try_recv() {
                Ok(found) => {
                    assert!(is_whole(&found), "{context}: half a message at {at}: {found:x?}");
                    let before = *seen.entry(at).or_insert(found);
                    assert_eq!(before, found, "{context}: sequence {at} stood for another message");
                }
                Err(TryRecvError::Lagged { .. } | TryRecvError::Restarted { .. }) => {}
                Err(end) => {
                    let s = &*subscriber;
                    assert_eq!(s.first() + s.received() + s.lost() + s.skipped(), s.sequence(), "{context}");
                    assert!(!matches!(end, TryRecvError::Corrupt(_)), "{context}: {end}");
                    return Some(end);
                }
            }
        }
    }
}

/// `verify` must accept whatever a killed publisher leaves.
fn verify(root: &Path, context: &str) {
    if let Ok(ring) = Ring::open(root, "faults") {
        let verdict = ring.verify();
        assert!(verdict.is_fine(), "{context}: {verdict:?}");
    }
}

/// Runs publishers one after the other and kills each at its point, if it gets there. Returns how the last one ended.
fn die_at(deaths: &[(&str, u64)]) -> ExitStatus {
    let context = format!("{deaths:?}");
    assert!(deaths.iter().all(|(scenario, _)| SCENARIOS.contains(scenario)));
    let root = PrivateRoot::new();
    // The ring exists from the beginning and has been lapped. So a witness is attached all the time, and half a message
    // in any slot would spoil a whole one.
    let mut seen = HashMap::new();
    if deaths[0].0 != "create" {
        create::<Message>(root.path(), 4, true)
            .publish_batch(&std::array::from_fn::<_, 5, _>(|n| message(0, n as u64)));
    }
    let mut all_along = Witness::join(root.path(), Join::Oldest);
    let mut status = ExitStatus::default();
    for (scenario, points) in deaths {
        let mut command = child("publish_and_die");
        command.env("SCENARIO", scenario).env("ROOT", root.path()).env("POINTS", points.to_string());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        status = loop {
            all_along.drain(&mut seen, &context);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
        };
    }
    all_along.drain(&mut seen, &context);
    verify(root.path(), &context);
    let mut late = Witness::join(root.path(), Join::Oldest);
    late.drain(&mut seen, &context);
    // Whatever sequence a subscriber asks for, its message is whole or lost. This includes the slot that the oldest
    // message has just left.
    let asked = if deaths.len() > 1 { 0..12 } else { 0..0 };
    for sequence in asked {
        Witness::join(root.path(), Join::Sequence(sequence)).drain(&mut seen, &context);
    }

    // A new publisher starts without help and takes over; no subscriber is left behind.
    let mut next = create::<Message>(root.path(), 4, true);
    let first = next.published();
    // A ring that was closed and whose files are gone is over: the next ring of that name is another one.
    if deaths[0].0 == "close" && first == 0 {
        let end = all_along.drain(&mut seen, &context);
        assert!(matches!(end, Some(TryRecvError::Closed | TryRecvError::Superseded)), "{context}: {end:?}");
        seen.clear();
    }
    assert!(seen.keys().all(|&sequence| sequence < first), "{context}: {first} was published already");
    // Too few to lap a sequence number that was left out: a subscriber that waits for that number would wait for ever.
    for number in 0..2 {
        next.publish(&message(3, number));
    }
    verify(root.path(), &context);
    for witness in [&mut all_along, &mut late] {
        let end = witness.drain(&mut seen, &context);
        match &witness.subscriber {
            Some(subscriber) if end == Some(TryRecvError::Empty) => {
                assert_eq!(subscriber.sequence(), first + 2, "{context}: a permanent gap");
            }
            Some(_) => assert!(
                matches!(end, Some(TryRecvError::Superseded | TryRecvError::Closed)),
                "{context}: {end:?} is not how an old ring ends"
            ),
            None => {}
        }
    }
    let mut joined = Witness::join(root.path(), Join::Oldest);
    assert_eq!(joined.drain(&mut seen, &context), Some(TryRecvError::Empty), "{context}");
    assert_eq!(seen.get(&(first + 1)), Some(&message(3, 1)), "{context}");
    status
}

/// Kills the last publisher, which runs `scenario`, at every point in turn; returns how many points there were.
fn die_everywhere(before: &[(&str, u64)], scenario: &str) -> u64 {
    points_of(&format!("{scenario} {before:?}"), |points| {
        let mut deaths = before.to_vec();
        deaths.push((scenario, points));
        die_at(&deaths)
    })
}

#[test]
fn killed_while_creating() {
    die_everywhere(&[], "create");
}

#[test]
fn killed_while_publishing_and_with_lines_owned_two_ahead() {
    // Owning lines takes more stores. Otherwise no line was owned.
    assert!(die_everywhere(&[], "ahead") > die_everywhere(&[], "publish"));
}

#[test]
fn killed_within_a_batch() {
    die_everywhere(&[], "batch");
}

#[test]
fn killed_while_closing() {
    die_everywhere(&[], "close");
}

#[test]
fn killed_while_taking_over() {
    die_everywhere(&[], "takeover");
}

#[test]
fn killed_while_superseding() {
    die_everywhere(&[], "supersede");
}

/// A takeover that is itself killed, after each death that publishing one message can have. Only a second half-written
/// message in the same slot would show that the first takeover did not mark it.
#[test]
fn killed_while_taking_over_from_one_that_was_killed() {
    for points in 0..die_everywhere(&[], "one") {
        die_everywhere(&[("one", points)], "resume");
    }
}

fn relay(root: &Path) -> RelayPublisher {
    let options = RelayPublisher::options("faults", MessageFormat::of::<u64>()).root(root).capacity(4);
    options.create_relay(7, 0, 3).unwrap()
}

#[test]
#[ignore = "a child of other tests"]
fn relay_and_die() {
    if !as_child() {
        return;
    }
    let var = |name| std::env::var(name).unwrap();
    let (root, points): (_, u64) = (var("ROOT"), var("POINTS").parse().unwrap());
    let pass_over = var("PASS_OVER").parse::<u64>().ok();
    // One passes over, the other takes over from it.
    if pass_over.is_none() {
        faults::arm(points);
    }
    let mut relay = relay(Path::new(&root));
    if let Some(count) = pass_over {
        faults::arm(points);
        relay.publish(&[0; 8]);
        relay.pass_over(relay.published() + count);
    }
    faults::arm(u64::MAX);
    std::process::exit(0); // as if killed behind its last store
}

/// A relay is killed at every store while it passes over messages, and so is the one that takes over from it. What was told stays true:
/// no takeover goes back, whoever joins at the newest begins at the end, and no tool finds a fault.
#[test]
fn a_relay_and_the_next_one_killed_at_every_store() {
    for count in [1, 3, 4, 8, 9] {
        let die = |root: &PrivateRoot, pass_over: &str, points: u64| {
            let mut command = child("relay_and_die");
            command.env("ROOT", root.path()).env("POINTS", points.to_string()).env("PASS_OVER", pass_over);
            command.stdout(std::process::Stdio::null()).spawn().unwrap().wait().unwrap()
        };
        points_of(&format!("passing over {count}"), |first| {
            let mut survived = None;
            // Also a point at which the second one survives.
            for second in 0.. {
                let context = &*format!("{count} passed over, killed at {first} and {second}");
                let root = PrivateRoot::new();
                let mut before = relay(root.path());
                (0..3).for_each(|number| _ = before.publish(&u64::to_ne_bytes(number)));
                before.leave();
                let mut there = Subscriber::<u64>::options("faults").root(&root).join(Join::Oldest).open().unwrap();
                survived = Some(die(&root, &count.to_string(), first));
                let mut end = || {
                    while !matches!(there.try_recv(), Err(TryRecvError::Empty | TryRecvError::PublisherDead)) {}
                    there.sequence()
                };
                let told = end();
                let is_over = die(&root, "none", second).success();
                assert_eq!(end(), told, "{context}: goes on without a message");
                let late = Subscriber::<u64>::options("faults").root(&root).join(Join::Latest).open().unwrap();
                assert_eq!(late.first(), told, "{context}: Latest is elsewhere");
                let verdict = Ring::open(&root, "faults").unwrap().verify();
                assert!(verdict.is_fine(), "{context}: {verdict:?}");
                let mut last = relay(root.path());
                assert_eq!((last.published(), last.epoch()), (told, 3), "{context}");
                last.publish(&[0; 8]);
                assert_eq!(end(), told + 1, "{context}");
                if is_over {
                    break;
                }
            }
            survived.expect("it ran")
        });
    }
}
