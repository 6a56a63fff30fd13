//! Looking at any ring without its Rust type, and without disturbing it.
//!
//! Everything is seen through read-only mappings, of the segment and of the control file, and through questions to the
//! kernel; no lock is taken and no entry claimed, so nobody can tell that somebody looks. The one function that changes
//! anything is [`remove_dead`]. Nothing that a segment says is believed: no bytes whatever make a panic, an endless loop
//! or an allocation larger than the file.
//!
//! ```
//! # let root = tempfile::tempdir()?;
//! use feed_ring::{Publisher, inspect};
//!
//! let mut publisher = Publisher::<[u32; 2]>::options("quotes").root(root.path()).capacity(8).create()?;
//! publisher.publish(&[3, 4]);
//!
//! let ring = inspect::Ring::open(root.path(), "quotes")?;
//! assert_eq!((ring.facts().capacity, ring.facts().payload_size), (8, 8));
//! assert_eq!((ring.held(), ring.publisher()), (0..1, inspect::Life::Alive));
//! let mut bytes = Vec::new();
//! ring.read(0, &mut bytes)?;
//! assert_eq!(ring.message_type()?.text(&bytes), "value=[3, 4]");
//! assert!(ring.verify().is_fine());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod entries;
mod fields;
mod remove;
mod verify;

use std::ffi::OsString;
use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, OFlags, Stat};

use crate::directory::{Directory, Trust, file};
use crate::error::OpenError;
use crate::handover::{self, Received};
use crate::header::Header;
use crate::layout::{ABI, EPOCHS, MAX_SEQUENCE, state, wake, word};
use crate::memory::Memory;
use crate::presence::Liveness;
use crate::slot::{self, Other};
use crate::sync::{Ordering, Word, fence};
use crate::wait::Wake;
use crate::{name, room};

use entries::Control;
pub use entries::Entry;
pub use fields::{Field, MessageType, Number, SchemaError, Type};
pub use remove::{Kept, Removal, remove_dead};
pub use verify::{Finding, Verdict};

/// Attempts at a ring that is being replaced at this moment.
const ATTEMPTS: u32 = 20;

/// A subscriber writes its sequence into its [`Entry`] each time it has received so many messages, when it has lost some,
/// and, within a millisecond, when it has received all there is. The lag of one that waits for messages is therefore exact,
/// and that of one that is in the middle of reading may be up to one less than this too large: if the count is read before
/// the entries ([`Ring::held`], then [`Ring::entries`]). The other way round, what is published in between is added to it.
pub const REPORTED_EVERY: u64 = crate::subscriber::REPORT;

/// What ends in `.ring` in `root`, without that ending, sorted: candidates, of which [`Ring::open`] says what they are.
///
/// # Errors
/// If the directory cannot be read.
pub fn names(root: impl AsRef<Path>) -> io::Result<Vec<OsString>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root)? {
        if let Some(name) = entry?.file_name().as_encoded_bytes().strip_suffix(b".ring") {
            names.push(std::os::unix::ffi::OsStringExt::from_vec(name.to_vec()));
        }
    }
    names.sort();
    Ok(names)
}

/// Owner, mode and size of a file, as the file system tells them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The permission bits.
    pub mode: u32,
    /// Bytes.
    pub bytes: u64,
}

impl FileFacts {
    fn of(stat: &Stat) -> Self {
        FileFacts { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, bytes: stat.st_size as u64 }
    }

    /// What stands in `root` under the ring's name, whatever it is: for what cannot be opened.
    ///
    /// # Errors
    /// If there is nothing, or it may not be looked at.
    pub fn of_candidate(root: impl AsRef<Path>, name: impl AsRef<std::ffi::OsStr>) -> io::Result<Self> {
        let mut file = name.as_ref().to_owned();
        file.push(".ring");
        FileFacts::of_path(root.as_ref().join(file))
    }

    /// What stands at a path, whatever it is; of a link, the link.
    ///
    /// # Errors
    /// If there is nothing, or it may not be looked at.
    pub fn of_path(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(FileFacts::of(&rustix::fs::lstat(path.as_ref())?))
    }
}

