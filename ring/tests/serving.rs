//! Sealed rings: who is served, how they end, and what they leave behind.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use feed_ring::{
    CreateError, Join, Mapping, OpenError, Publisher, PublisherOptions, Subscriber, SubscriberOptions, TryRecvError,
};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped};

mod served;

use served::{publisher, refused, socket, subscriber};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn a_sealed_ring_from_its_beginning_to_its_end() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    assert_eq!(root.names(), ["s", "s.lock"]);
    assert_eq!((mode(&socket(&root)), mode(&root.path().join("s.lock"))), (0o600, 0o600));
    assert_eq!(publisher.path(), Some(&*socket(&root)));
    let mut attached = subscriber(&root).open().unwrap();
    assert_eq!(publisher.subscribers().unwrap(), 1);
    publisher.publish_batch(&(0..5).collect::<Vec<_>>());
    let mut late = subscriber(&root).join(Join::Oldest).open().unwrap();
    assert_eq!(publisher.subscribers().unwrap(), 2, "each subscriber has an entry of its own");
    for subscriber in [&mut attached, &mut late] {
        let received: Vec<_> = std::iter::from_fn(|| subscriber.try_recv().ok()).collect();
        assert_eq!(received, [0, 1, 2, 3, 4]);
    }
    drop(late);
    assert_eq!(publisher.subscribers().unwrap(), 1);
    assert!(attached.publisher_is_alive());
    publisher.publish(&5);
    publisher.close().unwrap();
    assert_eq!(root.names(), [""; 0], "nothing is left behind");
    // A child that another test has just forked keeps the pipe open until it calls exec.
    while attached.publisher_is_alive() {
        thread::yield_now();
    }
    assert_eq!([attached.try_recv(), attached.try_recv()], [Ok(5), Err(TryRecvError::Closed)]);
    assert!(matches!(refused(&root), OpenError::NotFound { .. }));
}

#[test]
fn a_panic_is_a_death_and_leaves_nothing() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut subscriber = subscriber(&root).join(Join::Oldest).open().unwrap();
    let publishing = thread::spawn(move || {
        publisher.publish(&7);
        std::panic::resume_unwind(Box::new("on purpose"));
    });
    assert!(publishing.join().is_err());
    assert_eq!(subscriber.try_recv(), Ok(7));
    // A child that another test has just forked keeps the pipe open until it calls exec.
    assert_eq!(subscriber.recv_timeout(Duration::from_secs(60)), Err(TryRecvError::PublisherDead));
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_long_socket_path_works() {
    let root = PrivateRoot::new();
    let path = root.path().join("d".repeat(200));
    fs::create_dir(&path).unwrap();
    let path = path.join("quotes.sock");
    let mut publisher = Publisher::<u64>::options("sealed").serve(&path).create().unwrap();
    let mut subscriber = Subscriber::<u64>::connect(&path).open().unwrap();
    publisher.publish(&1);
    assert_eq!(subscriber.try_recv(), Ok(1));
}

/// Publishes 0 to 4 in a sealed ring, prints that, and waits to be killed.
#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let path = std::env::var("SOCKET").unwrap();
        let mut publisher = Publisher::<u64>::options("sealed").capacity(8).serve(path).create().unwrap();
        publisher.publish_batch(&[0, 1, 2, 3, 4]);
        println!("\npublished");
        loop {
            thread::park();
        }
    }
}

fn start_publisher(root: &PrivateRoot) -> Child {
    let mut publisher = Child::start(child("publish_and_wait").env("SOCKET", socket(root)));
    publisher.wait_for("published");
    publisher
}

