//! A log that takes nothing holds the thread up that serves a sealed ring. Closing the ring does not wait for it, and the
//! thread ends once the log takes its event.
#![cfg(feature = "tracing")]

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use feed_ring::{Publisher, Subscriber};
use feed_testing::PrivateRoot;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata};

/// Says that it got an event, and does not return before it is allowed to.
struct Blocked {
    came: Mutex<Sender<()>>,
    go_on: Mutex<Receiver<()>>,
}

impl tracing::Subscriber for Blocked {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        let _ = self.came.lock().unwrap_or_else(PoisonError::into_inner).send(());
        let _ = self.go_on.lock().unwrap_or_else(PoisonError::into_inner).recv();
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn threads(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    tasks.filter(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim() == name)).count()
}

#[test]
fn closing_does_not_wait_for_a_blocked_log() {
    let ((came, comes), (allow, go_on)) = (channel(), channel());
    tracing::subscriber::set_global_default(Blocked { came: Mutex::new(came), go_on: Mutex::new(go_on) }).unwrap();
    let root = PrivateRoot::new();
    let path = root.path().join("s");
    let mut publisher = Publisher::<u64>::options("r").capacity(8).serve(&path).create().unwrap();
    let mut subscriber = Subscriber::<u64>::connect(&path).open().unwrap();
    comes.recv_timeout(Duration::from_secs(60)).expect("the thread logs who was served");
    publisher.publish(&1);
    publisher.close().unwrap();
    assert_eq!(root.names(), [""; 0]);
    assert_eq!(threads("feed-ring-serve"), 1, "it is still held up");
    assert_eq!((subscriber.recv(), subscriber.recv()), (Ok(1), Err(feed_ring::RecvError::Closed)));
    drop(allow);
    while threads("feed-ring-serve") > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
}
