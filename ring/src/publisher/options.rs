//! All options of a publisher, and how they make or take over a ring.

use std::path::{Path, PathBuf};

use super::ahead::Ahead;
use super::handle::Publisher;
use super::raw::RawPublisher;
use super::relay::{Relay, RelayPublisher};
use crate::error::CreateError;
use crate::format::layout::{Body, Geometry, MAX_CAPACITY, MAX_SCHEMA, MAX_SEQUENCE};
use crate::format::message::MessageFormat;
use crate::format::name::{self, DEFAULT_ROOT};
use crate::format::payload::Payload;
use crate::format::records::{SLOT, nearest_slot};
use crate::format::rows::{MAX_COPIES, MAX_KEY, MAX_ROWS, RowsGeometry};
use crate::placement::PlacementRequest;
use crate::protocol::wake::Wake;
use crate::transport;
use crate::transport::files::Access;
use crate::transport::host::Made;
use crate::transport::request::{Place, Request, SealedOptions};

/// Rows of a table unless the options say otherwise.
pub(crate) const ROWS: usize = 4096;

/// Options for making a ring: [`Publisher::options`].
///
/// ```no_run
/// use feed_ring::Publisher;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let publisher = Publisher::<u64>::options("quotes")
///         .capacity(1024)
///         .mode(0o640) // the publisher's group may subscribe
///         .root("/dev/shm") // where rings are unless another directory is given
///         .create()?;
///     assert_eq!(publisher.capacity(), 1024);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct PublisherOptions<T> {
    name: String,
    format: MessageFormat,
    body: Body,
    /// Bytes of a slot of a ring of records.
    slot_size: usize,
    /// Rows of the table that a ring is kept with.
    pub(crate) table_rows: usize,
    /// The first sequence of a new ring on disk. `None` for the one after the old ring's last.
    base: Option<u64>,
    /// Of a ring with another ring's numbers: the first epoch of a new one.
    epoch: Option<u64>,
    capacity: u64,
    mode: u32,
    group: Option<u32>,
    /// `None` if none was given: [`DEFAULT_ROOT`].
    root: Option<PathBuf>,
    keep: bool,
    fresh: bool,
    /// The socket that serves a sealed ring. `None` for a ring on disk.
    socket: Option<PathBuf>,
    sealed: SealedOptions,
    /// `None` if none was given: [`wake_or_default`](Self::wake_or_default).
    wake: Option<Wake>,
    ahead: Ahead,
    placement: PlacementRequest,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T> PublisherOptions<T> {
    pub(crate) fn new(name: &str, format: MessageFormat) -> Self {
        PublisherOptions {
            name: name.to_owned(),
            format,
            body: Body::Messages,
            slot_size: SLOT,
            table_rows: ROWS,
            base: None,
            epoch: None,
            capacity: 65_536,
            mode: 0o600,
            group: None,
            root: None,
            keep: false,
            fresh: false,
            socket: None,
            sealed: SealedOptions::default(),
            wake: None,
            ahead: Ahead::default(),
            placement: PlacementRequest::default(),
            message: std::marker::PhantomData,
        }
    }

    /// Options for a table or a cell of `capacity` rows.
    pub(crate) fn for_rows(name: &str, format: MessageFormat, rows: RowsGeometry, capacity: usize) -> Self {
        let body = Body::Rows(rows);
        PublisherOptions { body, capacity: capacity as u64, ..PublisherOptions::new(name, format) }
    }

    /// Options for a ring of records. The format has the text of theirs.
    pub(crate) fn for_records(name: &str, format: MessageFormat) -> Self {
        PublisherOptions { body: Body::Records { source: None }, ..PublisherOptions::new(name, format) }
    }

    pub(crate) fn with_slot_size(self, slot_size: usize) -> Self {
        PublisherOptions { slot_size, ..self }
    }

    /// The same options for something else.
    pub(crate) fn of<U>(self, format: MessageFormat, body: Body, capacity: u64) -> PublisherOptions<U> {
        let PublisherOptions { name, mode, group, root, keep, fresh, socket, sealed, wake, ahead, .. } = self;
        let (slot_size, table_rows, placement) = (self.slot_size, self.table_rows, self.placement);
        PublisherOptions {
            name,
            format,
            body,
            slot_size,
            table_rows,
            base: None,
            epoch: None,
            capacity,
            mode,
            group,
            root,
            keep,
            fresh,
            socket,
            sealed,
            wake,
            ahead,
            placement,
            message: std::marker::PhantomData,
        }
    }

    /// The same options under another name and, if it is sealed, at another socket.
    pub(crate) fn renamed(mut self, name: fn(&str) -> String, socket: fn(&Path) -> PathBuf) -> Self {
        self.name = name(&self.name);
        self.socket = self.socket.map(|path| socket(&path));
        self
    }

    /// A new one begins with this number.
    pub(crate) fn from(self, base: u64) -> Self {
        PublisherOptions { base: Some(base), ..self }
    }

    /// The format of the messages or values.
    pub(crate) fn format(&self) -> &MessageFormat {
        &self.format
    }

    /// The format of a table's keys. `None` where there are no keys.
    pub(crate) fn key_format(&self) -> Option<&MessageFormat> {
        self.body.rows()?.kind.key()
    }

    pub(crate) fn slots(&self) -> u64 {
        self.capacity
    }

    pub(crate) fn with_copies(mut self, copies: usize) -> Self {
        if let Body::Rows(rows) = &mut self.body {
            rows.copies = copies;
        }
        self
    }

    /// Number of slots: a power of two from 2 to 2^32, by default 65,536. One slot is always reserved for the next
    /// message, so a subscriber may fall `capacity - 1` messages behind before it loses any.
    ///
    /// Of a table, the number of rows: any from 1 to 16,777,216. A cell has one.
    pub fn capacity(self, capacity: usize) -> Self {
        PublisherOptions { capacity: capacity as u64, ..self }
    }

    /// Who may subscribe, as the file mode of the segment; 0600 by default. Add read bits (0044) to admit the group or
    /// others, and write bits (0022) to let them map the ring for writing as well.
    ///
    /// A user who may read the segment may also write to `control`, where subscribers record their position and that
    /// they sleep. This cannot change a message. But such a user can cut that file short, and the next process that
    /// touches it then gets SIGBUS. If other users are admitted, have your programs call
    /// [`guard::install`](crate::guard::install), or publish a [sealed](Self::serve) ring.
    pub fn mode(self, mode: u32) -> Self {
        PublisherOptions { mode, ..self }
    }

    /// The directory that contains the ring, by default `/dev/shm`. If it is not on a file system in memory, the kernel
    /// writes the ring to disk now and then.
    pub fn root(self, root: impl AsRef<Path>) -> Self {
        PublisherOptions { root: Some(root.as_ref().to_owned()), ..self }
    }

    /// Whether the ring's files stay when it is closed. By default they are removed. Attached subscribers read the ring
    /// to its end either way.
    pub fn keep(self, keep: bool) -> Self {
        PublisherOptions { keep, ..self }
    }

    /// The group of the ring's files, as a number; by default the kernel decides. Combine it with a
    /// [`mode`](Self::mode) that admits the group.
    pub fn group(self, gid: u32) -> Self {
        PublisherOptions { group: Some(gid), ..self }
    }

    /// How the publisher finds out that a subscriber sleeps. By default [`Wake::Membarrier`] if only this user can
    /// subscribe, and [`Wake::Thread`] if the [`mode`](Self::mode) admits others or the ring is [sealed](Self::serve).
    pub fn wake(self, wake: Wake) -> Self {
        PublisherOptions { wake: Some(wake), ..self }
    }

    /// Subscribers of other users, and all of a sealed ring's, are not trusted with the publisher's time.
    pub(crate) fn wake_or_default(&self) -> Wake {
        let others = self.mode & 0o066 != 0 || self.socket.is_some();
        self.wake.unwrap_or(if others { Wake::Thread } else { Wake::default() })
    }

    /// How many messages ahead the publisher brings cache lines to its core; by default [`Ahead::One`].
    pub fn ahead(self, ahead: Ahead) -> Self {
        PublisherOptions { ahead, ..self }
    }

    /// Whether to make a new ring even if an existing one could be taken over. By default the publisher takes over a
    /// ring that an ended publisher left: see [`create`](Self::create).
    pub fn fresh(self, fresh: bool) -> Self {
        PublisherOptions { fresh, ..self }
    }

    /// Makes a sealed ring instead of one on disk, and serves it at a Unix socket. Only this publisher can ever write
    /// to it, whoever may read it. Subscribers join with [`Subscriber::connect`](crate::Subscriber::connect).
    ///
    /// By default only this process's effective user can connect and is served. Other users need both: a
    /// [`mode`](Self::mode) that admits them (0640 for the [`group`](Self::group), 0644 for everybody; read permission
    /// allows connecting), and [`allow_uid`](Self::allow_uid) or [`allow_gid`](Self::allow_gid).
    ///
    /// If other users are admitted, have your programs call [`guard::install`](crate::guard::install). A client can punch
    /// holes into `control`, where subscribers record their position. Touching a hole raises SIGBUS if the machine has no
    /// memory left for it.
    ///
    /// A sealed ring cannot be taken over: the next publisher makes a new one, which begins with sequence 0. Its name is
    /// only for display. If a [`root`](Self::root) is given, or [`keep`](Self::keep) or [`fresh`](Self::fresh) is set,
    /// [`create`](Self::create) fails with [`CreateError::SealedOption`].
    ///
    /// [`create`](Self::create) starts a thread, which inherits the processors that the calling thread may run
    /// on: create the publisher before pinning its thread to one processor. When the publisher is closed or dropped,
    /// the thread ends and the socket is removed.
    ///
    /// ```no_run
    /// use feed_ring::{Join, Publisher, Subscriber};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let path = "/dev/shm/quotes.sock";
    ///     let mut publisher = Publisher::<u64>::options("quotes").capacity(1024).serve(path).create()?;
    ///     let mut subscriber = Subscriber::<u64>::connect(path).join(Join::Oldest).open()?; // in another process
    ///     publisher.publish(&7);
    ///     assert_eq!(subscriber.recv()?, 7);
    ///     Ok(())
    /// }
    /// ```
    pub fn serve(self, path: impl AsRef<Path>) -> Self {
        PublisherOptions { socket: Some(path.as_ref().to_owned()), ..self }
    }

    /// Also serves a sealed ring to this user. Call it again for further users.
    ///
    /// Without [`serve`](Self::serve), [`create`](Self::create) fails with [`CreateError::DiskOption`].
    pub fn allow_uid(mut self, uid: u32) -> Self {
        self.sealed.uids.push(uid);
        self
    }

    /// Also serves a sealed ring to users in this group, including those that have it as a supplementary group. Call it
    /// again for further groups.
    ///
    /// A member of the group that has subordinate user ids (`/etc/subuid`) can connect under each of them in a user
    /// namespace, and stays in the group. Each of these ids counts as a user of its own for the bound of
    /// [`max_clients`](Self::max_clients), so such a member can take all places. Where that matters, allow users
    /// ([`allow_uid`](Self::allow_uid)) instead.
    ///
    /// Without [`serve`](Self::serve), [`create`](Self::create) fails with [`CreateError::DiskOption`].
    pub fn allow_gid(mut self, gid: u32) -> Self {
        self.sealed.gids.push(gid);
        self
    }

    /// How many clients of a sealed ring may be connected at a time, by default 256. Further clients are refused with a
    /// message that says so. Each client takes one file descriptor of this process (`ulimit -n`).
    ///
    /// If other users are allowed ([`allow_uid`](Self::allow_uid), [`allow_gid`](Self::allow_gid)), one user gets at most
    /// half of the places, rounded up: none keeps all others out. A user is a user id, of which one person may have many: see
    /// [`allow_gid`](Self::allow_gid).
    ///
    /// Without [`serve`](Self::serve), [`create`](Self::create) fails with [`CreateError::DiskOption`].
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.sealed.max_clients = Some(clients);
        self
    }

    /// Whether to put the segment on huge pages; by default not. They save address translations for a ring that is
    /// larger than the part the processor caches translations for (some MB). If the machine refuses, that is **not an
    /// error**: [`Publisher::placement`] reports the outcome and the reason.
    ///
    /// Where the file system allows it (`huge=advise` among the mount's options; for a sealed ring `shmem_enabled`),
    /// the memory is allocated as huge pages. Elsewhere it is collapsed into them after it was touched (Linux 6.1 and
    /// later, whatever `shmem_enabled` says, unless that is `deny`). This needs free huge pages, up to some ms for each
    /// of them while the ring is made, and 2 MiB of address space. A ring that is taken over is collapsed too; while a
    /// page is copied, its subscribers wait for that page.
    ///
    /// A subscriber uses huge pages only if it [asks for them](crate::SubscriberOptions::huge_pages) as well.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.placement.huge_pages = huge_pages;
        self
    }

    /// The NUMA node for the ring's memory; by default the node of the CPU that the caller runs on. The files are bound
    /// to the node before they are first touched, and stay bound as long as they exist.
    ///
    /// A ring that is taken over already has memory. Pages that no subscriber has mapped are moved; the others stay,
    /// and [`Placement::missing_from_node`](crate::Placement::missing_from_node) reports how much that is. If the node
    /// has too little memory, the kernel kills the process instead of taking memory from elsewhere.
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Node`](crate::PlacementError::Node) if there is no such
    /// node, and with [`PlacementError::Bind`](crate::PlacementError::Bind) if the process may not use its memory.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.placement.numa_node = Some(node);
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not.
    /// [`placement::lock_memory`](crate::placement::lock_memory) locks the memory of the whole process.
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Memlock`](crate::PlacementError::Memlock) if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.placement.lock_memory = lock;
        self
    }

    /// Checks everything that can be checked without the file system, and returns the geometry.
    pub(crate) fn check(&self) -> Result<Geometry, CreateError> {
        name::check(&self.name)?;
        check_message(&self.format)?;
        if self.mode & 0o600 != 0o600 || self.mode & !0o666 != 0 {
            return Err(CreateError::Mode { found: self.mode });
        }
        Ok(match &self.body {
            Body::Messages => {
                check_capacity(self.capacity)?;
                Geometry::new(&self.format, self.capacity)
            }
            Body::Relayed { .. } => {
                check_capacity(self.capacity)?;
                Geometry { body: self.body.clone(), ..Geometry::new(&self.format, self.capacity) }
            }
            Body::Records { .. } => {
                check_capacity(self.capacity)?;
                check_slot_size(self.slot_size)?;
                let geometry = Geometry::of_records(self.format.schema().to_owned(), self.slot_size, self.capacity);
                Geometry { body: self.body.clone(), ..geometry }
            }
            Body::Rows(rows) => {
                check_rows(rows, self.capacity)?;
                let schemas = rows.schemas(self.format.schema()).len();
                if schemas > MAX_SCHEMA {
                    let (what, expected) = ("schemas of a key and a value", "at most 65536");
                    return Err(CreateError::Message { name: self.format.name(), what, found: schemas, expected });
                }
                Geometry::of_rows(rows.clone(), &self.format, self.capacity)
            }
        })
    }

    /// A new ring begins with message `first` in `epoch`; one that is taken over goes on in its epoch.
    ///
    /// # Panics
    /// If no ring has them.
    pub(crate) fn begin_at(&mut self, first: u64, epoch: u64) {
        assert!(first < MAX_SEQUENCE - 1, "message {first} is one that no ring reaches");
        assert!((1..1 << 63).contains(&epoch), "epoch {epoch} is one that no ring has");
        (self.base, self.epoch) = (Some(first), Some(epoch));
    }

    /// The records are those of the ring with this nonce.
    pub(crate) fn records_of(&mut self, source: u64) {
        self.body = Body::Records { source: Some(source) };
    }

    pub(crate) fn make(&self) -> Result<Made, CreateError> {
        let geometry = self.check()?;
        let place = self.place()?;
        let request = Request {
            name: &self.name,
            access: Access { mode: self.mode, group: self.group },
            geometry: &geometry,
            placement: self.placement,
            base: self.base,
            epoch: self.epoch,
            fresh: self.fresh,
            keep: self.keep,
            sealed: &self.sealed,
        };
        transport::make(&place, &request)
    }

    /// Where the ring is to be made. Refuses options that a ring there cannot have.
    fn place(&self) -> Result<Place, CreateError> {
        let Some(socket) = &self.socket else {
            return match self.sealed.given() {
                Some(option) => Err(CreateError::DiskOption { option }),
                None => Ok(Place::Disk(self.root.clone().unwrap_or_else(|| DEFAULT_ROOT.into()))),
            };
        };
        let on_disk_only = [("root", self.root.is_some()), ("keep", self.keep), ("fresh", self.fresh)];
        match on_disk_only.into_iter().find(|&(_, given)| given) {
            Some((option, _)) => Err(CreateError::SealedOption { option }),
            None => Ok(Place::Socket(socket.clone())),
        }
    }
}