#[test]
fn a_killed_publisher_is_dead_and_the_next_has_a_new_ring() {
    let root = PrivateRoot::new();
    let mut dead = start_publisher(&root);
    let mut attached = subscriber(&root).join(Join::Oldest).open().unwrap();
    assert!(matches!(publisher(&root).create(), Err(CreateError::AlreadyPublished { .. })));
    dead.kill();
    let received: Vec<_> = std::iter::from_fn(|| attached.try_recv().ok()).collect();
    assert_eq!(received, [0, 1, 2, 3, 4], "its messages can still be read");
    assert_eq!(attached.recv_timeout(Duration::from_secs(60)), Err(TryRecvError::PublisherDead));
    assert_eq!(root.names(), ["s", "s.lock"]);
    let error = refused(&root);
    assert!(matches!(error, OpenError::NotServed { .. }), "{error}");
    assert!(error.to_string().contains("restart its publisher"), "{error}");

    let waiting = subscriber(&root).open_timeout(Duration::MAX).join(Join::Oldest);
    let reconnecting = thread::spawn(move || waiting.open());
    let mut publisher = publisher(&root).create().unwrap();
    assert_eq!((publisher.published(), publisher.epoch()), (0, 1));
    publisher.publish(&9);
    let mut reconnected = reconnecting.join().unwrap().unwrap();
    assert_eq!(reconnected.recv(), Ok(9));
    assert_eq!(attached.try_recv(), Err(TryRecvError::PublisherDead), "the old ring stays dead");
    drop(publisher);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_place_that_is_served_is_refused() {
    let root = PrivateRoot::new();
    let mut first = publisher(&root).create().unwrap();
    let error = publisher(&root).create().unwrap_err();
    assert!(matches!(error, CreateError::AlreadyPublished { .. }), "{error}");
    first.publish(&1);
    assert_eq!(subscriber(&root).join(Join::Oldest).open().unwrap().try_recv(), Ok(1), "the first is not disturbed");
    drop(first);

    // Another program's socket, even of another type.
    let listener = UnixListener::bind(socket(&root)).unwrap();
    let error = publisher(&root).create().unwrap_err();
    assert!(matches!(error, CreateError::AlreadyPublished { .. }), "{error}");
    assert!(matches!(refused(&root), OpenError::NotARing { .. }));
    assert_eq!(root.names(), ["s"], "it is not touched");
    drop(listener);
    drop(publisher(&root).create().unwrap());
    assert_eq!(root.names(), [""; 0], "a dead program's socket is replaced");
}

#[test]
fn what_is_no_socket_is_not_replaced() {
    let root = PrivateRoot::new();
    fs::write(socket(&root), "precious").unwrap();
    let error = publisher(&root).create().unwrap_err();
    assert!(matches!(&error, CreateError::NotARing { found, .. } if found == "a regular file"), "{error}");
    assert!(matches!(refused(&root), OpenError::NotARing { .. }));
    assert_eq!(fs::read_to_string(socket(&root)).unwrap(), "precious");
    assert_eq!(root.names(), ["s"]);
    fs::remove_file(socket(&root)).unwrap();
    std::os::unix::fs::symlink("elsewhere", socket(&root)).unwrap();
    assert!(matches!(publisher(&root).create(), Err(CreateError::NotARing { .. })));
    assert_eq!(root.names(), ["s"]);
    for path in ["/", "..", "/nowhere/at/all"] {
        assert!(Publisher::<u64>::options("sealed").serve(path).create().is_err());
    }
}

#[test]
fn a_lock_file_that_others_may_open_is_somebody_elses() {
    let root = PrivateRoot::new();
    let lock = socket(&root).with_extension("lock");
    fs::write(&lock, "").unwrap();
    fs::set_permissions(&lock, fs::Permissions::from_mode(0o644)).unwrap();
    let error = publisher(&root).create().unwrap_err();
    assert!(
        matches!(&error, CreateError::NotARing { found, .. } if found == "a file of 0 bytes and mode 0644"),
        "{error}"
    );
    assert_eq!((root.names(), mode(&lock)), (vec!["s.lock".to_owned()], 0o644), "it is not touched");
    // What a publisher leaves that was killed, whatever its umask.
    for left in [0o600, 0] {
        fs::set_permissions(&lock, fs::Permissions::from_mode(left)).unwrap();
        if left == 0 && !rustix::process::geteuid().is_root() {
            break; // its owner cannot open it
        }
        drop(publisher(&root).create().unwrap());
        assert_eq!(root.names(), [""; 0]);
        fs::write(&lock, "").unwrap();
    }
}

/// A publisher was killed under such a umask when it had bound its socket and not yet set its mode.
#[test]
fn a_leftover_socket_that_its_owner_may_not_connect_to_is_removed() {
    let root = PrivateRoot::new();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let leftover = root.path().join(".s.new");
    let options = publisher(&root);
    let publishing = thread::spawn(move || {
        if rustix::process::geteuid().is_root() {
            let uid = rustix::process::Uid::from_raw(4242); // root may connect whatever the mode
            rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        }
        drop(UnixListener::bind(&leftover).unwrap());
        fs::set_permissions(&leftover, fs::Permissions::from_mode(0o000)).unwrap();
        options.create().map(drop)
    });
    publishing.join().unwrap().unwrap();
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn too_little_memory_is_told() {
    let root = PrivateRoot::new();
    let options = Publisher::<[u64; 512]>::options("sealed").capacity(1 << 32).serve(socket(&root));
    match options.create() {
        Err(CreateError::NoMemory { needed, free, .. } | CreateError::MemoryLimit { needed, free, .. }) => {
            assert!(needed > free)
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn other_messages_and_mappings_are_refused() {
    let root = PrivateRoot::new();
    let _publisher = publisher(&root).create().unwrap();
    let error = Subscriber::<[u64; 2]>::connect(socket(&root)).open().unwrap_err();
    assert!(matches!(error, OpenError::Payload { .. }), "{error}");
    let error = subscriber(&root).map(Mapping::ReadWrite).open().unwrap_err();
    assert!(error.to_string().contains("only be mapped read-only"), "{error}");
}

#[test]
fn so_many_clients_and_no_more() {
    let root = PrivateRoot::new();
    let publisher = publisher(&root).max_clients(2).create().unwrap();
    let (first, _second) = (subscriber(&root).open().unwrap(), subscriber(&root).open().unwrap());
    let error = refused(&root);
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("2 clients are connected, 2 allowed"), "{error}");
    drop(first);
    let third = subscriber(&root).open();
    assert!(third.is_ok(), "a client that hung up makes room at once: {third:?}");
    drop(publisher);
}

#[test]
fn no_user_takes_all_places_if_others_are_allowed() {
    const OTHER: u32 = 65_534;
    let root = PrivateRoot::new();
    let publisher = publisher(&root).mode(0o644).allow_uid(OTHER).max_clients(4).create().unwrap();
    let own = [subscriber(&root).open().unwrap(), subscriber(&root).open().unwrap()];
    let error = refused(&root);
    assert!(matches!(error, OpenError::Refused { .. }), "{error}");
    let uid = rustix::process::geteuid().as_raw();
    let says = format!(
        ": 2 clients of uid {uid} are connected, 2 allowed for one user, half of 4: end some, or publish with more allowed"
    );
    assert!(error.to_string().ends_with(&says), "{error}");
    if uid == 0 {
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for _ in 0..3 {
            connect_as(OTHER, subscriber(&root).trust_uid(0)).unwrap();
        }
    } else {
        skipped("connecting as another user needs root");
    }
    drop(own);
    let _two = [subscriber(&root).open().unwrap(), subscriber(&root).open().unwrap()];
    drop(publisher);
}

/// Opens as another user and closes again, on a thread of its own that drops its privileges. Needs root.
fn connect_as(uid: u32, options: SubscriberOptions<u64>) -> Result<(), OpenError> {
    let opening = thread::spawn(move || {
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        options.open().map(drop)
    });
    opening.join().unwrap()
}

/// Counts the descriptors and threads of a publisher while subscribers come and go.
#[test]
#[ignore = "a child of other tests"]
fn count_descriptors_and_threads() {
    if as_child() {
        let path = PathBuf::from(std::env::var("SOCKET").unwrap());
        let descriptors = || fs::read_dir("/proc/self/fd").unwrap().count();
        let threads = || fs::read_dir("/proc/self/task").unwrap().count();
        let before = (descriptors(), threads());
        let publisher = Publisher::<u64>::options("sealed").max_clients(1).serve(&path).create().unwrap();
        let serving = (descriptors(), threads());
        for _ in 0..300 {
            let served = Subscriber::<u64>::connect(&path).open();
            let refused = Subscriber::<u64>::connect(&path).open();
            assert!(served.is_ok() && refused.is_err(), "a client that hung up makes room at once");
        }
        while descriptors() != serving.0 {
            thread::yield_now(); // until the publisher has seen the last client hang up
        }
        publisher.close().unwrap();
        assert_eq!((descriptors(), threads()), before);
        println!("\nall released");
    }
}

#[test]
fn descriptors_and_threads_are_given_back() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(child("count_descriptors_and_threads").env("SOCKET", socket(&root))).finish();
    assert!(status.success() && said.contains("all released"), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

/// Opens as another user, on a thread of its own that drops its privileges. Needs root.
fn open_as(uid: u32, gid: u32, groups: &[u32], options: SubscriberOptions<u64>) -> Result<(), OpenError> {
    let groups: Vec<_> = groups.iter().map(|group| rustix::process::Gid::from_raw(*group)).collect();
    thread::spawn(move || {
        let gid = rustix::process::Gid::from_raw(gid);
        let uid = rustix::process::Uid::from_raw(uid);
        rustix::thread::set_thread_groups(&groups).unwrap();
        rustix::thread::set_thread_res_gid(gid, gid, gid).unwrap();
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        options.open().map(|mut subscriber| assert_eq!(subscriber.try_recv(), Ok(7)))
    })
    .join()
    .unwrap()
}

#[test]
fn who_is_served() {
    if !rustix::process::geteuid().is_root() {
        skipped("acting as other users needs root");
        return;
    }
    let root = PrivateRoot::new();
    let connect = || subscriber(&root).join(Join::Oldest);
    let serve = |options: PublisherOptions<u64>| {
        let mut publisher = options.create().unwrap();
        publisher.publish(&7);
        publisher
    };

    let publisher_of_one = serve(publisher(&root));
    let error = open_as(4242, 4343, &[], connect()).unwrap_err();
    assert!(matches!(error, OpenError::Permission { .. }), "the socket's mode: {error}");
    drop(publisher_of_one);

    let open_to_connect = serve(publisher(&root).mode(0o644));
    let error = open_as(4242, 4343, &[], connect()).unwrap_err();
    assert!(matches!(&error, OpenError::Refused { reason, .. } if reason.contains("uid 4242")), "{error}");
    drop(open_to_connect);

    let user_allowed = serve(publisher(&root).mode(0o644).allow_uid(4242));
    open_as(4242, 4343, &[], connect()).unwrap();
    assert!(matches!(open_as(4243, 4343, &[], connect()), Err(OpenError::Refused { .. })));
    drop(user_allowed);

    let group_allowed = serve(publisher(&root).mode(0o644).allow_gid(4444));
    open_as(4242, 4444, &[], connect()).unwrap();
    open_as(4242, 4343, &[4445, 4444], connect()).unwrap();
    assert!(matches!(open_as(4242, 4343, &[4445], connect()), Err(OpenError::Refused { .. })));
    drop(group_allowed);

    // The mode lets only members of the group connect.
    let for_the_group = serve(publisher(&root).mode(0o640).group(4444).allow_gid(4444));
    assert_eq!(mode(&socket(&root)), 0o660);
    open_as(4242, 4343, &[4444], connect()).unwrap();
    assert!(matches!(open_as(4242, 4343, &[], connect()), Err(OpenError::Permission { .. })));
    drop(for_the_group);
}

/// Publishes as another user; root opens the ring only if it trusts that user.
#[test]
fn whose_rings_are_believed() {
    if !rustix::process::geteuid().is_root() {
        skipped("acting as other users needs root");
        return;
    }
    let root = PrivateRoot::new();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let options = publisher(&root).mode(0o644).allow_uid(0);
    let (ready, served) = std::sync::mpsc::channel();
    let (end, ended) = std::sync::mpsc::channel::<()>();
    let publishing = thread::spawn(move || {
        let uid = rustix::process::Uid::from_raw(4242);
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        let publisher = options.create().unwrap();
        ready.send(()).unwrap();
        let _ = ended.recv();
        publisher.close().unwrap();
    });
    served.recv().unwrap();
    let error = refused(&root);
    assert!(matches!(error, OpenError::Owner { found: 4242, expected: 0, .. }), "{error}");
    assert!(subscriber(&root).trust_uid(4242).open().is_ok());
    drop(end);
    publishing.join().unwrap();
    assert_eq!(root.names(), [""; 0]);
}

/// Serves rings under a umask and checks the modes of their files.
#[test]
#[ignore = "a child of other tests"]
fn serve_under_a_umask() {
    if as_child() {
        let path = PathBuf::from(std::env::var("SOCKET").unwrap());
        let umask = u32::from_str_radix(&std::env::var("UMASK").unwrap(), 8).unwrap();
        rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
        for (asked, expected) in [(0o600, 0o600), (0o640, 0o660), (0o644, 0o666)] {
            let _publisher = Publisher::<u64>::options("sealed").mode(asked).serve(&path).create().unwrap();
            assert!(fs::metadata(&path).unwrap().file_type().is_socket());
            assert_eq!(mode(&path), expected);
            assert_eq!(mode(&path.with_extension("lock")), 0o600);
        }
        println!("\nexact");
    }
}

#[test]
fn modes_are_exact() {
    for umask in ["0", "22", "77", "777"] {
        let root = PrivateRoot::new();
        let mut command = child("serve_under_a_umask");
        let (status, said) = Child::start(command.env("SOCKET", socket(&root)).env("UMASK", umask)).finish();
        assert!(status.success() && said.contains("exact"), "umask {umask}: {status}: {said}");
    }
}
