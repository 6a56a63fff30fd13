//! The control file in the hands of subscribers: whatever they write into it, others join, and a publisher takes over.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_ring::{Join, Publisher, PublisherOptions, Subscriber, TryRecvError, WaitStrategy, Wake, inspect};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped, sleeps, with_mounts};

fn publisher(root: &Path) -> PublisherOptions<u64> {
    Publisher::options("r").capacity(8).root(root)
}

fn join(root: &Path) -> Subscriber<u64> {
    Subscriber::options("r").root(root).join(Join::Oldest).open().unwrap()
}

/// The control file that a client of a sealed ring received.
fn received_control(name: &str) -> fs::File {
    let is_control = |path: &PathBuf| {
        fs::read_link(path).is_ok_and(|target| target.to_string_lossy().contains(&format!("feed-ring {name} control")))
    };
    let paths = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    OpenOptions::new().read(true).write(true).open(paths.filter(is_control).last().unwrap()).unwrap()
}

#[test]
fn a_client_of_a_sealed_ring_keeps_nobody_else_out() {
    let root = PrivateRoot::new();
    let path = root.path().join("s");
    let mut publisher = Publisher::<u64>::options("keeps-out").capacity(8).serve(&path).create().unwrap();
    let _hostile = Subscriber::<u64>::connect(&path).open().unwrap();
    received_control("keeps-out").write_all_at(&[0xee; 131_328], 0).unwrap();
    publisher.publish(&1);
    let mut next = Subscriber::<u64>::connect(&path).join(Join::Oldest).open().unwrap();
    assert_eq!((next.recv(), next.without_entry()), (Ok(1), None));
    assert_eq!(publisher.subscribers().unwrap(), 2);
    let ring = inspect::Ring::connect(&path).unwrap();
    let held = ring.entries().unwrap().unwrap().into_iter().filter(|entry| entry.held).count();
    assert_eq!(held, 2);
    let said =
        |finding: &inspect::Finding| finding.place == "control" && finding.found.starts_with("its first word is");
    assert!(ring.verify().findings.iter().any(said));
}

#[test]
fn nothing_in_the_control_file_keeps_others_out_or_prevents_a_takeover() {
    type Damage = fn(&fs::File);
    let damages: [(&str, Damage, Option<&str>); 4] = [
        ("a word", |file| file.write_all_at(&[0; 8], 16).unwrap(), None),
        ("all of it", |file| file.write_all_at(&[0xee; 131_328], 0).unwrap(), None),
        ("a byte more", |file| file.write_all_at(b"x", 131_328).unwrap(), None),
        ("cut short", |file| file.set_len(100).unwrap(), Some("control: 100 bytes long, not 131328")),
    ];
    for (what, damage, lack) in damages {
        let root = PrivateRoot::new();
        let mut first = publisher(root.path()).keep(true).create().unwrap();
        first.publish(&1);
        let control = root.path().join("r.ring/control");
        damage(&OpenOptions::new().write(true).open(&control).unwrap());

        let mut joined = join(root.path());
        assert_eq!(joined.recv(), Ok(1), "{what}");
        match lack {
            None => assert_eq!(joined.without_entry(), None, "{what}"),
            Some(lack) => assert!(joined.without_entry().unwrap().ends_with(lack), "{:?}", joined.without_entry()),
        }
        first.close().unwrap();

        let mut second = publisher(root.path()).create().unwrap();
        assert_eq!((second.epoch(), second.published()), (2, 1), "{what}: taken over");
        second.publish(&2);
        assert_eq!(joined.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }), "{what}");
        assert_eq!(joined.try_recv(), Ok(2));
        assert_eq!(join(root.path()).without_entry(), None, "{what}: mended");
        let ring = inspect::Ring::open(&root, "r").unwrap();
        assert!(ring.verify().findings.iter().all(|finding| finding.place != "control"), "{what}: mended");
    }
}

/// Sleeps until the message that is not there yet, with a ring whose control file it cannot write.
#[test]
#[ignore = "a child of other tests"]
fn follow_without_an_entry() {
    if !as_child() {
        return;
    }
    let root = std::env::var("ROOT").unwrap();
    let options = Subscriber::<u64>::options("r").root(root).wait(WaitStrategy::Block);
    let mut subscriber = options.open().unwrap();
    println!("\nreason {}", subscriber.without_entry().unwrap());
    println!("message {:?}", subscriber.recv());
    println!("message {:?}", subscriber.recv());
}

