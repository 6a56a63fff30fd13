//! Forked children: ending a copy of a publisher or subscriber there changes nothing for the parent.
#![allow(unsafe_code)] // fork, which copies a process in the middle of whatever it does

use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_ring::{
    CellWriter, Join, Notifier, Publisher, RecvError, Subscriber, TableWriter, TryRecvError, WaitStrategy, Wake,
};
use feed_testing::{Child, PrivateRoot, as_child, child};

/// Runs `what` in a forked child, which then exits. Returns whether it finished within ten seconds.
fn forked(what: impl FnOnce()) -> bool {
    // SAFETY: the child calls nothing but `what` and `_exit`. The C library resets its own locks in a child. The
    // parent's other threads are the library's; they wait in the kernel and hold no lock of Rust's.
    let pid = unsafe { libc::fork() };
    if pid == 0 {
        what();
        // SAFETY: it ends the process.
        unsafe { libc::_exit(7) };
    }
    assert!(pid > 0, "{}", std::io::Error::last_os_error());
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    for _ in 0..10_000 {
        let ended = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG).unwrap();
        if let Some((_, status)) = ended {
            return status.exit_status() == Some(7);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
    let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
    false
}

/// Every kind of handle that a process can hold.
struct Held {
    disk: Publisher<u64>,
    sealed: Publisher<u64>,
    spinning: Subscriber<u64>,
    sleeping: Subscriber<u64>,
    notified: Subscriber<u64>,
    notifier: Notifier,
    connected: Subscriber<u64>,
}

fn socket(root: &Path) -> PathBuf {
    root.join("s")
}

fn options(root: &Path) -> feed_ring::PublisherOptions<u64> {
    Publisher::options("r").root(root).capacity(8)
}

/// Makes one of each kind. All their threads run.
fn hold(root: &Path) -> Held {
    let disk = options(root).create().unwrap();
    let sealed = Publisher::options("r").capacity(8).serve(socket(root)).create().unwrap();
    let subscribe = |wait| Subscriber::<u64>::options("r").root(root).join(Join::Oldest).wait(wait).open().unwrap();
    let notified = subscribe(WaitStrategy::Spin);
    let notifier = notified.notifier().unwrap();
    let connected = Subscriber::<u64>::connect(socket(root)).join(Join::Oldest).open().unwrap();
    let (spinning, sleeping) = (subscribe(WaitStrategy::Spin), subscribe(WaitStrategy::Block));
    let mut all = Held { disk, sealed, spinning, sleeping, notified, notifier, connected };
    // Both threads, the watcher and the notifier's, run and wait.
    assert_eq!(all.sleeping.recv_timeout(Duration::from_millis(20)), Err(TryRecvError::Empty));
    all.notifier.arm(&all.notified);
    assert_eq!(all.disk.subscribers().unwrap(), 3);
    all
}

/// Runs in a process without other threads, and forks. Its parent checks the rings.
#[test]
#[ignore = "a child of other tests"]
fn hold_and_fork() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    let mut held = Some(hold(&root));

    assert!(forked(|| drop(held.take())), "a drop in a forked child crashed or hung");
    assert!(
        forked(|| {
            let Held { disk, sealed, .. } = held.take().unwrap();
            disk.close().unwrap();
            sealed.close().unwrap();
        }),
        "a close in a forked child crashed or hung"
    );

    // The parent still has everything.
    let Held { mut disk, mut sealed, mut spinning, mut sleeping, mut notified, notifier, mut connected } =
        held.take().unwrap();
    assert!(root.join("r.ring/segment").exists() && socket(&root).exists(), "its files are there");
    assert_eq!(disk.subscribers().unwrap(), 3, "its subscribers are counted");
    println!("\nforked");
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    let published = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(20));
        disk.publish(&1);
        sealed.publish(&2);
        (disk, sealed)
    });
    assert_eq!((sleeping.recv(), spinning.recv(), connected.recv()), (Ok(1), Ok(1), Ok(2)));
    let mut fds = [rustix::event::PollFd::new(&notifier, rustix::event::PollFlags::IN)];
    let timeout = rustix::time::Timespec { tv_sec: 20, tv_nsec: 0 };
    assert_eq!(rustix::event::poll(&mut fds, Some(&timeout)).unwrap(), 1, "the notifier's thread goes on");
    assert_eq!(notified.try_recv(), Ok(1));
    drop(published.join().unwrap());
    assert_eq!((sleeping.recv(), connected.recv()), (Err(RecvError::Closed), Err(RecvError::Closed)));
    assert!(!root.join("r.ring").exists() && !socket(&root).exists(), "its files are removed");
    println!("whole");
}

#[test]
fn handles_dropped_in_a_forked_child_still_work_in_its_parent() {
    let root = PrivateRoot::new();
    let (told, tell) = std::io::pipe().unwrap();
    let mut parent = Child::start(child("hold_and_fork").env("ROOT", root.path()).stdin(told));
    parent.wait_for("forked");
    let second = options(root.path()).create();
    assert!(matches!(second, Err(feed_ring::CreateError::AlreadyPublished { .. })), "the lock is still held");
    // A new client is served, so the serving thread still runs.
    drop(Subscriber::<u64>::connect(socket(root.path())).open().unwrap());
    drop(tell);
    let (status, said) = parent.finish();
    assert!(status.success() && said.contains("whole"), "{status}: {said}");
}

/// Drops a value while a panic unwinds.
fn unwind<T>(held: T) {
    let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _held = held;
        std::panic::resume_unwind(Box::new("on purpose"));
    }));
}

