//! How a subscriber joins: where to look, where to begin, how to wait, whom to trust.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::handle::Subscriber;
use super::raw::RawSubscriber;
use crate::error::OpenError;
use crate::format::layout::MAX_SEQUENCE;
use crate::format::message::MessageFormat;
use crate::format::name::{self, DEFAULT_ROOT};
use crate::format::payload::Payload;
use crate::memory::Mapping;
use crate::placement::PlacementRequest;
use crate::protocol::cursor::Join;
use crate::protocol::wait::WaitStrategy;
use crate::transport;
use crate::transport::attachment::Opened;
use crate::transport::files::Trust;
use crate::transport::request::{Expected, Place};

/// Between two attempts at a ring that is waited for.
const PATIENCE_STEP: Duration = Duration::from_millis(2);

/// For so long permission may be missing because a ring is being made.
const BEING_MADE: Duration = Duration::from_millis(500);

/// How a ring is to be opened: [`Subscriber::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SubscriberOptions<T> {
    name: String,
    root: PathBuf,
    /// Where a sealed ring is served. Without it the ring stands on disk.
    socket: Option<PathBuf>,
    /// The messages that it can read. None: any.
    format: Option<MessageFormat>,
    join: Join,
    wait: WaitStrategy,
    open_timeout: Duration,
    mapping: Mapping,
    trusted: Vec<u32>,
    placement: PlacementRequest,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T> SubscriberOptions<T> {
    fn new(name: &str, format: Option<MessageFormat>) -> Self {
        SubscriberOptions {
            name: name.to_owned(),
            root: DEFAULT_ROOT.into(),
            socket: None,
            format,
            join: Join::Latest,
            wait: WaitStrategy::Spin,
            open_timeout: Duration::ZERO,
            mapping: Mapping::ReadOnly,
            trusted: Vec::new(),
            placement: PlacementRequest::default(),
            message: std::marker::PhantomData,
        }
    }

    fn at_socket(path: &Path, format: Option<MessageFormat>) -> Self {
        SubscriberOptions { socket: Some(path.to_owned()), ..SubscriberOptions::new("", format) }
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

    /// Whether to reach the segment through huge pages where its publisher has put it on some, by default not. A subscriber
    /// changes nothing about the ring's memory: it only maps it so that the kernel can do that.
    /// [`Subscriber::placement`](crate::Subscriber::placement) tells what came of it. It costs 2 MiB of address space.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.placement.huge_pages = huge_pages;
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not. For the whole
    /// process there is [`placement::lock_memory`](crate::placement::lock_memory).
    ///
    /// [`open`](Self::open) fails with [`PlacementError::Memlock`](crate::PlacementError::Memlock) if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.placement.lock_memory = lock;
        self
    }

    /// Opens the ring, once it is there, and has `join` join it. A failure of that is the kernel's, about an entry.
    fn open_with<S>(
        &self,
        join: impl FnOnce(Opened, Join, WaitStrategy) -> std::io::Result<S>,
    ) -> Result<S, OpenError> {
        let opened = self.open_transport()?;
        let path = opened.found.as_ref().map(|(_, path)| path.clone()).unwrap_or_default();
        join(opened, self.join, self.wait).map_err(|source| OpenError::Io {
            doing: "take an entry in the control file of",
            path,
            source,
        })
    }

    fn open_transport(&self) -> Result<Opened, OpenError> {
        let place = match &self.socket {
            Some(socket) => Place::Socket(socket.clone()),
            None => {
                name::check(&self.name)?;
                Place::Disk(self.root.clone())
            }
        };
        if let Join::Sequence(found) = self.join
            && found >= MAX_SEQUENCE
        {
            return Err(OpenError::Sequence { found });
        }
        let expected = Expected {
            name: &self.name,
            trust: Trust::Also(&self.trusted),
            mapping: self.mapping,
            message: self.format.as_ref(),
            placement: self.placement,
        };
        let begun = Instant::now();
        let mut denied = None;
        loop {
            match transport::open(&place, expected) {
                Err(OpenError::NotFound { .. } | OpenError::Unfinished { .. } | OpenError::NotServed { .. })
                    if begun.elapsed() < self.open_timeout =>
                {
                    denied = None;
                }
                // A ring's directory is its publisher's alone until the publisher has the lock and lets others in.
                Err(OpenError::Permission { .. })
                    if begun.elapsed() < self.open_timeout
                        && denied.get_or_insert_with(Instant::now).elapsed() < BEING_MADE => {}
                result => return result,
            }
            std::thread::sleep(PATIENCE_STEP);
        }
    }
}

impl<T: Payload> SubscriberOptions<T> {
    /// Opens the ring, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], one variant for each thing that can be wrong.
    pub fn open(self) -> Result<Subscriber<T>, OpenError> {
        self.open_with(Subscriber::new)
    }
}

impl SubscriberOptions<MessageFormat> {
    /// Opens a ring of any messages, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], one variant for each thing that can be wrong.
    pub fn open_raw(self) -> Result<RawSubscriber, OpenError> {
        self.open_with(RawSubscriber::new)
    }
}

impl<T: Payload> Subscriber<T> {
    /// How to open the ring of this name.
    pub fn options(name: &str) -> SubscriberOptions<T> {
        SubscriberOptions::new(name, Some(MessageFormat::of::<T>()))
    }

    /// How to join the sealed ring that a publisher serves at the socket `path`: see
    /// [`PublisherOptions::serve`](crate::PublisherOptions::serve). It is opened like one on disk; the
    /// [`root`](SubscriberOptions::root) means nothing to it, and its pages are read-only in any case.
    ///
    /// The connection stays open for as long as the subscriber lives, and counts it. After
    /// [`Closed`](crate::TryRecvError::Closed) or [`PublisherDead`](crate::TryRecvError::PublisherDead) there is nothing more to
    /// come from a sealed ring: connect again, to the next publisher's.
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<T> {
        SubscriberOptions::at_socket(path.as_ref(), Some(MessageFormat::of::<T>()))
    }
}

impl RawSubscriber {
    /// How to open the ring of this name, whatever its messages are.
    pub fn options(name: &str) -> SubscriberOptions<MessageFormat> {
        SubscriberOptions::new(name, None)
    }

    /// How to join the sealed ring that a publisher serves at the socket `path`, whatever its messages are.
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<MessageFormat> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}
