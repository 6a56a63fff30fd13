//! The operations on a ring that tests of scarce resources run: what each needs is prepared before, while nothing is scarce.
#![allow(dead_code, reason = "each test file uses its part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use feed_ring::{
    CreateError, Join, KeyedPublisher, Publisher, Subscriber, SubscriberOptions, TableWriter, TryRecvError,
    WaitStrategy,
};

type Message = [u64; 7];

/// The slots of the rings, of 64 bytes each.
static SLOTS: AtomicUsize = AtomicUsize::new(8);

/// Sets how many slots the rings have from now on.
pub(crate) fn slots(slots: usize) {
    SLOTS.store(slots, Ordering::Relaxed);
}

/// An operation that was prepared, with what it needs.
pub(crate) struct Act {
    root: PathBuf,
    slots: usize,
    publisher: Option<Publisher<Message>>,
    act: fn(&mut Act) -> Result<(), String>,
}

impl Act {
    /// Runs it. The error is the text that a user gets.
    pub(crate) fn act(&mut self) -> Result<(), String> {
        (self.act)(self)
    }
}

/// Prepares an operation in an empty directory.
type Prepare = fn(&Path) -> Act;

/// The operations by name, and what prepares each in an empty directory. Those that publish close their ring, too.
pub(crate) const OPERATIONS: [(&str, Prepare); 8] = [
    ("create", |root| prepare(root, None, |all| make(all, all.slots, false))),
    ("take over", |root| prepare(root, Some(Old::Kept), |all| make(all, all.slots, true))),
    ("supersede", |root| {
        prepare(root, Some(Old::Kept), |all| {
            make(all, all.slots * 2, true)?;
            all.slots *= 2;
            Ok(())
        })
    }),
    ("subscribe", |root| {
        prepare(root, Some(Old::Live), |all| {
            let options = Subscriber::options("r").root(&all.root);
            all.receive(options)
        })
    }),
    ("serve", |root| {
        prepare(root, None, |all| {
            let options = Publisher::<Message>::options("r").capacity(all.slots).serve(all.root.join("s"));
            let mut publisher = options.create().map_err(text)?;
            publisher.publish(&[1; 7]);
            publisher.close().map_err(text)
        })
    }),
    ("connect", |root| {
        prepare(root, Some(Old::Served), |all| {
            let options = Subscriber::connect(all.root.join("s"));
            all.receive(options)
        })
    }),
    ("table", |root| {
        prepare(root, None, |all| {
            let options = TableWriter::<u64, Message>::options("t").root(&all.root).capacity(all.slots);
            let mut table = options.create_table().map_err(text)?;
            let row = table.row(&1).map_err(text)?;
            table.store(row, &[1; 7]);
            table.close().map_err(text)
        })
    }),
    ("keyed", |root| {
        prepare(root, None, |all| {
            let options = KeyedPublisher::<u64, Message>::options("k").root(&all.root);
            let mut feed = options.capacity(all.slots).rows(all.slots).create_keyed().map_err(text)?;
            let row = feed.row(&1).map_err(text)?;
            feed.publish(row, &[1; 7]);
            feed.close().map_err(text)
        })
    }),
];

/// What there is before.
enum Old {
    /// A ring that was closed and kept.
    Kept,
    Live,
    Served,
}

fn prepare(root: &Path, old: Option<Old>, act: fn(&mut Act) -> Result<(), String>) -> Act {
    let slots = SLOTS.load(Ordering::Relaxed);
    let options = || Publisher::<Message>::options("r").capacity(slots);
    let publisher = old.and_then(|old| match old {
        Old::Kept => {
            options().root(root).keep(true).create().unwrap().close().unwrap();
            None
        }
        Old::Live => Some(options().root(root).create().unwrap()),
        Old::Served => Some(options().serve(root.join("s")).create().unwrap()),
    });
    Act { root: root.to_owned(), slots, publisher, act }
}

/// Makes a ring, or takes it over, or supersedes it.
pub(crate) fn create(root: &Path, slots: usize) -> Result<Publisher<Message>, CreateError> {
    Publisher::options("r").root(root).capacity(slots).create()
}

fn make(all: &Act, slots: usize, keep: bool) -> Result<(), String> {
    let created = Publisher::<Message>::options("r").root(&all.root).capacity(slots).keep(keep).create();
    let mut publisher = created.map_err(text)?;
    publisher.publish(&[1; 7]);
    publisher.close().map_err(text)
}

impl Act {
    /// Receives a message, then falls asleep for a moment.
    fn receive(&mut self, options: SubscriberOptions<Message>) -> Result<(), String> {
        let publisher = self.publisher.as_mut().unwrap();
        let options = options.join(Join::Latest).wait(WaitStrategy::Block);
        let mut subscriber = options.open().map_err(text)?;
        publisher.publish(&[1; 7]);
        assert_eq!(subscriber.recv_timeout(Duration::from_secs(60)), Ok([1; 7]));
        assert_eq!(subscriber.recv_timeout(Duration::from_millis(10)), Err(TryRecvError::Empty));
        Ok(())
    }
}

fn text(error: impl std::error::Error) -> String {
    error.to_string()
}

/// The paths of all files below a directory, sorted.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        files.push(entry.path().display().to_string());
        if entry.path().is_dir() {
            files.extend(self::files(&entry.path()));
        }
    }
    files.sort();
    files
}