impl<T: Payload> PublisherOptions<T> {
    /// Takes over the ring of this name if an ended publisher left it (killed, [left](Publisher::leave), or closed and kept), and it has this
    /// capacity and these messages. Otherwise makes a new ring: reserves and touches all of its memory, then puts it in
    /// place.
    ///
    /// - A ring that is **taken over** continues with the next sequence number, in the next epoch. Its subscribers stay
    ///   attached and receive [`Restarted`](crate::TryRecvError::Restarted) before the first message of the new epoch.
    /// - A ring that is **replaced** is superseded. Its subscribers read it to its end, receive
    ///   [`Superseded`](crate::TryRecvError::Superseded), and find the new ring under the same name. The new ring
    ///   begins with the old one's next sequence number, or one later if the old one's slots cannot be read (another
    ///   version's, or damaged). It begins at 0 if even the old one's count makes no sense, if there was no ring, or if
    ///   it was closed and removed.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create(self) -> Result<Publisher<T>, CreateError> {
        let mut publisher = Publisher::new(self.make()?, self.wake_or_default());
        publisher.set_ahead(self.ahead);
        Ok(publisher)
    }
}

impl PublisherOptions<MessageFormat> {
    /// Makes a ring of untyped messages, or takes one over, as a typed publisher does.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_raw(self) -> Result<RawPublisher, CreateError> {
        let mut publisher = RawPublisher::new(self.make()?, self.wake_or_default(), self.format);
        publisher.set_ahead(self.ahead);
        Ok(publisher)
    }
}

