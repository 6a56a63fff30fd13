//! The publisher: the one handle that writes. It never waits for anybody.

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use crate::directory::Access;
use crate::error::{CloseError, CreateError};
use crate::handover::{self, Door, Server};
use crate::layout::{Geometry, Layout, MAX_CAPACITY, MAX_SCHEMA, control, state};
use crate::memory::{Memory, Pinned, Slots};
use crate::payload::Payload;
use crate::placement::Asked;
use crate::presence::Roster;
use crate::segment::{self, Home, Request};
use crate::sync::{Ordering, WriteWord, on, panicking, wake};
use crate::wait::{Wake, Waker};
use crate::{DEFAULT_ROOT, name, slot};

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
    capacity: u64,
    mode: u32,
    root: PathBuf,
    keep: bool,
    fresh: bool,
    group: Option<u32>,
    /// Where a sealed ring is served, and to whom: see `handover`.
    pub(crate) door: Door,
    wake: Wake,
    /// Where its memory is to be: see `placement`.
    pub(crate) asked: Asked,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T: Payload> PublisherOptions<T> {
    fn new(name: &str) -> Self {
        PublisherOptions {
            name: name.to_owned(),
            capacity: 65_536,
            mode: 0o600,
            root: DEFAULT_ROOT.into(),
            keep: false,
            fresh: false,
            group: None,
            door: Door::default(),
            wake: Wake::default(),
            asked: Asked::default(),
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
        name::check(&self.name)?;
        check_message::<T>()?;
        check_capacity(self.capacity)?;
        if self.mode & 0o600 != 0o600 || self.mode & !0o666 != 0 {
            return Err(CreateError::Mode { found: self.mode });
        }
        let geometry = Geometry::of::<T>(self.capacity);
        let access = Access { mode: self.mode, group: self.group };
        if let Some(path) = &self.door.path {
            let handover::Sealed { memory, control, control_file, layout, server } =
                handover::create(path, &self.name, &self.door, access, &geometry, self.asked)?;
            let waker = Waker::new(&memory, &layout, Pinned::new(&control, control::SLEEPERS), self.wake);
            let roster = Roster::Control(control_file);
            return Ok(Publisher::new(memory, layout, layout.base, roster, waker, End::Socket(server)));
        }
        let request = Request {
            root: &self.root,
            name: &self.name,
            access,
            fresh: self.fresh,
            geometry: &geometry,
            asked: self.asked,
        };
        let made = segment::create(&request)?;
        let segment::Files { memory, control, control_file, live } = made.files;
        let waker = Waker::new(&memory, &made.layout, Pinned::new(&control, control::SLEEPERS), self.wake);
        let end = End::Files { keep: self.keep, home: made.home, _live: live };
        Ok(Publisher::new(memory, made.layout, made.next, Roster::Control(control_file), waker, end))
    }
}

/// Whether there can be a ring of so many slots.
pub(crate) fn check_capacity(found: u64) -> Result<(), CreateError> {
    let nearest = found.clamp(2, MAX_CAPACITY).next_power_of_two();
    if found == nearest { Ok(()) } else { Err(CreateError::Capacity { found, nearest }) }
}

/// Whether `T` can be a message.
pub(crate) fn check_message<T: Payload>() -> Result<(), CreateError> {
    let schema = T::SCHEMA.text::<T>().len();
    let (what, found, expected) = if size_of::<T>() == 0 {
        ("data", 0, "at least 1")
    } else if schema > MAX_SCHEMA {
        ("schema", schema, "at most 65536")
    } else {
        return Ok(());
    };
    Err(CreateError::Message { name: T::SCHEMA.name, what, found, expected })
}

/// What the end of a publisher does.
pub(crate) enum End {
    /// The files go, unless they are to be kept. The open FIFO is what says that the publisher lives.
    Files { home: Home, keep: bool, _live: OwnedFd },
    /// The socket goes, and with it the sealed ring, for those who are not attached.
    Socket(Server),
    /// A word says that the publisher is gone, as the end of the FIFO does for a ring on disk.
    Word(Pinned<WriteWord>),
}

/// The one publisher of a ring.
///
/// Dropping it closes the ring, as [`close`](Self::close) does; only a panic that unwinds through it does not: then its
/// subscribers learn that it died.
///
/// A forked child must not publish: the ring's memory is not mapped there. It may drop its copy, or call
/// [`close`](Self::close), which do nothing to the ring. It should `exec` or end before the parent does: until then a
/// parent that died looks alive to subscribers, and keeps the name taken.
///
/// ```
/// # let root = tempfile::tempdir()?;
/// use feed_ring::{Join, Publisher, Subscriber};
///
/// let mut publisher = Publisher::<[u64; 2]>::options("ticks").root(root.path()).create()?;
/// let mut subscriber = Subscriber::<[u64; 2]>::options("ticks").root(root.path()).join(Join::Oldest).open()?;
/// assert_eq!(publisher.publish(&[100, 7]), 0); // the first message has sequence 0
/// assert_eq!(subscriber.recv()?, [100, 7]);
/// publisher.close()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Publisher<T> {
    slots: Slots<WriteWord, T>,
    published: Pinned<WriteWord>,
    next: u64,
    epoch: u64,
    layout: Layout,
    roster: Roster,
    waker: Waker,
    ahead: Ahead,
    end: End,
    open: bool,
}

