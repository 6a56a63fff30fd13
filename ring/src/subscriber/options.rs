//! All options of a subscriber, and how they open and join a ring.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::handle::Subscriber;
use super::raw::RawSubscriber;
use crate::error::OpenError;
use crate::format::message::MessageFormat;
use crate::format::name::{self, DEFAULT_ROOT};
use crate::format::payload::Payload;
use crate::memory::Mapping;
use crate::placement::PlacementRequest;
use crate::protocol::join::Join;
use crate::protocol::wait::WaitStrategy;
use crate::segment::header::Contents;
use crate::transport;
use crate::transport::attachment::Opened;
use crate::transport::files::Trust;
use crate::transport::files::directory::segment_path;
use crate::transport::request::{Expected, Place};

/// Time between two attempts to open a ring that is waited for.
const RETRY_AFTER: Duration = Duration::from_millis(2);

/// How long a missing permission may mean that the ring is still being made.
pub(crate) const PERMISSION_GRACE: Duration = Duration::from_millis(500);

/// Options for opening a ring: [`Subscriber::options`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SubscriberOptions<T> {
    name: String,
    /// `None` if none was given: [`DEFAULT_ROOT`].
    root: Option<PathBuf>,
    /// The socket of a sealed ring. `None` for a ring on disk.
    socket: Option<PathBuf>,
    /// The format that the messages must have. `None` accepts any.
    format: Option<MessageFormat>,
    join: Join,
    wait: WaitStrategy,
    hold_back: bool,
    open_timeout: Duration,
    mapping: Mapping,
    trusted: Vec<u32>,
    placement: PlacementRequest,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T> SubscriberOptions<T> {
    pub(crate) fn new(name: &str, format: Option<MessageFormat>) -> Self {
        SubscriberOptions {
            name: name.to_owned(),
            root: None,
            socket: None,
            format,
            join: Join::Latest,
            wait: WaitStrategy::default(),
            hold_back: true,
            open_timeout: Duration::ZERO,
            mapping: Mapping::ReadOnly,
            trusted: Vec::new(),
            placement: PlacementRequest::default(),
            message: std::marker::PhantomData,
        }
    }

    pub(crate) fn at_socket(path: &Path, format: Option<MessageFormat>) -> Self {
        SubscriberOptions { socket: Some(path.to_owned()), ..SubscriberOptions::new("", format) }
    }

    /// The directory that contains the ring, by default `/dev/shm`.
    pub fn root(self, root: impl AsRef<Path>) -> Self {
        SubscriberOptions { root: Some(root.as_ref().to_owned()), ..self }
    }

    /// Where to begin to read; by default [`Join::Latest`].
    pub fn join(self, join: Join) -> Self {
        SubscriberOptions { join, ..self }
    }

    /// How [`Subscriber::recv`] waits; by default [`WaitStrategy::Block`].
    pub fn wait(self, wait: WaitStrategy) -> Self {
        SubscriberOptions { wait, ..self }
    }

    /// Whether to let the publisher get ahead in a stream at full speed; by default yes. It has an effect in rings of at
    /// least 2,048 slots and 1 MiB.
    ///
    /// On some processors a subscriber that is faster than its publisher stays right behind it and takes each cache
    /// line that the publisher is about to write. Both then run at a fraction of their speed (docs/performance.md has
    /// the measurements). So the receives that wait ([`recv`](Subscriber::recv), [`recv_into`](Subscriber::recv_into),
    /// [`recv_timeout`](Subscriber::recv_timeout), and those of a raw subscriber) pause, for at most 1.5 microseconds,
    /// when all of this holds: they received 64 messages in a row without waiting, in less than four microseconds; the
    /// publisher goes on publishing; and it is less than 256 messages ahead. Slower streams are never held back, and
    /// neither are [`try_recv`](Subscriber::try_recv) and [`recv_batch`](Subscriber::recv_batch), which do not wait.
    /// [`held_back`](Subscriber::held_back) counts the pauses.
    ///
    /// Set it to `false` if no message in such a stream may be delayed that long, whatever it costs the publisher.
    pub fn hold_back(self, hold_back: bool) -> Self {
        SubscriberOptions { hold_back, ..self }
    }

    /// The kind of pages to read through; by default [`Mapping::ReadOnly`].
    pub fn map(self, mapping: Mapping) -> Self {
        SubscriberOptions { mapping, ..self }
    }

    /// How long to wait for the ring to appear; by default not at all. [`Duration::MAX`] waits for ever. If the ring
    /// exists but may not be read, it may still be in the making: it is waited for as well, but for half a second at
    /// most.
    pub fn open_timeout(self, timeout: Duration) -> Self {
        SubscriberOptions { open_timeout: timeout, ..self }
    }

    /// Also opens rings of this user. By default only your own and root's rings are opened, because anybody can put a
    /// ring of any name into `/dev/shm`. Call it again for further users.
    pub fn trust_uid(mut self, uid: u32) -> Self {
        self.trusted.push(uid);
        self
    }

    /// Whether to use huge pages for the segment if its publisher has put it on some; by default not. This does not
    /// change the ring's memory: the subscriber only maps it so that the kernel can use them.
    /// [`Subscriber::placement`](crate::Subscriber::placement) reports the outcome. It costs 2 MiB of address space.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.placement.huge_pages = huge_pages;
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not.
    /// [`placement::lock_memory`](crate::placement::lock_memory) locks the memory of the whole process.
    ///
    /// [`open`](Self::open) fails with [`PlacementError::Memlock`](crate::PlacementError::Memlock) if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.placement.lock_memory = lock;
        self
    }

    /// The same options for something else.
    pub(crate) fn of<U>(self, format: Option<MessageFormat>) -> SubscriberOptions<U> {
        let SubscriberOptions { name, root, socket, join, wait, hold_back, open_timeout, mapping, trusted, .. } = self;
        SubscriberOptions {
            name,
            root,
            socket,
            format,
            join,
            wait,
            hold_back,
            open_timeout,
            mapping,
            trusted,
            placement: self.placement,
            message: std::marker::PhantomData,
        }
    }

    /// The same options for another name and, if it is sealed, another socket.
    pub(crate) fn renamed(mut self, name: fn(&str) -> String, socket: fn(&Path) -> PathBuf) -> Self {
        self.name = name(&self.name);
        self.socket = self.socket.map(|path| socket(&path));
        self
    }

    pub(crate) fn wait_strategy(&self) -> WaitStrategy {
        self.wait
    }

    pub(crate) fn join_at(&self) -> Join {
        self.join
    }

    pub(crate) fn holds_back(&self) -> bool {
        self.hold_back
    }

    /// The file that stands for the ring: its segment, or the socket of a sealed one.
    pub(crate) fn path(&self) -> PathBuf {
        let root = || self.root.as_deref().unwrap_or(Path::new(DEFAULT_ROOT));
        self.socket.clone().unwrap_or_else(|| segment_path(root(), &self.name))
    }

    /// Takes the open timeout out: what is opened with the rest does not wait.
    pub(crate) fn take_open_timeout(&mut self) -> Duration {
        std::mem::take(&mut self.open_timeout)
    }

    fn open_messages(&self) -> Result<Opened, OpenError> {
        self.open_transport(Contents::Messages(self.format.as_ref()))
    }

    /// Waits for the ring, or what it is, and opens it.
    pub(crate) fn open_transport(&self, contents: Contents<'_>) -> Result<Opened, OpenError> {
        let place = match &self.socket {
            Some(_) if self.root.is_some() => return Err(OpenError::SealedOption { option: "root" }),
            Some(socket) => Place::Socket(socket.clone()),
            None => {
                name::check(&self.name)?;
                Place::Disk(self.root.clone().unwrap_or_else(|| DEFAULT_ROOT.into()))
            }
        };
        self.join.check()?;
        let expected = Expected {
            name: &self.name,
            trust: Trust::Also(&self.trusted),
            mapping: self.mapping,
            contents,
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
                // While a publisher makes a ring, nobody else may enter the ring's directory.
                Err(OpenError::Permission { .. })
                    if begun.elapsed() < self.open_timeout
                        && denied.get_or_insert_with(Instant::now).elapsed() < PERMISSION_GRACE => {}
                result => return result,
            }
            std::thread::sleep(RETRY_AFTER);
        }
    }
}

