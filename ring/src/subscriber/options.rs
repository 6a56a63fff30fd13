//! How a subscriber joins: where to look, where to begin, how to wait, whom to trust.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Subscriber;
use crate::directory::Trust;
use crate::error::OpenError;
use crate::layout::{Geometry, MAX_SEQUENCE, control};
use crate::memory::Pinned;
use crate::payload::Payload;
use crate::placement::{Asked, Placement, Side};
use crate::presence::{Attached, Entry, Liveness};
use crate::wait::WaitStrategy;
use crate::{DEFAULT_ROOT, attach, handover, name};

/// Between two attempts at a ring that is waited for.
const PATIENCE_STEP: Duration = Duration::from_millis(2);

/// For so long permission may be missing because a ring is being made.
const BEING_MADE: Duration = Duration::from_millis(500);

/// Where a subscriber begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Join {
    /// With the oldest message that the ring still holds.
    Oldest,
    /// With the first message that is published after joining.
    #[default]
    Latest,
    /// With the message of this sequence number. One not yet published is waited for; one that is gone counts as lost,
    /// with those behind it that are gone too.
    Sequence(u64),
}

/// Through which kind of pages a subscriber reads the ring.
///
/// On some processors a load through a writable page takes a line over, and the publisher gets it back sooner than one
/// that was asked for shared, as a load through a read-only page does: docs/performance.md has the measurements. What is
/// given up is the kernel's guarantee that a subscriber gone wild cannot write into the feed of all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mapping {
    /// Read-only pages: a write is a segmentation fault in the subscriber.
    #[default]
    ReadOnly,
    /// Writable pages. Needs write permission for the segment. Nothing is ever written to it through this crate.
    ReadWrite,
}

/// How a ring is to be opened: [`Subscriber::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SubscriberOptions<T> {
    name: String,
    root: PathBuf,
    socket: Option<PathBuf>,
    join: Join,
    wait: WaitStrategy,
    open_timeout: Duration,
    mapping: Mapping,
    trusted: Vec<u32>,
    /// Where its memory is to be: see `placement`.
    pub(crate) asked: Asked,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T: Payload> SubscriberOptions<T> {
    pub(super) fn new(name: &str) -> Self {
        SubscriberOptions {
            name: name.to_owned(),
            root: DEFAULT_ROOT.into(),
            socket: None,
            join: Join::Latest,
            wait: WaitStrategy::Spin,
            open_timeout: Duration::ZERO,
            mapping: Mapping::ReadOnly,
            trusted: Vec::new(),
            asked: Asked::default(),
            message: std::marker::PhantomData,
        }
    }

    /// For the sealed ring that is served there.
    pub(super) fn at_socket(path: &Path) -> Self {
        SubscriberOptions { socket: Some(path.to_owned()), ..SubscriberOptions::new("") }
    }

    /// The directory that the ring stands in, by default `/dev/shm`.
    pub fn root(self, root: impl AsRef<Path>) -> Self {
        SubscriberOptions { root: root.as_ref().to_owned(), ..self }
    }

    /// Where to begin, by default [`Join::Latest`].
    pub fn join(self, join: Join) -> Self {
        SubscriberOptions { join, ..self }
    }

    /// How [`Subscriber::recv`] waits, by default [`WaitStrategy::Spin`].
    pub fn wait(self, wait: WaitStrategy) -> Self {
        SubscriberOptions { wait, ..self }
    }

    /// Through which kind of pages to read, by default [`Mapping::ReadOnly`].
    pub fn map(self, mapping: Mapping) -> Self {
        SubscriberOptions { mapping, ..self }
    }

    /// How long to wait for the ring to appear; by default not at all. [`Duration::MAX`] waits for ever. A ring that is there
    /// and may not be read is waited for as well, but for half a second at most: it may be in the making.
    pub fn open_timeout(self, timeout: Duration) -> Self {
        SubscriberOptions { open_timeout: timeout, ..self }
    }

    /// Also opens rings that belong to this user. By default only one's own and root's are: anybody may have put a ring
    /// of any name into `/dev/shm`. May be called again for further users.
    pub fn trust_uid(mut self, uid: u32) -> Self {
        self.trusted.push(uid);
        self
    }

    /// Opens the ring, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], one variant for each thing that can be wrong.
    pub fn open(self) -> Result<Subscriber<T>, OpenError> {
        if self.socket.is_none() {
            name::check(&self.name)?;
        }
        if let Join::Sequence(found) = self.join
            && found >= MAX_SEQUENCE
        {
            return Err(OpenError::Sequence { found });
        }
        let expected = Geometry::of::<T>(2);
        let begun = Instant::now();
        let mut denied = None;
        loop {
            let trust = Trust::Also(&self.trusted);
            let opened = match &self.socket {
                Some(path) => handover::connect(path, trust, self.mapping, &expected, self.asked),
                None => attach::open(&self.root, &self.name, trust, self.mapping, &expected, self.asked),
            };
            match opened {
                Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. })
                    if begun.elapsed() < self.open_timeout =>
                {
                    denied = None;
                    std::thread::sleep(PATIENCE_STEP);
                }
                // A ring's directory is its publisher's alone until the publisher has the lock and lets others in.
                Err(OpenError::Permission { .. })
                    if begun.elapsed() < self.open_timeout
                        && denied.get_or_insert_with(Instant::now).elapsed() < BEING_MADE =>
                {
                    std::thread::sleep(PATIENCE_STEP);
                }
                Err(error) => return Err(error),
                Ok(opened) => {
                    let liveness = Liveness::Fifo(opened.live);
                    let (file, control) = opened.control;
                    let sleepers = Pinned::new(&control, control::SLEEPERS);
                    let mut subscriber =
                        Subscriber::new(opened.memory, opened.layout, liveness, sleepers, self.join, self.wait);
                    let path = opened.path;
                    let entry = Entry::claim(file, control, subscriber.next).map_err(|source| OpenError::Io {
                        doing: "take an entry in the control file of",
                        path,
                        source,
                    })?;
                    subscriber.attached = Attached::Entry(entry);
                    subscriber._connection = opened.connection;
                    return Ok(subscriber);
                }
            }
        }
    }
}

impl<T: Payload> Subscriber<T> {
    /// Where the kernel has the segment now, as this subscriber sees it: what came of the options. It reads
    /// `/proc/self/smaps`, which takes milliseconds in a large process: to be called once the ring is open, not while
    /// receiving.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or for a ring within the process, which has no mapping of its own.
    pub fn placement(&self) -> std::io::Result<Placement> {
        self.slots.memory().placement(Side::Subscriber)
    }
}
