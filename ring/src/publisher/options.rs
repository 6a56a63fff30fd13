//! How a ring is to be made: all options of a publisher, and their making of it.

use std::path::{Path, PathBuf};

use super::handle::Publisher;
use super::raw::RawPublisher;
use crate::error::CreateError;
use crate::format::layout::{Geometry, MAX_CAPACITY, MAX_SCHEMA};
use crate::format::message::MessageFormat;
use crate::format::name::{self, DEFAULT_ROOT};
use crate::format::payload::Payload;
use crate::placement::PlacementRequest;
use crate::protocol::wait::Wake;
use crate::transport;
use crate::transport::files::Access;
use crate::transport::host::Made;
use crate::transport::request::{Place, Request, SealedOptions};

/// How a ring is to be made: [`Publisher::options`].
///
/// ```
/// # let root = tempfile::tempdir()?;
/// use feed_ring::Publisher;
///
/// let publisher = Publisher::<u64>::options("quotes")
///     .capacity(1024)
///     .mode(0o640) // the publisher's group may subscribe
///     .root(root.path()) // instead of /dev/shm
///     .create()?;
/// assert_eq!(publisher.capacity(), 1024);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PublisherOptions<T> {
    name: String,
    format: MessageFormat,
    capacity: u64,
    mode: u32,
    group: Option<u32>,
    root: PathBuf,
    keep: bool,
    fresh: bool,
    /// Where a sealed ring is served. Without it the ring stands on disk.
    socket: Option<PathBuf>,
    sealed: SealedOptions,
    wake: Wake,
    placement: PlacementRequest,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T> PublisherOptions<T> {
    fn new(name: &str, format: MessageFormat) -> Self {
        PublisherOptions {
            name: name.to_owned(),
            format,
            capacity: 65_536,
            mode: 0o600,
            group: None,
            root: DEFAULT_ROOT.into(),
            keep: false,
            fresh: false,
            socket: None,
            sealed: SealedOptions::default(),
            wake: Wake::default(),
            placement: PlacementRequest::default(),
            message: std::marker::PhantomData,
        }
    }

    /// Slots of the ring: a power of two from 2 to 2^32, by default 65,536. One of them is always being written, so a
    /// subscriber may fall `capacity - 1` messages behind before it loses any.
    pub fn capacity(self, capacity: usize) -> Self {
        PublisherOptions { capacity: capacity as u64, ..self }
    }

    /// Who may subscribe, as the mode of the segment: 0600 by default, with any of the read bits 0044 added to admit the
    /// group or others, and of the write bits 0022 to let them map the ring for writing as well.
    ///
    /// Whoever may read the segment may write to `control`, where subscribers say how far they are and that they sleep.
    /// They cannot change a message by that, but they can cut the file short, which is a SIGBUS in whoever touches it next:
    /// with other users admitted, have [`guard::install`](crate::guard::install) called, or publish a ring that is
    /// [sealed](Self::serve).
    pub fn mode(self, mode: u32) -> Self {
        PublisherOptions { mode, ..self }
    }

    /// The directory that the ring stands in, by default `/dev/shm`. On anything but a file system in memory the kernel
    /// will write the ring to disk now and then.
    pub fn root(self, root: impl AsRef<Path>) -> Self {
        PublisherOptions { root: root.as_ref().to_owned(), ..self }
    }

    /// Whether the ring stays when it is closed. By default its files are removed then; subscribers that are attached
    /// keep it and read it to its end either way.
    pub fn keep(self, keep: bool) -> Self {
        PublisherOptions { keep, ..self }
    }

    /// The group that the ring's files get, as a number; by default the one that the kernel gives them. To be combined with
    /// a [`mode`](Self::mode) that admits the group.
    pub fn group(self, gid: u32) -> Self {
        PublisherOptions { group: Some(gid), ..self }
    }

    /// How to find out that a subscriber sleeps, by default [`Wake::Membarrier`].
    pub fn wake(self, wake: Wake) -> Self {
        PublisherOptions { wake, ..self }
    }

    /// Whether to make a new ring even where one could be gone on with. By default a ring that an ended publisher left is
    /// taken over: see [`create`](Self::create).
    pub fn fresh(self, fresh: bool) -> Self {
        PublisherOptions { fresh, ..self }
    }

    /// Makes a sealed ring instead of one on disk, and serves it at a Unix socket: nobody but this publisher can ever
    /// write to it, whoever may read it. Subscribers join with [`Subscriber::connect`](crate::Subscriber::connect).
    ///
    /// By default only this process's effective user is served, and only it can connect. Others need both: a
    /// [`mode`](Self::mode) that admits them (0640 for the [`group`](Self::group), 0644 for everybody; who may read may
    /// connect), and [`allow_uid`](Self::allow_uid) or [`allow_gid`](Self::allow_gid).
    ///
    /// A sealed ring cannot be taken over: the next publisher's is a new one, and begins with sequence 0.
    /// [`root`](Self::root), [`keep`](Self::keep) and [`fresh`](Self::fresh) mean nothing to it; the name is for looking at.
    /// [`create`](Self::create) starts a thread, which inherits the processors that the caller may run on: create the
    /// publisher before pinning its thread to a processor of its own. The thread ends, and the socket is removed, when
    /// the publisher is closed or dropped.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("quotes.sock");
    /// use feed_ring::{Join, Publisher, Subscriber};
    ///
    /// let mut publisher = Publisher::<u64>::options("quotes").capacity(1024).serve(&path).create()?;
    /// let mut subscriber = Subscriber::<u64>::connect(&path).join(Join::Oldest).open()?;
    /// publisher.publish(&7);
    /// assert_eq!(subscriber.recv()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(self, path: impl AsRef<Path>) -> Self {
        PublisherOptions { socket: Some(path.as_ref().to_owned()), ..self }
    }

    /// Also serves a sealed ring to this user. May be called again for further ones.
    pub fn allow_uid(mut self, uid: u32) -> Self {
        self.sealed.uids.push(uid);
        self
    }

    /// Also serves a sealed ring to whoever is in this group, be it as a supplementary one. May be called again for
    /// further ones.
    pub fn allow_gid(mut self, gid: u32) -> Self {
        self.sealed.gids.push(gid);
        self
    }

    /// How many clients of a sealed ring may be connected at a time, by default 256; further ones are told so. Each takes
    /// one of this process's file descriptors (`ulimit -n`).
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.sealed.max_clients = clients;
        self
    }

    /// Whether to put the segment on huge pages, by default not: fewer address translations for a ring that is larger than
    /// what the processor keeps of them (some MB). It is asked for and **not an error** where the machine refuses:
    /// [`Publisher::placement`] tells what came of it, and why.
    ///
    /// The memory is made of huge pages at once where the file system allows it (`huge=advise` among the mount's options;
    /// for a sealed ring `shmem_enabled`), and is otherwise collapsed into them after it was touched (Linux 6.1 and later,
    /// whatever `shmem_enabled` says, unless that is `deny`). It needs free huge pages, costs up to some ms for each of
    /// them while the ring is made, and 2 MiB of address space. A ring taken over is collapsed, too; its subscribers wait
    /// at a page for as long as it is copied.
    ///
    /// A subscriber reaches them through huge pages if it [asks](crate::SubscriberOptions::huge_pages) as well.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.placement.huge_pages = huge_pages;
        self
    }

    /// The NUMA node that the ring's memory has to come from; by default it comes from that of the CPU that the caller runs
    /// on. The files are bound to it before they are first touched, and stay bound for as long as they exist.
    ///
    /// A ring taken over has its memory already: what no subscriber has mapped is moved, the rest stays where it is, and
    /// [`Placement::missing_from_node`](crate::Placement::missing_from_node) tells how much that is. If the node has too little memory, the kernel kills the
    /// process rather than to take it from elsewhere.
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Node`](crate::PlacementError::Node) if there is no such node and with
    /// [`PlacementError::Bind`](crate::PlacementError::Bind) if the process may not have memory from it.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.placement.numa_node = Some(node);
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not. For the whole
    /// process there is [`placement::lock_memory`](crate::placement::lock_memory).
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Memlock`](crate::PlacementError::Memlock) if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.placement.lock_memory = lock;
        self
    }

    fn make(&self) -> Result<Made, CreateError> {
        name::check(&self.name)?;
        check_message(&self.format)?;
        check_capacity(self.capacity)?;
        if self.mode & 0o600 != 0o600 || self.mode & !0o666 != 0 {
            return Err(CreateError::Mode { found: self.mode });
        }
        let place = match &self.socket {
            Some(socket) => Place::Socket(socket.clone()),
            None => Place::Disk(self.root.clone()),
        };
        let request = Request {
            name: &self.name,
            access: Access { mode: self.mode, group: self.group },
            geometry: &Geometry::new(&self.format, self.capacity),
            placement: self.placement,
            fresh: self.fresh,
            keep: self.keep,
            sealed: &self.sealed,
        };
        transport::make(&place, &request)
    }
}