/// What stands in a ring's header and never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The version of the segment's format.
    pub abi: u64,
    /// Slots; the ring holds one message less.
    pub capacity: u64,
    /// Bytes from one slot to the next.
    pub slot_size: usize,
    /// Bytes before the first slot.
    pub slots_at: usize,
    /// Bytes of a message.
    pub payload_size: usize,
    /// The alignment of the message's type in its publisher, in bytes.
    pub payload_align: u64,
    /// The hash of the schema's text.
    pub fingerprint: u64,
    /// The schema's text: see [`crate::payload`].
    pub schema: String,
    /// The random number that pairs the segment with its control file, and tells two rings of one name apart.
    pub nonce: u64,
    /// The ring's first sequence number.
    pub base: u64,
    /// When the ring was made, in ns since 1970.
    pub created: u64,
}

/// What the state word of a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Being published, or its publisher died.
    Live,
    /// Closed by its publisher.
    Closed,
    /// Another ring took its name.
    Superseded,
    /// A value that no publisher stores.
    Unknown(u64),
}

/// What became of a ring's publisher: the state word and the kernel's word together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// It lives.
    Alive,
    /// It ended without closing the ring. A new one may take over.
    Dead,
    /// It closed the ring.
    Closed,
    /// Another ring took the name.
    Superseded,
    /// The ring does not say: its FIFO is missing or may not be read, or its state is damaged.
    Unknown,
}

/// Why a message was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// It is not published yet.
    #[error("not published yet")]
    NotYet,
    /// It was overwritten, or is from before the ring began.
    #[error("overwritten: the ring holds only the newest messages")]
    Overwritten,
    /// Its slot holds what no publisher can have stored there.
    #[error("corrupt: the slot's sequence word is {found}: the segment was damaged; restart its publisher")]
    Corrupt {
        /// The slot's sequence word.
        found: u64,
    },
    /// The segment's file was cut short while it was looked at; only with the [`guard`](crate::guard), else SIGBUS.
    #[error("the segment was cut short: restart its publisher with a new ring")]
    CutShort,
    /// The segment's file has holes: reading would fill them.
    #[error("the segment has holes: it was not made by a publisher, or was cut and grown")]
    Holes,
}

/// Where a ring was found.
enum Place {
    /// On disk.
    Directory(Directory),
    /// Behind this socket: it has no files of its own.
    Socket(Stat),
}

/// A ring that is looked at: its segment and its control file, mapped read-only.
pub struct Ring {
    path: PathBuf,
    place: Place,
    segment: Memory<Word>,
    stat: Stat,
    header: Header,
    facts: Facts,
    control: Result<Control, String>,
    live: Result<Liveness, String>,
}