/// How many messages ahead a publisher takes cache lines into its hands: [`Publisher::set_ahead`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ahead {
    /// The lines of the next message, by marking its slot: at the end of each publish, at no cost.
    #[default]
    One,
    /// Those of the message after it, too, by storing into them what they hold. On some processors a message then arrives
    /// a fifth sooner when the publisher idles in between and its subscriber spins on a writable
    /// [mapping](crate::Mapping); a stream without pauses takes the publisher up to twice as long for each message.
    /// docs/performance.md has the measurements.
    Two,
}

impl<T: Payload> Publisher<T> {
    /// How to make a ring of this name: 1 to 200 of `A-Z a-z 0-9 . _ -`, and no `.` at the start.
    pub fn options(name: &str) -> PublisherOptions<T> {
        PublisherOptions::new(name)
    }

    /// Goes on at sequence `next` with a ring in which an epoch was begun there.
    pub(crate) fn new(
        memory: Memory<WriteWord>,
        layout: Layout,
        next: u64,
        roster: Roster,
        waker: Waker,
        end: End,
    ) -> Self {
        Publisher {
            waker,
            ahead: Ahead::One,
            epoch: memory[layout.epoch()].load(),
            published: Pinned::new(&memory, layout.published),
            slots: Slots::new(memory, layout.slots, layout.capacity),
            next,
            layout,
            roster,
            end,
            open: true,
        }
    }

    /// Publishes one message and returns its sequence number. Wait-free: it writes the message's cache lines, and no
    /// allocation is made; nor a system call, but for the one that wakes subscribers if some sleep: the first message after
    /// they went to sleep wakes them all.
    #[inline]
    pub fn publish(&mut self, message: &T) -> u64 {
        let sequence = self.next;
        let following = sequence + 1;
        slot::publish(self.slots.at(sequence), self.slots.at(following), sequence, message);
        if self.ahead == Ahead::Two {
            self.own_second(following + 1);
        }
        // Relaxed: it tells joining subscribers and tools about where to look; they find out from the slots.
        self.published.store(following);
        self.next = following;
        self.waker.published();
        sequence
    }

    /// Takes over the lines of the slot that message `sequence` will have. Until then it holds the message of a lap before,
    /// or has never been written.
    #[inline(always)]
    fn own_second(&self, sequence: u64) {
        let holds = match sequence.checked_sub(self.slots.capacity()) {
            // P6, P7. Exactly what it holds: the message of the lap before, if there was one in this ring.
            Some(holds) if (holds >= self.layout.base || !on("P7")) && on("P6") => slot::published(holds),
            _ => 0,
        };
        slot::own(self.slots.at(sequence), holds);
    }

    /// From now on takes cache lines over so far ahead; [`Ahead::One`] until then.
    pub fn set_ahead(&mut self, ahead: Ahead) {
        self.ahead = ahead;
    }

    /// Publishes messages in order, each as [`publish`](Self::publish) does, and returns their sequence numbers.
    #[inline]
    pub fn publish_batch(&mut self, messages: &[T]) -> Range<u64> {
        let first = self.next;
        for message in messages {
            self.publish(message);
        }
        first..self.next
    }