impl<T: Payload> PublisherOptions<T> {
    /// Goes on with the ring of this name that an ended publisher left (killed, or closed and kept), if it has this
    /// capacity and these messages; otherwise makes a new one: reserves and touches all of its memory, then puts it into
    /// place.
    ///
    /// - A ring **taken over** goes on with the next sequence number under the next epoch. Its subscribers stay attached
    ///   and meet [`Restarted`](crate::TryRecvError::Restarted) before the first message of the new epoch.
    /// - A ring **replaced** is superseded: its subscribers read it to its end, meet
    ///   [`Superseded`](crate::TryRecvError::Superseded), and find the new one under the same name. It begins with the
    ///   old one's next sequence number, or one later where the old one's slots cannot be read (another version's, or
    ///   damaged). Only where not even its count makes sense do numbers begin anew, at 0; as they do where there was no
    ///   ring, or one that was closed and removed.
    ///
    /// # Errors
    /// [`CreateError`], one variant for each thing that can be wrong; nothing is left behind then.
    pub fn create(self) -> Result<Publisher<T>, CreateError> {
        Ok(Publisher::new(self.make()?, self.wake))
    }
}

impl PublisherOptions<MessageFormat> {
    /// Makes a ring of messages that are bytes, or takes one over, as a typed publisher does.
    ///
    /// # Errors
    /// [`CreateError`], one variant for each thing that can be wrong; nothing is left behind then.
    pub fn create_raw(self) -> Result<RawPublisher, CreateError> {
        Ok(RawPublisher::new(self.make()?, self.wake, self.format))
    }
}