/// Holds a writer of each kind whose thread wakes, and forks children that panic. Such a child has neither the thread nor the
/// mappings.
#[test]
#[ignore = "a child of another test"]
fn hold_and_panic_in_a_fork() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    let mut publisher = Some(options(&root).wake(Wake::Thread).create().unwrap());
    let mut table = Some(TableWriter::<u64, u64>::options("t").root(&root).wake(Wake::Thread).create_table().unwrap());
    let mut cell = Some(CellWriter::<u64>::options("c").root(&root).wake(Wake::Thread).create_cell().unwrap());
    let mut failed = Vec::new();
    let mut check = |what, whole: bool| failed.extend((!whole).then_some(what));
    check("a publisher", forked(|| unwind(publisher.take())));
    check("a publisher, left", forked(|| publisher.take().unwrap().leave()));
    check("a table", forked(|| unwind(table.take())));
    check("a table, left", forked(|| table.take().unwrap().leave()));
    check("a cell", forked(|| unwind(cell.take())));
    check("a cell, left", forked(|| cell.take().unwrap().leave()));
    println!("\nfailed {failed:?}");

    // The parent's thread still wakes.
    let mut publisher = publisher.take().unwrap();
    let mut subscriber = Subscriber::<u64>::options("r").root(&root).wait(WaitStrategy::Block).open().unwrap();
    let sleeping = std::thread::spawn(move || subscriber.recv());
    std::thread::sleep(Duration::from_millis(20));
    publisher.publish(&1);
    assert_eq!(sleeping.join().unwrap(), Ok(1));
    println!("whole");
}

#[test]
fn a_panic_in_a_forked_child_changes_nothing_either() {
    let root = PrivateRoot::new();
    let mut parent = Child::start(child("hold_and_panic_in_a_fork").env("ROOT", root.path()));
    assert_eq!(parent.wait_for("failed"), "[]");
    let (status, said) = parent.finish();
    assert!(status.success() && said.contains("whole"), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

/// Makes the next forked child pid 1 of a new namespace. False where that is not allowed.
fn new_pid_namespace() -> bool {
    // SAFETY: it takes no pointers.
    unsafe { libc::unshare(libc::CLONE_NEWPID) == 0 }
}

/// Pid 1 of a container holds everything and starts a sandbox, which is pid 1, too.
#[test]
#[ignore = "a child of another test"]
fn hold_as_pid_1_and_fork() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    if !new_pid_namespace() {
        return println!("\ncannot: {}", std::io::Error::last_os_error());
    }
    let whole = forked(|| {
        assert_eq!(std::process::id(), 1);
        let mut held = Some(hold(&root));
        assert!(new_pid_namespace());
        let dropped = forked(|| {
            assert_eq!(std::process::id(), 1);
            drop(held.take());
        });
        assert!(dropped, "a drop in a forked child crashed or hung");
        let Held { mut disk, sealed, mut spinning, connected, .. } = held.take().unwrap();
        assert!(root.join("r.ring/segment").exists() && socket(&root).exists(), "its files are there");
        // The others of the five were dropped a moment ago.
        assert_eq!((disk.subscribers().unwrap(), sealed.subscribers().unwrap()), (1, 1), "its subscribers are counted");
        assert!(
            matches!(options(&root).create(), Err(feed_ring::CreateError::AlreadyPublished { .. })),
            "it has its lock"
        );
        disk.publish(&1);
        assert_eq!(spinning.recv(), Ok(1));
        drop(connected);
        println!("\nwhole");
    });
    assert!(whole);
}

#[test]
fn a_forked_child_with_its_parent_s_pid_changes_nothing_either() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(child("hold_as_pid_1_and_fork").env("ROOT", root.path())).finish();
    if let Some(reason) = said.lines().find_map(|line| line.strip_prefix("cannot: ")) {
        return feed_testing::skipped(&format!("a pid namespace of its own needs root: {reason}"));
    }
    assert!(status.success() && said.contains("whole"), "{status}: {said}");
    assert_eq!(root.names(), [""; 0]);
}

/// Starts a watcher, forks, and waits for the publisher's death.
#[test]
#[ignore = "a child of other tests"]
fn sleep_and_fork() {
    if !as_child() {
        return;
    }
    let root = PathBuf::from(std::env::var("ROOT").unwrap());
    let options = Subscriber::<u64>::options("r").root(&root).wait(WaitStrategy::Block);
    let mut subscriber = Some(options.open().unwrap());
    assert_eq!(subscriber.as_mut().unwrap().recv_timeout(Duration::from_millis(20)), Err(TryRecvError::Empty));
    assert!(forked(|| drop(subscriber.take())), "a drop in a forked child crashed or hung");
    println!("\nforked");
    let told = subscriber.as_mut().unwrap().recv_timeout(Duration::from_secs(20));
    println!("told {told:?}");
}

#[test]
#[ignore = "a child of other tests"]
fn publish_and_wait() {
    if as_child() {
        let _publisher = options(&PathBuf::from(std::env::var("ROOT").unwrap())).create().unwrap();
        println!("\npublished");
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn the_watcher_goes_on_watching_after_a_fork() {
    let root = PrivateRoot::new();
    let mut publisher = Child::start(child("publish_and_wait").env("ROOT", root.path()));
    publisher.wait_for("published");
    let mut subscriber = Child::start(child("sleep_and_fork").env("ROOT", root.path()));
    subscriber.wait_for("forked");
    std::thread::sleep(Duration::from_millis(20));
    publisher.kill();
    assert_eq!(subscriber.wait_for("told"), "Err(PublisherDead)");
}