impl PublisherOptions<Relay> {
    /// Takes over the ring of this name if an ended [`RelayPublisher`] of the same source left it, and it has this capacity and these
    /// messages: it goes on at its next number, in its epoch. Otherwise makes a new ring, which begins with message `first` in `epoch`
    /// and supersedes whatever ended publishers left under the name.
    ///
    /// `source` is the nonce of the ring whose messages it has, as [`raw::Subscriber::nonce`](crate::raw::Subscriber::nonce) tells it, or
    /// any number that is another for each source.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    ///
    /// # Panics
    /// If `first` is 2^62 - 1 or more, or `epoch` is 0 or 2^63 or more: no ring has them.
    pub fn create_relay(mut self, source: u64, first: u64, epoch: u64) -> Result<RelayPublisher, CreateError> {
        self.body = Body::Relayed { source };
        self.begin_at(first, epoch);
        Ok(RelayPublisher::new(self.make()?, self.wake_or_default(), self.format, source))
    }
}

impl RelayPublisher {
    /// Options for a ring of this name with such messages. [`ahead`](PublisherOptions::ahead) has no effect on it.
    pub fn options(name: &str, format: MessageFormat) -> PublisherOptions<Relay> {
        PublisherOptions::new(name, format)
    }
}

impl<T: Payload> Publisher<T> {
    /// Options for a ring of this name: 1 to 200 characters of `A-Z a-z 0-9 . _ -`, with no `.` at the start.
    pub fn options(name: &str) -> PublisherOptions<T> {
        PublisherOptions::new(name, MessageFormat::of::<T>())
    }
}

