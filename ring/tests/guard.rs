//! Files that are cut short while they are mapped: with the guard an error, without it a death by SIGBUS, and never a
//! message that nobody published.
#![allow(unsafe_code)] // reading beyond the end of a mapped file, to raise SIGBUS on purpose

use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, WaitStrategy, guard};
use feed_testing::{Child, PrivateRoot, as_child, child};
use rustix::process::{Resource, Rlimit, setrlimit};

/// A message of three cache lines. Each word follows from the sequence number, and none is zero.
type Message = [u64; 22];

fn message(sequence: u64) -> Message {
    std::array::from_fn(|word| (sequence * 64 + word as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
}

fn cut(path: &std::path::Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

/// Starts a child that may die of a signal: it leaves no core file behind, and its processor time is limited.
fn as_mortal_child() -> bool {
    let limit = |resource, value| setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) }).is_ok();
    as_child() && limit(Resource::Core, 0) && limit(Resource::Cpu, 300)
}

fn start(test: &str, root: &PrivateRoot) -> Command {
    let mut command = child(test);
    command.env("ROOT", root.path());
    command
}

fn root() -> String {
    std::env::var("ROOT").unwrap()
}

/// Subscribes, with a guard if `GUARD` is set, and reads until an error.
#[test]
#[ignore = "a child of other tests"]
fn subscribe_until_the_end() {
    if as_mortal_child() {
        if std::env::var_os("GUARD").is_some() {
            guard::install().unwrap();
        }
        let sleepy = std::env::var_os("SLEEPY").is_some();
        let wait = if sleepy { WaitStrategy::Block } else { WaitStrategy::Spin };
        let options = Subscriber::<Message>::options("cut").root(root()).join(Join::Oldest).wait(wait);
        let mut subscriber = options.open().unwrap();
        println!("\nattached");
        loop {
            let received = match sleepy {
                true => subscriber.recv_timeout(Duration::MAX),
                false => subscriber.try_recv(),
            };
            match received {
                Ok(found) => assert_eq!(found, message(subscriber.sequence() - 1), "a message that nobody published"),
                Err(TryRecvError::Empty | TryRecvError::Lagged { .. }) => thread::yield_now(),
                Err(error) => {
                    assert_eq!(subscriber.try_recv(), Err(error), "the same error comes again");
                    println!("ended: {error}");
                    return;
                }
            }
        }
    }
}

/// Cuts `file` to `bytes` under a subscriber in a process of its own. Returns how that process ended and what it
/// printed.
fn cut_under_a_subscriber(file: &str, bytes: u64, environment: &[&str]) -> (ExitStatus, String) {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(64).create().unwrap();
    publisher.publish(&message(0));
    let mut command = start("subscribe_until_the_end", &root);
    command.envs(environment.iter().map(|name| (name, "1")));
    let mut subscriber = Child::start(&mut command);
    subscriber.wait_for("attached");
    if environment.contains(&"SLEEPY") {
        thread::sleep(Duration::from_millis(50)); // so that it sleeps, most likely
    }
    cut(&publisher.path().unwrap().join(file), bytes);
    if file == "control" {
        if environment.is_empty() {
            let ended = subscriber.finish();
            std::mem::forget(publisher);
            return ended;
        }
        // The subscriber writes its position into `control` and is not disturbed: it reads to the end. This process has
        // no guard, so the ring is ended by writing into its file.
        thread::sleep(Duration::from_millis(50));
        let segment = OpenOptions::new().write(true).open(publisher.path().unwrap().join("segment")).unwrap();
        segment.write_all_at(&2u64.to_ne_bytes(), 16 * 8).unwrap();
        std::mem::forget(publisher);
        return subscriber.finish();
    }
    let ended = subscriber.finish();
    std::mem::forget(publisher); // its memory is gone: this process has no guard
    ended
}

#[test]
fn a_guarded_subscriber_ends_with_an_error() {
    let (status, said) = cut_under_a_subscriber("segment", 0, &["GUARD"]);
    assert!(status.success(), "{status}: {said}");
    assert!(said.contains("ended: the segment was cut short under its subscriber"), "{said}");
}