    /// Publishes the message that `fill` makes out of one of all zero bytes, and returns its sequence number. The message
    /// is made outside the ring and then published: nobody sees it half made.
    #[inline]
    pub fn publish_with(&mut self, fill: impl FnOnce(&mut T)) -> u64 {
        let mut message = T::new_zeroed();
        fill(&mut message);
        self.publish(&message)
    }

    /// The sequence number that the next message will have: so many were published since the ring began at 0.
    #[inline]
    pub fn published(&self) -> u64 {
        self.next
    }

    /// The epoch: 1 for a new ring's first publisher, one more for each that took it over.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Slots of the ring; it holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.slots.capacity() as usize
    }

    /// How many subscribers are attached now. Those that died do not count, however they died. Up to 1,024 of them are
    /// counted; more may subscribe. One system call for each subscriber.
    ///
    /// # Errors
    /// What the kernel says, which it has no reason to.
    pub fn subscribers(&self) -> io::Result<usize> {
        self.roster.count()
    }

    /// Whether the segment's file was cut short under this publisher, and the [`guard`](crate::guard) put private memory
    /// in its place: what is published since then reaches nobody, and its subscribers meet
    /// [`CutShort`](crate::TryRecvError::CutShort). End it, find out who may write to the file, and make a new ring. Without
    /// the guard the process would have died of SIGBUS. One load of a word that does not change: cheap enough to ask
    /// after every batch.
    pub fn is_cut_off(&self) -> bool {
        self.slots.memory().is_cut_short()
    }

    /// The segment.
    pub(crate) fn memory(&self) -> &Memory<WriteWord> {
        self.slots.memory()
    }

    /// How this publisher finds out that a subscriber sleeps: as was asked for, or `Fence` where the kernel refused.
    pub fn wake(&self) -> Wake {
        self.waker.mode()
    }

    /// Where the ring's files are, or the socket of a sealed ring; `None` for a ring within the process.
    pub fn path(&self) -> Option<&Path> {
        match &self.end {
            End::Files { home, .. } => Some(home.path()),
            End::Socket(server) => Some(server.path()),
            End::Word(_) => None,
        }
    }

    /// Ends the ring: subscribers read it to its end and then meet `Closed`. Its files are removed, unless they are to be
    /// kept.
    ///
    /// # Errors
    /// If they cannot be removed. The ring is closed all the same.
    pub fn close(mut self) -> Result<(), CloseError> {
        self.end()
    }
}

impl<T> Publisher<T> {
    /// Whether a fork gave this process a copy of what is its parent's: there the ring goes on.
    fn is_inherited(&self) -> bool {
        match &self.end {
            End::Files { home, .. } => !home.is_own(),
            End::Socket(server) => !server.is_own(),
            End::Word(_) => false, // the words were copied, too
        }
    }

    fn end(&mut self) -> Result<(), CloseError> {
        self.open = false;
        if self.is_inherited() {
            return Ok(());
        }
        // C1. Pairs with E1: who sees the ring closed sees every message that was published before.
        self.slots.memory()[self.layout.state()].store_ordered("C1", Ordering::Release, state::CLOSED);
        self.waker.wake_all();
        match &mut self.end {
            End::Files { home, keep: false, .. } => home.remove(),
            End::Files { .. } => Ok(()),
            End::Socket(server) => server.end(),
            End::Word(gone) => {
                leave(gone);
                Ok(())
            }
        }
    }
}

/// The last that a publisher of a ring within the process stores.
fn leave(gone: &WriteWord) {
    // C2. Pairs with E2 and T1: who finds the publisher gone sees all that it stored. The kernel does that for files.
    gone.store_ordered("C2", Ordering::Release, 1);
}

impl<T> Drop for Publisher<T> {
    fn drop(&mut self) {
        match &self.end {
            // A panic is no clean close: the ring stays as it is, and the kernel, or a word, says that nobody is there.
            End::Word(gone) if self.open && panicking() => {
                leave(gone);
                // Its sleepers sleep on that word, too. Nothing is stored any more: the ring may be another's by now.
                wake(gone);
            }
            _ if self.open && !panicking() => {
                // Files that cannot be removed are for `close` to report; a drop has nobody to tell.
                let _ = self.end();
            }
            _ => {}
        }
    }
}

impl<T> std::fmt::Debug for Publisher<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Publisher").field("published", &self.next).field("capacity", &self.slots.capacity()).finish()
    }
}