impl<T: Payload> Publisher<T> {
    /// How to make a ring of this name: 1 to 200 of `A-Z a-z 0-9 . _ -`, and no `.` at the start.
    pub fn options(name: &str) -> PublisherOptions<T> {
        PublisherOptions::new(name, MessageFormat::of::<T>())
    }
}

impl RawPublisher {
    /// How to make a ring of this name whose messages are of this format.
    pub fn options(name: &str, format: MessageFormat) -> PublisherOptions<MessageFormat> {
        PublisherOptions::new(name, format)
    }
}

/// Whether there can be a ring of so many slots.
pub(crate) fn check_capacity(found: u64) -> Result<(), CreateError> {
    let nearest = found.clamp(2, MAX_CAPACITY).next_power_of_two();
    if found == nearest { Ok(()) } else { Err(CreateError::Capacity { found, nearest }) }
}

/// Whether there can be messages of this format.
pub(crate) fn check_message(format: &MessageFormat) -> Result<(), CreateError> {
    let schema = format.schema().len();
    let (what, found, expected) = if format.size() == 0 {
        ("data", 0, "at least 1")
    } else if schema > MAX_SCHEMA {
        ("schema", schema, "at most 65536")
    } else {
        return Ok(());
    };
    Err(CreateError::Message { name: format.name(), what, found, expected })
}