#[test]
fn an_unguarded_subscriber_dies_of_sigbus() {
    let (status, said) = cut_under_a_subscriber("segment", 0, &[]);
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}: {said}");
}

#[test]
fn a_subscriber_goes_on_without_control() {
    for environment in [&["GUARD"][..], &["GUARD", "SLEEPY"]] {
        let (status, said) = cut_under_a_subscriber("control", 0, environment);
        assert!(status.success() && said.contains("ended: the ring is closed"), "{status}: {said}");
    }
    let (status, said) = cut_under_a_subscriber("control", 0, &[]);
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}: {said}");
}

#[test]
fn a_sleeping_subscriber_ends_too() {
    let (status, said) = cut_under_a_subscriber("segment", 4096, &["GUARD", "SLEEPY"]);
    assert!(status.success() && said.contains("ended: the segment was cut short"), "{status}: {said}");
}

/// Publishes with a guard while its own files are cut short.
#[test]
#[ignore = "a child of other tests"]
fn publish_without_files() {
    if as_mortal_child() {
        if std::env::var_os("GUARD").is_some() {
            guard::install().unwrap();
        }
        let root = root();
        let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(64).create().unwrap();
        let mut subscriber = Subscriber::<Message>::options("cut").root(&root).open().unwrap();
        let path = publisher.path().unwrap().to_owned();
        cut(&path.join("control"), 0);
        for sequence in 0..200 {
            publisher.publish(&message(sequence));
            assert_eq!(subscriber.try_recv(), Ok(message(sequence)), "control is not needed");
        }
        assert!(!publisher.is_cut_off());
        cut(&path.join("segment"), 8192);
        for sequence in 200..400 {
            publisher.publish(&message(sequence));
        }
        assert!(publisher.is_cut_off());
        let mut received = 0;
        let end = loop {
            match subscriber.try_recv() {
                Ok(found) => assert_eq!(found, message(subscriber.sequence() - 1)),
                Err(TryRecvError::Lagged { .. }) => {}
                Err(end) => break end,
            }
            received += 1;
        };
        assert_eq!(end, TryRecvError::CutShort, "after {received} messages");
        publisher.close().unwrap();
        println!("\nended in order");
    }
}

#[test]
fn a_guarded_publisher_is_told() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(start("publish_without_files", &root).env("GUARD", "1")).finish();
    assert!(status.success() && said.contains("ended in order"), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

/// Publishes with a guard while all its memory is locked, and more cannot be: the mapping that replaces the cut one counts
/// beside it.
#[test]
#[ignore = "a child of other tests"]
fn publish_from_locked_memory() {
    if !as_mortal_child() {
        return;
    }
    guard::install().unwrap();
    // Whoever has this capability has no limit.
    let mut capabilities = rustix::thread::capabilities(None).unwrap();
    capabilities.effective -= rustix::thread::CapabilitySet::IPC_LOCK;
    rustix::thread::set_capabilities(None, capabilities).unwrap();
    // A ring of 3 MiB has room under the limit, and another mapping of its size has not.
    let limit = Some(5 << 20);
    let limited = setrlimit(Resource::Memlock, Rlimit { current: limit, maximum: limit });
    // SAFETY: it takes no pointers.
    if limited.is_err() || unsafe { libc::mlockall(libc::MCL_FUTURE) } != 0 {
        return println!("\ncannot: this user may not lock {limit:?} bytes");
    }
    let mut publisher = Publisher::<Message>::options("cut").root(root()).capacity(1 << 14).create().unwrap();
    publisher.publish(&message(0));
    cut(&publisher.path().unwrap().join("segment"), 0);
    publisher.publish(&message(1));
    println!("\nsurvived {}", publisher.is_cut_off());
    publisher.close().unwrap();
}

#[test]
fn a_guarded_publisher_survives_in_locked_memory() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(&mut start("publish_from_locked_memory", &root)).finish();
    if let Some(reason) = said.lines().find_map(|line| line.strip_prefix("cannot: ")) {
        return feed_testing::skipped(reason);
    }
    assert!(status.success() && said.contains("survived true"), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn an_unguarded_publisher_dies_of_sigbus() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(&mut start("publish_without_files", &root)).finish();
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}: {said}");
}

