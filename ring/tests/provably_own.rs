//! What is not a ring's own stays as it is, what a killed publisher left is no obstacle, and no client keeps later ones out.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_ring::{CreateError, Join, OpenError, Publisher, Subscriber, WaitStrategy, in_process, inspect};
use feed_testing::{PrivateRoot, as_child, child};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

fn serve(path: &Path) -> Result<Publisher<u64>, CreateError> {
    Publisher::<u64>::options("q").capacity(8).serve(path).create()
}

#[test]
fn somebody_s_files_beside_a_socket_are_kept() {
    let root = PrivateRoot::new();
    let path = root.path().join("q.sock");
    for name in [".q.sock.new", "q.sock.lock"] {
        let file = root.path().join(name);
        fs::write(&file, "somebody's data").unwrap();
        match serve(&path) {
            Err(CreateError::NotARing { path, .. }) => assert_eq!(path, file),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's data");
        fs::remove_file(&file).unwrap();
    }
    // A live socket that happens to have the name.
    let other = root.path().join(".q.sock.new");
    let mut living = serve(&other).unwrap();
    assert!(matches!(serve(&path), Err(CreateError::AlreadyPublished { .. })));
    let mut subscriber = Subscriber::<u64>::connect(&other).join(Join::Oldest).open().unwrap();
    living.publish(&1);
    assert_eq!(subscriber.recv(), Ok(1));
    living.close().unwrap();
}

#[test]
fn the_socket_that_a_killed_publisher_left_is_replaced() {
    let root = PrivateRoot::new();
    let path = root.path().join("q.sock");
    drop(std::os::unix::net::UnixListener::bind(root.path().join(".q.sock.new")).unwrap());
    serve(&path).unwrap().close().unwrap();
    assert_eq!(root.names(), [""; 0]);
}

/// The descriptors of this process whose file has this name.
fn descriptors(name: &str) -> Vec<PathBuf> {
    let all = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    all.filter(|fd| fs::read_link(fd).is_ok_and(|file| file.to_string_lossy().contains(name))).collect()
}

#[test]
fn a_client_that_takes_permissions_away_keeps_nobody_out() {
    let root = PrivateRoot::new();
    let path = root.path().join("q.sock");
    let publisher = Publisher::<u64>::options("chmodded").capacity(8).serve(&path).create().unwrap();
    let _hostile = Subscriber::<u64>::connect(&path).open().unwrap();
    for fd in descriptors("feed-ring chmodded") {
        fs::set_permissions(fd, fs::Permissions::from_mode(0o000)).unwrap();
    }
    Subscriber::<u64>::connect(&path).open().unwrap();
    publisher.close().unwrap();
}

#[test]
#[ignore = "a child of another test"]
fn close_without_descriptors() {
    if !as_child() {
        return;
    }
    let path = PathBuf::from(std::env::var("ROOT").unwrap()).join("q.sock");
    let publisher = serve(&path).unwrap();
    let clients: Vec<_> = (0..8).map(|_| Subscriber::<u64>::connect(&path).open().unwrap()).collect();
    let maximum = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: Some(0), maximum }).unwrap();
    // The serving thread is in the poll of before: a client that leaves wakes it.
    drop(clients);
    std::thread::sleep(Duration::from_millis(300));
    // If it hangs, this process ends all the same.
    std::thread::spawn(|| {
        std::thread::sleep(Duration::from_secs(60));
        std::process::exit(3);
    });
    publisher.close().unwrap();
}

#[test]
fn close_returns_when_no_descriptor_may_be_polled_any_more() {
    let root = PrivateRoot::new();
    let status = child("close_without_descriptors").env("ROOT", root.path()).status().unwrap();
    assert!(status.success(), "{status}: close hangs, or failed");
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_ring_within_the_process_refuses_what_cannot_be() {
    let (_publisher, ring) = in_process::<u64>(8).unwrap();
    for sequence in [1 << 62, u64::MAX] {
        let joined = ring.try_subscribe(Join::Sequence(sequence), WaitStrategy::Spin);
        assert!(matches!(joined, Err(OpenError::Sequence { found }) if found == sequence));
    }
    assert!(ring.try_subscribe(Join::Sequence((1 << 62) - 1), WaitStrategy::Spin).is_ok());
    match in_process::<[u64; 511]>(1 << 32) {
        Err(CreateError::NoMemory { needed, .. } | CreateError::MemoryLimit { needed, .. }) => {
            assert!(needed >= 1 << 44)
        }
        other => panic!("{:?}", other.map(|_| ())),
    }
}

/// What a publisher left that was killed while it superseded does not count as room that is taken.
#[test]
fn leftovers_of_a_killed_publisher_are_removed_first() {
    let root = PrivateRoot::new();
    Publisher::<u64>::options("r").root(&root).capacity(8).keep(true).create().unwrap().close().unwrap();
    let leftover = root.path().join("r.ring/.segment.new");
    fs::write(&leftover, vec![1; 1 << 16]).unwrap();
    // Refused for want of room, and the leftover is gone all the same: the next start has its room.
    let huge = Publisher::<[u64; 512]>::options("r").root(&root).capacity(1 << 32).create();
    assert!(matches!(huge, Err(CreateError::NoRoom { .. } | CreateError::MemoryLimit { .. })), "{huge:?}");
    assert!(!leftover.exists());
}

/// A hard link in a dead ring's directory leads to the segment of a live one.
#[test]
fn cleaning_does_not_follow_a_hard_link_into_a_live_ring() {
    let root = PrivateRoot::new();
    let mut living = Publisher::<u64>::options("living").root(&root).capacity(8).create().unwrap();
    let mut subscriber = Subscriber::<u64>::options("living").root(&root).open().unwrap();
    Publisher::<u64>::options("dead").root(&root).capacity(8).keep(true).create().unwrap().close().unwrap();
    let dead = root.path().join("dead.ring/segment");
    fs::remove_file(&dead).unwrap();
    fs::hard_link(root.path().join("living.ring/segment"), &dead).unwrap();
    let removal = inspect::Removal { closed: true, dry_run: false };
    let error = loop {
        match inspect::remove_dead(&root, "dead", removal).unwrap_err() {
            // A child of another test has a copy of the FIFO's descriptor until it execs.
            inspect::Kept::Alive { .. } => std::thread::yield_now(),
            error => break error,
        }
    };
    assert!(error.to_string().contains("a file with 2 names"), "{error}");
    living.publish(&1);
    assert_eq!(subscriber.recv(), Ok(1));
    living.close().unwrap();
}
