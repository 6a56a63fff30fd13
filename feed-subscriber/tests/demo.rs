//! Tests of `demo/demo.sh`: what it says, its exit code, and that it leaves nothing behind, whenever it is stopped.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use feed::sample;
use feed_testing::{Finished, PrivateRoot, Program, program};
use rustix::process::{Pid, Signal, kill_process_group};

/// The demo with the programs of this build, in a process group of its own, as `make demo` in a shell is.
fn demo(variables: &[(&str, &str)]) -> Command {
    // Both programs are in one folder; this builds the other one, if it must.
    let bin = program("feed-publisher").parent().unwrap().to_owned();
    assert_eq!(bin, Path::new(env!("CARGO_BIN_EXE_feed-subscriber")).parent().unwrap());
    let mut command = Command::new("sh");
    command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../demo/demo.sh")).process_group(0).stdin(Stdio::null());
    for name in ["INPUT", "COUNT", "RATE", "VERBOSE", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("BIN", bin).envs(variables.iter().copied());
    command
}

/// The directory of a demo.
fn root_of(id: u32) -> PathBuf {
    PathBuf::from(format!("/dev/shm/feed-ring-demo.{id}"))
}

/// Waits for a demo's end. Fails unless its directory and all its processes are gone.
#[track_caller]
fn finish(demo: Program) -> Finished {
    let id = demo.id();
    let finished = demo.finish();
    assert!(!root_of(id).exists(), "its directory is left: {finished:?}");
    let left: Vec<String> =
        std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| runs_in(id, &entry.path())).collect();
    assert!(left.is_empty(), "processes are left: {left:?} {finished:?}");
    finished
}

/// The state of a process of this group that runs. One that ended, and that nobody has waited for yet, does not.
fn runs_in(group: u32, process: &Path) -> Option<String> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let (state, of_group) = (fields.next()?, fields.nth(1)?);
    (of_group == group.to_string() && state != "Z").then(|| stat.clone())
}

fn run(variables: &[(&str, &str)]) -> Finished {
    finish(Program::start(&mut demo(variables)))
}

/// Fails unless it said in a few lines what happened, how long messages took and why, and that the digests agree.
#[track_caller]
fn assert_explains(finished: &Finished, published: &str) {
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert!(lines.len() <= 12 && lines[1..].iter().all(|line| line.chars().count() <= 95), "{finished:?}");
    assert!(lines[1].starts_with(&format!("Result    {published} messages published, ")), "{finished:?}");
    assert!(lines[1].ends_with("; both subscribers received all."), "{finished:?}");
    assert!(lines[2].starts_with("          The digests agree: "), "{finished:?}");
    assert!(lines[3].starts_with("Latency   half within ") && lines[3].contains(", 99 % within "), "{finished:?}");
    let why = ["(--wait block); waking takes microseconds.", "(--wait spin).", "Try again on a quiet machine."];
    assert!(lines[4].starts_with("Why       ") && why.iter().any(|why| lines[4].ends_with(why)), "{finished:?}");
    assert!(finished.stdout.contains("\nNext      make demo VERBOSE=1 "), "{finished:?}");
}

#[test]
fn it_explains_itself_in_a_few_lines() {
    let finished = run(&[("COUNT", "20000"), ("RATE", "20000")]);
    assert!(finished.stdout.starts_with("Replaying a synthetic market through a ring"), "{finished:?}");
    assert_explains(&finished, "20,000");
}

#[test]
fn it_replays_a_file() {
    let root = PrivateRoot::new();
    let path = root.path().join("feed.csv");
    std::fs::write(&path, sample::csv(500)).unwrap();
    let path = path.to_str().unwrap();
    let finished = run(&[("INPUT", path), ("RATE", "20000")]);
    assert!(finished.stdout.starts_with(&format!("Replaying {path} through a ring")), "{finished:?}");
    assert_explains(&finished, "500");
}

#[test]
fn verbose_has_every_figure() {
    let finished = run(&[("COUNT", "2000"), ("RATE", "20000"), ("VERBOSE", "1")]);
    assert_eq!((finished.code, &*finished.stderr), (Some(0), ""), "{finished:?}");
    for (row, count) in [("price_sum ", 3), ("latency_ns p99.9 ", 2), ("digest ", 3), ("epoch ", 1)] {
        assert_eq!(finished.stdout.lines().filter(|line| line.starts_with(row)).count(), count, "{row}: {finished:?}");
    }
    assert!(finished.stdout.contains("The digests agree: ") && !finished.stdout.contains("VERBOSE=1"), "{finished:?}");
}

#[test]
fn an_input_that_cannot_be_read_is_an_error() {
    let finished = run(&[("INPUT", "/no/such/file")]);
    assert_eq!((finished.code, finished.stdout.lines().count()), (Some(1), 1), "{finished:?}");
    assert!(finished.stderr.starts_with("feed-publisher: /no/such/file: "), "{finished:?}");
}