const ROUNDS: u64 = 300;
const READERS: u64 = 4;

/// In each round, cuts a ring short at some page while one thread publishes and four read.
#[test]
#[ignore = "a child of other tests"]
fn read_while_it_is_cut() {
    if as_mortal_child() {
        guard::install().unwrap();
        let (root, received) = (root(), AtomicU64::new(0));
        for round in 0..ROUNDS {
            let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(256).create().unwrap();
            let segment = publisher.path().unwrap().join("segment");
            let pages = segment.metadata().unwrap().len() / 4096;
            let (reading, over) = (AtomicU64::new(0), AtomicBool::new(false));
            thread::scope(|scope| {
                for _ in 0..READERS {
                    scope.spawn(|| {
                        let mut subscriber = Subscriber::<Message>::options("cut").root(&root).open().unwrap();
                        let mut count = 0;
                        loop {
                            match subscriber.try_recv() {
                                Ok(found) => {
                                    assert_eq!(found, message(subscriber.sequence() - 1), "round {round}");
                                    count += 1;
                                    if count == 50 {
                                        reading.fetch_add(1, Ordering::Relaxed);
                                    }
                                }
                                Err(TryRecvError::Empty) => thread::yield_now(),
                                Err(TryRecvError::Lagged { .. }) => {}
                                Err(TryRecvError::CutShort) => break,
                                Err(error) => panic!("round {round}: {error}"),
                            }
                        }
                        received.fetch_add(count, Ordering::Relaxed);
                    });
                }
                let (publishing, over) = (&mut publisher, &over);
                let publishing = scope.spawn(move || {
                    let mut sequence = 0;
                    while !publishing.is_cut_off() && !over.load(Ordering::Relaxed) {
                        publishing.publish(&message(sequence));
                        sequence += 1;
                        if sequence % 64 == 0 {
                            thread::yield_now();
                        }
                    }
                    publishing.is_cut_off()
                });
                while reading.load(Ordering::Relaxed) < READERS {
                    assert!(!publishing.is_finished());
                    thread::yield_now();
                }
                cut(&segment, (round * 7 % pages) * 4096);
                assert!(publishing.join().unwrap(), "the publisher learns of it");
            });
        }
        println!("\nrounds {ROUNDS} received {}", received.into_inner());
    }
}