impl Ring {
    /// Opens the ring `name` in `root` for looking, whoever owns it.
    ///
    /// A ring whose control file or FIFO is missing or damaged opens all the same; [`verify`](Self::verify) tells of it.
    ///
    /// # Errors
    /// [`OpenError`]: there is none, it may not be read, it is not a ring, or its header is damaged.
    pub fn open(root: impl AsRef<Path>, name: &str) -> Result<Self, OpenError> {
        name::check(name)?;
        let root = Directory::root_to_look_in(root.as_ref())?;
        for _ in 1..ATTEMPTS {
            match Self::open_once(root.ring(name, Trust::Anybody)?) {
                // It may be on the way to being replaced, made, or removed.
                Ok(ring) if ring.state() == State::Superseded || ring.control.is_err() || ring.live.is_err() => {}
                Err(OpenError::NotFound { .. }) => {}
                result => return result,
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let ring = root.ring(name, Trust::Anybody)?;
        let path = ring.path.clone();
        match Self::open_once(ring) {
            Err(OpenError::NotFound { .. }) => {
                Err(OpenError::NotARing { path, found: "a directory without a segment".to_owned(), expected: "a ring" })
            }
            result => result,
        }
    }

    /// Has the sealed ring handed over that a publisher serves at the socket `path`, whoever that is, for looking: see
    /// [`PublisherOptions::serve`](crate::PublisherOptions::serve).
    ///
    /// The publisher decides whom it serves, as for a subscriber. The connection is closed at once: who looks takes no
    /// client's place.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("quotes.sock");
    /// use feed_ring::{Publisher, inspect};
    ///
    /// let mut publisher = Publisher::<u64>::options("quotes").capacity(8).serve(&path).create()?;
    /// publisher.publish(&7);
    /// let ring = inspect::Ring::connect(&path)?;
    /// assert_eq!((ring.held(), ring.is_sealed()), (0..1, true));
    /// assert_eq!(publisher.subscribers()?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]: nobody serves there, or not this program; what is there is no such socket; what it sends is not
    /// sealed, or no ring.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let Received { segment, control, live, socket, .. } = handover::receive(path, Trust::Anybody)?;
        let (memory, header) = read_segment(&segment.0, &segment.1, path)?;
        // Every client is given the control file for writing, too, because a subscriber needs that. Who only looks does
        // without, where the kernel lets it: the file belongs to the publisher's user.
        let file = handover::reopen(&control.0, OFlags::RDONLY).unwrap_or(control.0);
        let control = Control::of(file, &control.1, header.nonce);
        let place = Place::Socket(socket);
        Ok(Self::of(path.to_owned(), place, (memory, header, segment.1), control, Ok(Liveness::Fifo(live))))
    }

    fn open_once(ring: Directory) -> Result<Self, OpenError> {
        let path = ring.path.join(file::SEGMENT);
        let (segment, stat) = ring.open(file::SEGMENT, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody)?;
        let (memory, header) = read_segment(&segment, &stat, &path)?;
        let control = Control::open(&ring, header.nonce);
        let live = ring
            .open(file::LIVE, OFlags::RDONLY, FileType::Fifo, Trust::Anybody)
            .map(|(fifo, _)| Liveness::Fifo(fifo))
            .map_err(|fault| OpenError::from(fault).to_string());
        Ok(Self::of(ring.path.clone(), Place::Directory(ring), (memory, header, stat), control, live))
    }

    fn of(
        path: PathBuf,
        place: Place,
        (segment, header, stat): (Memory<Word>, Header, Stat),
        control: Result<Control, String>,
        live: Result<Liveness, String>,
    ) -> Self {
        let geometry = &header.geometry;
        let facts = Facts {
            abi: ABI, // no other passes Header::read
            capacity: geometry.capacity,
            slot_size: geometry.slot_size,
            slots_at: geometry.slots_at,
            payload_size: geometry.payload_size,
            payload_align: geometry.payload_align as u64,
            fingerprint: geometry.fingerprint,
            schema: geometry.schema.clone(),
            nonce: header.nonce,
            base: header.base,
            created: segment[word::CREATED].load(),
        };
        Ring { path, place, segment, stat, header, facts, control, live }
    }

    /// The ring's directory, or the socket of a sealed one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a sealed ring, which came through a socket: it ends with its publisher, for nobody can take it over.
    pub fn is_sealed(&self) -> bool {
        matches!(self.place, Place::Socket(_))
    }

    /// What never changes.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Owner, mode and size of the segment.
    pub fn file(&self) -> FileFacts {
        FileFacts::of(&self.stat)
    }

    /// The fields of the message, out of the schema.
    ///
    /// # Errors
    /// If the schema cannot be understood, or contradicts the header: then there are only bytes.
    pub fn message_type(&self) -> Result<MessageType, SchemaError> {
        let message = MessageType::parse(&self.facts.schema)?;
        match message.size == self.facts.payload_size {
            true => Ok(message),
            false => Err(SchemaError::Size { found: message.size, expected: self.facts.payload_size }),
        }
    }

    /// What the state word says now.
    pub fn state(&self) -> State {
        match self.segment[word::STATE].load() {
            state::LIVE => State::Live,
            state::CLOSED => State::Closed,
            state::SUPERSEDED => State::Superseded,
            found => State::Unknown(found),
        }
    }

    /// What became of the publisher: one system call.
    pub fn publisher(&self) -> Life {
        // I1. As E2 and E4: first the kernel, then the word, for a publisher that closes stores the word before it is gone.
        let dead = self.live.as_ref().map(Liveness::is_dead);
        fence("I1", Ordering::Acquire);
        match (self.state(), dead) {
            (State::Closed, _) => Life::Closed,
            (State::Superseded, _) => Life::Superseded,
            (State::Live, Ok(true)) => Life::Dead,
            (State::Live, Ok(false)) => Life::Alive,
            (State::Live, Err(_)) | (State::Unknown(_), _) => Life::Unknown,
        }
    }

    /// The process id of the publisher, as it sees itself.
    pub fn publisher_pid(&self) -> u64 {
        self.segment[word::PUBLISHER_PID].load()
    }

    /// How the publisher finds out that a subscriber sleeps; `None` if the header says neither.
    pub fn wake(&self) -> Option<Wake> {
        match self.segment[word::WAKE].load() {
            wake::FENCE => Some(Wake::Fence),
            wake::MEMBARRIER => Some(Wake::Membarrier),
            _ => None,
        }
    }

    /// How often the event word changed: once for each time that sleepers were woken, by a message or by what else they are
    /// to be told of, and once for each start and each end of a publisher, whether anybody slept or not. Begins again after
    /// 2^32.
    pub fn wakes(&self) -> u64 {
        self.segment[word::EVENT].load() & u64::from(u32::MAX)
    }

    /// The epoch: 1 for the first publisher, one more for each that took over.
    pub fn epoch(&self) -> u64 {
        self.segment[word::EPOCH].load()
    }

    /// The epochs that the header knows of, the newest last, each with its first sequence. At most seven.
    pub fn epochs(&self) -> Vec<(u64, u64)> {
        let now = self.epoch();
        // I2. As V1.
        fence("I2", Ordering::Acquire);
        let layout = self.header.layout();
        // One place fewer than there are: the oldest is the next to be written.
        (now.saturating_sub(EPOCHS - 2).max(1)..=now)
            .map(|epoch| (epoch, self.segment[layout.begin(epoch)].load()))
            .collect()
    }

    /// The next sequence to be published: so many were, counted from 0. Reads the line of the published count, once or
    /// twice, and that of the next slot. The publisher writes to both with each message and then has to fetch them back.
    pub fn published(&self) -> u64 {
        next_sequence(
            || self.segment[word::PUBLISHED].load().clamp(self.facts.base, MAX_SEQUENCE),
            |sequence| self.slot(sequence)[0].load() == slot::published(sequence),
            self.facts.capacity,
        )
    }

    /// The sequences that the ring holds now. The oldest of a live ring may be gone before it is read.
    pub fn held(&self) -> Range<u64> {
        let published = self.published();
        published.saturating_sub(self.facts.capacity - 1).max(self.facts.base)..published
    }

    /// Reads the bytes of one message into `bytes`, replacing what was there.
    ///
    /// # Errors
    /// [`Unread`]; `bytes` has no meaning then.
    pub fn read(&self, sequence: u64, bytes: &mut Vec<u8>) -> Result<(), Unread> {
        if self.has_holes() {
            return Err(Unread::Holes);
        }
        if sequence < self.facts.base {
            return Err(Unread::Overwritten);
        }
        if sequence >= MAX_SEQUENCE {
            // No ring comes so far, and the sequence word would wrap and look like that of another message.
            return Err(Unread::NotYet);
        }
        let size = self.facts.payload_size;
        let read = slot::read(self.slot(sequence), sequence, |words| {
            bytes.clear();
            bytes.extend(words.iter().flat_map(|word| word.load().to_ne_bytes()).take(size));
        });
        read.map_err(|seen| match slot::other(seen, sequence, self.facts.capacity - 1) {
            // The guard put zeros in its place, and zero is what no publisher has written yet.
            Other::NotYet if self.is_cut_short() => Unread::CutShort,
            Other::NotYet => Unread::NotYet,
            Other::Lapped { .. } => Unread::Overwritten,
            Other::Corrupt => Unread::Corrupt { found: seen },
        })
    }

    /// The lines of the control file that are held, or were used; `None` if the control file is missing or damaged. Up to
    /// two system calls for each that is held, and one more; reads every line, of which a subscriber then has to fetch its
    /// own back, the next time that it reports.
    ///
    /// # Errors
    /// What the kernel says, which it has no reason to.
    pub fn entries(&self) -> io::Result<Option<Vec<Entry>>> {
        self.control.as_ref().ok().map(Control::entries).transpose()
    }

    /// Whether this is still what stands under the name: it may have been removed, or replaced. For a sealed ring, whether
    /// its socket is still there; a publisher that was killed leaves it.
    pub fn is_current(&self) -> bool {
        let (found, stat) = match &self.place {
            Place::Directory(_) => (rustix::fs::lstat(self.path.join(file::SEGMENT)), &self.stat),
            Place::Socket(socket) => (rustix::fs::stat(&self.path), socket),
        };
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    }

    /// Whether the segment's file was cut short since it was opened, and the [`guard`](crate::guard) put zeros in its
    /// place: nothing that is read from here on means anything.
    pub fn is_cut_short(&self) -> bool {
        self.segment.is_cut_short()
    }

    /// Whether not all of the segment is there: a publisher reserves every byte.
    fn has_holes(&self) -> bool {
        self.stat.st_blocks.saturating_mul(512) < self.stat.st_size
    }

    /// The words of the slot of message `sequence`.
    fn slot(&self, sequence: u64) -> &[Word] {
        // Header::read found that all slots lie within the segment.
        let words = self.facts.slot_size / 8;
        let index = (sequence & (self.facts.capacity - 1)) as usize;
        &self.segment[self.facts.slots_at / 8 + index * words..][..words]
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("path", &self.path).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// The next sequence to be published. The slots decide: a publisher stores its count behind them, and may have been killed in
/// between. But a count that moves is that of a publisher that lives, and as good as any: whoever followed its slots one by
/// one would run behind it for a whole ring, and take a line from it each time.
fn next_sequence(count: impl Fn() -> u64, is_published: impl Fn(u64) -> bool, capacity: u64) -> u64 {
    let counted = count();
    let mut next = counted;
    while next - counted < capacity && is_published(next) {
        let again = count();
        if again > next {
            return again;
        }
        next += 1;
    }
    next
}

/// Maps an open segment and reads its header; `path` is for the errors.
fn read_segment(segment: &OwnedFd, stat: &Stat, path: &Path) -> Result<(Memory<Word>, Header), OpenError> {
    let bytes = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if bytes < word::SCHEMA * 8 || !bytes.is_multiple_of(8) {
        return Err(OpenError::NotARing {
            path: path.to_owned(),
            found: format!("a file of {bytes} bytes"),
            expected: "the segment of a ring",
        });
    }
    let memory = Memory::map_read_only(segment, bytes).map_err(|source| OpenError::Io {
        doing: "map",
        path: path.to_owned(),
        source,
    })?;
    let header = Header::read(&memory, path)?;
    Ok((memory, header))
}

/// The cgroup above this process that has the least memory left under its limit, and how many bytes that is: what a new
/// ring must fit into, beside the file system. `None` where no limit is set.
///
/// The arguments are where the cgroup file system is mounted (`/sys/fs/cgroup`) and the text of `/proc/self/cgroup`.
pub fn memory_headroom(cgroups: impl AsRef<Path>, memberships: &str) -> Option<(PathBuf, u64)> {
    room::headroom(cgroups.as_ref(), memberships)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_next_sequence_of_a_publisher_that_was_killed_is_behind_its_last_slot() {
        for (count, published, expected) in [(20, 20, 20), (19, 20, 20), (17, 20, 20), (20, 19, 20)] {
            assert_eq!(next_sequence(|| count, |sequence| sequence < published, 8), expected, "{count} {published}");
        }
        assert_eq!(next_sequence(|| 3, |_| true, 8), 11, "it ends, whatever the slots say");
    }

    #[test]
    fn a_publisher_that_lives_is_not_run_after() {
        let (count, looks) = (Cell::new(0), Cell::new(0));
        let next = next_sequence(
            || count.replace(count.get() + 10), // ten messages between two looks
            |_| looks.replace(looks.get() + 1) < u64::MAX,
            1 << 16,
        );
        assert_eq!((next, looks.get()), (10, 1), "one slot, not all of them");
    }
}