#[test]
fn a_ring_on_a_file_system_mounted_read_only_is_followed() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(root.path()).create().unwrap();
    let path = root.path().display().to_string();
    let script = format!("mount --bind '{path}' '{path}' && mount -o remount,ro,bind '{path}'");
    let Some(mut command) = with_mounts(&script, &child("follow_without_an_entry")) else { return };
    let mut follower = Child::start(command.env("ROOT", &path).env("FEED_TEST_CHILD", "1"));
    let reason = follower.wait_for("reason");
    assert!(reason.contains("control") && reason.ends_with("is mounted read-only"), "{reason}");
    publisher.publish(&7);
    assert_eq!(follower.wait_for("message"), "Ok(7)");
    // It sleeps in between, and nobody wakes it.
    publisher.publish(&8);
    assert_eq!(follower.wait_for("message"), "Ok(8)");
    assert_eq!(publisher.subscribers().unwrap(), 0);
}

#[test]
fn publishers_that_admit_others_leave_the_flag_to_a_thread() {
    let root = PrivateRoot::new();
    let own = publisher(root.path()).create().unwrap().wake();
    if own == Wake::Fence {
        skipped("the kernel refuses membarrier");
    } else {
        assert_eq!(own, Wake::Membarrier);
    }
    assert_eq!(publisher(root.path()).mode(0o640).create().unwrap().wake(), Wake::Thread);
    assert_eq!(publisher(root.path()).mode(0o644).wake(Wake::Fence).create().unwrap().wake(), Wake::Fence);
    let sealed = Publisher::<u64>::options("s").capacity(8).serve(root.path().join("s")).create().unwrap();
    assert_eq!(sealed.wake(), Wake::Thread);
    let ring = inspect::Ring::connect(root.path().join("s")).unwrap();
    assert_eq!(ring.wake(), Some(Wake::Fence), "one for subscribers, and for tools of older versions");
}

/// Receives some messages with sleeps in between, then is killed.
#[test]
#[ignore = "a child of other tests"]
fn sleep_for_messages() {
    if !as_child() {
        return;
    }
    feed_ring::guard::install().unwrap();
    let options = Subscriber::<u64>::options("r").root(std::env::var("ROOT").unwrap()).wait(WaitStrategy::Block);
    let mut subscriber = options.open_timeout(Duration::MAX).open().unwrap();
    println!("\nattached");
    while let Ok(message) = subscriber.recv() {
        println!("message {message}");
    }
}

#[test]
fn a_thread_wakes_for_every_message() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(root.path()).wake(Wake::Thread).create().unwrap();
    let mut sleeper = Child::start(child("sleep_for_messages").env("ROOT", root.path()));
    sleeper.wait_for("attached");
    for message in 0..50 {
        while !sleeps(sleeper.id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        publisher.publish(&message);
        assert_eq!(sleeper.wait_for("message"), message.to_string());
    }
    publisher.close().unwrap();
    assert!(sleeper.finish().0.success());
}

/// Whoever may write to the control file cuts it short. Both sides then look at different flags, and go on.
#[test]
fn a_sleeper_is_woken_although_the_control_file_was_cut_short() {
    feed_ring::guard::install().unwrap();
    for wake in [Wake::Fence, Wake::Thread] {
        let root = PrivateRoot::new();
        let mut publisher = publisher(root.path()).wake(wake).create().unwrap();
        let mut sleeper = Child::start(child("sleep_for_messages").env("ROOT", root.path()));
        sleeper.wait_for("attached");
        let control = OpenOptions::new().write(true).open(root.path().join("r.ring/control")).unwrap();
        control.set_len(0).unwrap();
        for message in 0..3 {
            while !sleeps(sleeper.id()) {
                std::thread::sleep(Duration::from_millis(1));
            }
            publisher.publish(&message);
            assert_eq!(sleeper.wait_for("message"), message.to_string(), "{wake:?}");
        }
        publisher.close().unwrap();
        assert!(sleeper.finish().0.success());
    }
}

/// What the next publisher would find room for, if a killed one had not left it.
#[test]
fn a_takeover_removes_what_a_killed_publisher_prepared() {
    let root = PrivateRoot::new();
    publisher(root.path()).create().unwrap().leave();
    let prepared = root.path().join("r.ring/.segment.new");
    fs::write(&prepared, "left").unwrap();
    assert_eq!(publisher(root.path()).create().unwrap().epoch(), 2);
    assert!(!prepared.exists());
}