#[test]
fn nothing_but_whole_messages_is_ever_read() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(&mut start("read_while_it_is_cut", &root)).finish();
    assert!(status.success() && said.contains(&format!("rounds {ROUNDS} ")), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

/// Reads a byte of a mapped file that was cut short: SIGBUS on a mapping that does not belong to a ring.
fn raise_sigbus_elsewhere() {
    let file = rustix::fs::memfd_create("elsewhere", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::fs::ftruncate(&file, 4096).unwrap();
    let map = memmap2::MmapOptions::new().len(4096).map_raw(&file).unwrap();
    rustix::fs::ftruncate(&file, 0).unwrap();
    // SAFETY: the address is mapped; the access is meant to raise a signal.
    unsafe { map.as_ptr().read_volatile() };
}

/// The program's own handler: ends the process with 42 to show that it was called.
extern "C" fn own_handler(_: libc::c_int) {
    // SAFETY: _exit has no conditions.
    unsafe { libc::_exit(42) };
}

/// Raises a SIGBUS that has nothing to do with a ring.
#[test]
#[ignore = "a child of other tests"]
fn fault_elsewhere() {
    if as_mortal_child() {
        let what = std::env::var("WHAT").unwrap();
        if what == "own handler" {
            let handler: extern "C" fn(libc::c_int) = own_handler;
            // SAFETY: the handler does nothing but _exit.
            unsafe { libc::signal(libc::SIGBUS, handler as usize) };
        }
        if what == "default" {
            // SAFETY: the default action has no conditions.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
        }
        if what == "ignored" {
            // SAFETY: ignoring has no conditions.
            unsafe { libc::signal(libc::SIGBUS, libc::SIG_IGN) };
        }
        guard::install().unwrap();
        guard::install().unwrap();
        let root = root();
        let _publisher = Publisher::<Message>::options("cut").root(root).create().unwrap();
        if what == "ignored" || what == "sent" {
            // SAFETY: raise has no conditions.
            unsafe { libc::raise(libc::SIGBUS) };
            println!("\nstill here");
        }
        raise_sigbus_elsewhere();
        println!("\nsurvived");
    }
}

fn fault(what: &str) -> (ExitStatus, String) {
    let root = PrivateRoot::new();
    Child::start(start("fault_elsewhere", &root).env("WHAT", what)).finish()
}

#[test]
fn other_faults_are_passed_on() {
    let (status, said) = fault("own handler");
    assert_eq!(status.code(), Some(42), "the previous handler is called; {said}");
    for what in ["runtime", "default"] {
        let (status, said) = fault(what);
        assert_eq!(status.signal(), Some(libc::SIGBUS), "{what}: {status}: {said}");
        assert!(!said.contains("survived"), "{said}");
    }
    let (status, said) = fault("ignored");
    assert!(said.contains("still here"), "a signal that was sent is still ignored; {said}");
    assert_eq!(status.signal(), Some(libc::SIGBUS), "a faulting access cannot be ignored; {said}");
}

/// Maps more rings than the table holds. The mappings beyond it work, and are not guarded.
#[test]
#[ignore = "a child of other tests"]
fn overfill() {
    if as_mortal_child() {
        guard::install().unwrap();
        let root = root();
        let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(64).create().unwrap();
        let open = || Subscriber::<Message>::options("cut").root(&root).join(Join::Oldest).open().unwrap();
        publisher.publish(&message(0));
        let early = open();
        let many: Vec<_> = (0..guard::CAPACITY / 2).map(|_| open()).collect();
        let mut late = open();
        assert_eq!(late.try_recv(), Ok(message(0)), "it works");
        drop(many);
        drop(early);
        let mut later = open();
        cut(&publisher.path().unwrap().join("segment"), 0);
        assert_eq!(later.try_recv(), Err(TryRecvError::CutShort), "the table has room again");
        println!("\nnow the mapping that found no room");
        let _ = late.try_recv();
        println!("survived");
    }
}

#[test]
fn a_mapping_beyond_the_table_is_not_guarded() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(&mut start("overfill", &root)).finish();
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}: {said}");
    assert!(said.contains("now the mapping that found no room") && !said.contains("survived"), "{said}");
}

#[test]
fn an_unlinked_ring_goes_on() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(64).create().unwrap();
    let mut subscriber = Subscriber::<Message>::options("cut").root(&root).open().unwrap();
    std::fs::remove_dir_all(publisher.path().unwrap()).unwrap();
    for sequence in 0..1000 {
        publisher.publish(&message(sequence));
        assert_eq!(subscriber.try_recv(), Ok(message(sequence)));
    }
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty), "the publisher lives");
    assert_eq!(publisher.subscribers().unwrap(), 1);
    publisher.close().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
}

/// Shows a limit of the guard: a file cut short and grown again raises no signal.
#[test]
fn cut_and_grown_again_raises_no_signal() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<Message>::options("cut").root(&root).capacity(64).create().unwrap();
    let mut subscriber = Subscriber::<Message>::options("cut").root(&root).join(Join::Oldest).open().unwrap();
    publisher.publish(&message(0));
    let segment = publisher.path().unwrap().join("segment");
    let bytes = segment.metadata().unwrap().len();
    cut(&segment, 0);
    cut(&segment, bytes);
    match subscriber.try_recv() {
        Err(TryRecvError::Corrupt(corrupt)) => assert_eq!((corrupt.what, corrupt.found), ("the state", 0)),
        other => panic!("{other:?}"),
    }
    assert!(!publisher.is_cut_off());
    publisher.close().unwrap();
}