/// A folder with both programs. Those that are named are scripts that run them in another way.
fn programs(root: &PrivateRoot, scripts: &[(&str, &str)]) -> String {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let bin = root.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in [program("feed-publisher"), PathBuf::from(env!("CARGO_BIN_EXE_feed-subscriber"))] {
        let place = bin.join(program.file_name().unwrap());
        if let Some((_, script)) = scripts.iter().find(|(name, _)| place.ends_with(name)) {
            let script = script.replace("PROGRAM", program.to_str().unwrap());
            std::fs::write(&place, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o700)).unwrap();
        } else {
            symlink(program, place).unwrap();
        }
    }
    bin.to_str().unwrap().to_owned()
}

#[test]
fn messages_that_were_not_received_are_an_error() {
    // A small ring at full speed, and subscribers that are slow.
    let root = PrivateRoot::new();
    let small = ("feed-publisher", "exec PROGRAM \"$@\" --capacity 1024");
    let bin = programs(&root, &[small, ("feed-subscriber", "exec PROGRAM \"$@\" --delay-ns 5000")]);
    let finished = run(&[("BIN", &bin), ("COUNT", "200000"), ("RATE", "10000000")]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stdout.contains("\nResult    Of 200,000 messages subscriber 1 lost "), "{finished:?}");
    assert!(!finished.stdout.contains("agree"), "{finished:?}");
}

#[test]
fn other_messages_than_those_published_are_an_error() {
    let root = PrivateRoot::new();
    let bin = programs(&root, &[("feed-subscriber", "PROGRAM \"$@\" | sed 's/^digest .*/digest  0123456789abcdef/'")]);
    let finished = run(&[("BIN", &bin), ("COUNT", "2000"), ("RATE", "20000")]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let differ = finished.stdout.lines().find(|line| line.starts_with("Result    The digests differ: published "));
    assert!(
        differ.is_some_and(|line| line.ends_with(" received 0123456789abcdef and 0123456789abcdef.")),
        "{finished:?}"
    );
}

#[test]
fn a_subscriber_that_fails_is_an_error() {
    let root = PrivateRoot::new();
    let bin = programs(&root, &[("feed-subscriber", "PROGRAM \"$@\"; echo broken >&2; exit 3")]);
    let finished = run(&[("BIN", &bin), ("COUNT", "2000"), ("RATE", "20000")]);
    assert_eq!(finished.code, Some(3), "{finished:?}");
    assert!(finished.stderr.starts_with("broken\n") && finished.stdout.lines().count() == 1, "{finished:?}");
}

/// The moments at which it is stopped: what must be there first, in the demo's directory.
const MOMENTS: [&str; 6] = ["", "subscriber1", "publisher", "feed.ring", "feed.ring/segment", "publishing"];

#[test]
fn ctrl_c_leaves_nothing_behind() {
    for moment in MOMENTS {
        // Also some time later: what is there says little about how far each process is.
        for later in [0, 5] {
            stop_at(Signal::INT, moment, Duration::from_millis(later));
        }
    }
    for signal in [Signal::TERM, Signal::HUP] {
        stop_at(signal, "feed.ring", Duration::ZERO);
        stop_at(signal, "publishing", Duration::ZERO);
    }
}

/// Sends a signal to all processes of the demo, as a terminal does.
fn stop_at(signal: Signal, moment: &str, later: Duration) {
    // It would take more than a minute.
    let demo = Program::start(&mut demo(&[("COUNT", "1000000"), ("RATE", "10000")]));
    let root = root_of(demo.id());
    let (begun, group) = (Instant::now(), Pid::from_raw(demo.id().cast_signed()).unwrap());
    let is_there = || match moment {
        "" => true,
        "publishing" => feed_ring::inspect::Ring::open(&root, "feed").is_ok_and(|ring| ring.published() > 0),
        name => root.join(name).exists(),
    };
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{moment:?} never came");
        std::thread::yield_now();
    }
    std::thread::sleep(later);
    kill_process_group(group, signal).unwrap();
    let finished = finish(demo);
    let code = 128 + signal.as_raw();
    let asked = finished.code == Some(code);
    // Before the script has said what to do, a signal ends it as any other program.
    assert!(asked || (moment.is_empty() && finished.code.is_none()), "{signal:?} at {moment:?}: {finished:?}");
}

#[test]
fn ctrl_c_twice_leaves_nothing_behind() {
    let demo = Program::start(&mut demo(&[("COUNT", "1000000"), ("RATE", "10000")]));
    let group = Pid::from_raw(demo.id().cast_signed()).unwrap();
    while !root_of(demo.id()).join("feed.ring/segment").exists() {
        std::thread::yield_now();
    }
    for _ in 0..3 {
        kill_process_group(group, Signal::INT).unwrap();
    }
    assert_eq!(finish(demo).code, Some(130));
}