impl RawPublisher {
    /// Options for a ring of this name whose messages have this format.
    pub fn options(name: &str, format: MessageFormat) -> PublisherOptions<MessageFormat> {
        PublisherOptions::new(name, format)
    }
}

/// Checks that there can be a ring of this many slots.
pub(crate) fn check_capacity(found: u64) -> Result<(), CreateError> {
    let nearest = found.clamp(2, MAX_CAPACITY).next_power_of_two();
    if found == nearest { Ok(()) } else { Err(CreateError::Capacity { found, nearest }) }
}

/// Checks that there can be slots of this many bytes for records.
pub(crate) fn check_slot_size(found: usize) -> Result<(), CreateError> {
    let nearest = nearest_slot(found);
    if found == nearest { Ok(()) } else { Err(CreateError::SlotSize { found, nearest }) }
}

/// Checks that there can be a table, or a cell, of this many rows.
pub(crate) fn check_rows(rows: &RowsGeometry, found: u64) -> Result<(), CreateError> {
    let most = if rows.kind.key().is_some() { MAX_ROWS } else { 1 };
    if !(1..=most).contains(&found) {
        return Err(CreateError::Rows { found, most });
    }
    if !(2..=MAX_COPIES).contains(&rows.copies) {
        return Err(CreateError::Copies { found: rows.copies });
    }
    let Some(key) = rows.kind.key() else { return Ok(()) };
    check_message(key)?;
    if key.size() > MAX_KEY {
        let (found, expected) = (key.size(), "at most 4096");
        return Err(CreateError::Message { name: key.name(), what: "a key", found, expected });
    }
    Ok(())
}