impl<T: Payload> SubscriberOptions<T> {
    /// Opens the ring, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open(self) -> Result<Subscriber<T>, OpenError> {
        let mut subscriber = Subscriber::new(self.open_messages()?, self.join, self.wait);
        subscriber.set_hold_back(self.hold_back);
        Ok(subscriber)
    }
}

impl SubscriberOptions<MessageFormat> {
    /// Opens a ring with messages of any format, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_raw(self) -> Result<RawSubscriber, OpenError> {
        let mut subscriber = RawSubscriber::new(self.open_messages()?, self.join, self.wait);
        subscriber.receiver.hold_back.wanted = self.hold_back;
        Ok(subscriber)
    }
}

impl<T: Payload> Subscriber<T> {
    /// Options for opening the ring of this name.
    pub fn options(name: &str) -> SubscriberOptions<T> {
        SubscriberOptions::new(name, Some(MessageFormat::of::<T>()))
    }

    /// Options for joining the sealed ring that a publisher serves at the socket `path`: see
    /// [`PublisherOptions::serve`](crate::PublisherOptions::serve). The pages are always read-only. If a
    /// [`root`](SubscriberOptions::root) is given, [`open`](SubscriberOptions::open) fails with
    /// [`OpenError::SealedOption`].
    ///
    /// The connection stays open while the subscriber lives, and the publisher counts it as a subscriber. After
    /// [`Closed`](crate::TryRecvError::Closed) or [`PublisherDead`](crate::TryRecvError::PublisherDead) nothing more
    /// comes from a sealed ring: connect again, to the next publisher's ring.
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<T> {
        SubscriberOptions::at_socket(path.as_ref(), Some(MessageFormat::of::<T>()))
    }
}

impl RawSubscriber {
    /// Options for opening the ring of this name, whatever its messages are.
    pub fn options(name: &str) -> SubscriberOptions<MessageFormat> {
        SubscriberOptions::new(name, None)
    }

    /// Options for joining the sealed ring that a publisher serves at the socket `path`, whatever its messages are:
    /// see [`Subscriber::connect`].
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<MessageFormat> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use feed_testing::PrivateRoot;

    use super::*;
    use crate::Publisher;

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn both_subscribers_hold_back_unless_asked_not_to() {
        let root = PrivateRoot::new();
        let _publisher = Publisher::<u64>::options("r").root(&root).capacity(2).create().unwrap();
        let typed = || Subscriber::<u64>::options("r").root(&root);
        let raw = || RawSubscriber::options("r").root(&root);
        assert!(typed().open().unwrap().receiver.hold_back.wanted);
        assert!(raw().open_raw().unwrap().receiver.hold_back.wanted);
        assert!(!typed().hold_back(false).open().unwrap().receiver.hold_back.wanted);
        assert!(!raw().hold_back(false).open_raw().unwrap().receiver.hold_back.wanted);
    }
}