/// Checks that there can be messages of this format.
pub(crate) fn check_message(format: &MessageFormat) -> Result<(), CreateError> {
    let schema = format.schema().len();
    let (what, found, expected) = if format.size() == 0 {
        ("data", 0, "at least 1")
    } else if format.size() > isize::MAX as usize {
        ("data", format.size(), "less than 2^63") // the size of a slot would overflow
    } else if schema > MAX_SCHEMA {
        ("schema", schema, "at most 65536")
    } else {
        return Ok(());
    };
    Err(CreateError::Message { name: format.name(), what, found, expected })
}

#[cfg(all(test, not(loom)))]
mod tests {
    use feed_testing::PrivateRoot;

    use super::*;

    #[test]
    fn schemas_that_only_together_are_too_long_are_refused() {
        let format = |text: &str| MessageFormat::from_parts(8, 8, text.repeat(MAX_SCHEMA / 2 + 1));
        let rows = RowsGeometry::table(format("k"));
        let options = PublisherOptions::<()>::for_rows("t", format("v"), rows, 4);
        assert!(matches!(options.check(), Err(CreateError::Message { found: 65_538, .. })));
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn both_publishers_bring_lines_as_far_ahead_as_asked() {
        let root = PrivateRoot::new();
        let typed = || Publisher::<u64>::options("typed").root(&root).capacity(2);
        let raw = || RawPublisher::options("raw", MessageFormat::of::<u64>()).root(&root).capacity(2);
        assert_eq!(typed().create().unwrap().writer.ahead, Ahead::One);
        assert_eq!(raw().create_raw().unwrap().writer.ahead, Ahead::One);
        assert_eq!(typed().ahead(Ahead::Two).create().unwrap().writer.ahead, Ahead::Two);
        assert_eq!(raw().ahead(Ahead::Two).create_raw().unwrap().writer.ahead, Ahead::Two);
    }
}
