//! One ring under inspection, read through read-only mappings.

use std::io;
use std::ops::Range;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags, Stat};

use super::entries::{Control, Entry};
use super::facts::{Facts, FileFacts, Life, State, Unread};
use crate::error::OpenError;
use crate::format::fields::{MessageType, SchemaError};
use crate::format::layout::{ABI, MAX_SEQUENCE, state, wake, word};
use crate::format::rows::SegmentKind;
use crate::memory::{Mapping, Memory};
use crate::placement::PlacementRequest;
use crate::presence::liveness::Liveness;
use crate::protocol::end;
use crate::protocol::epochs::Epochs;
use crate::protocol::slot::{self, Absence};
use crate::protocol::view::View;
use crate::protocol::wake::Wake;
use crate::segment::check;
use crate::segment::header::Header;
use crate::sync::{Ordering, Word, fence};
use crate::transport::files::{Directory, Trust, file};
use crate::transport::sealed::client::{Received, receive};
use crate::transport::sealed::memory_file::reopen;

/// A ring under inspection: its segment and its control file, mapped read-only.
pub struct Ring {
    path: PathBuf,
    /// The ring's directory. A sealed ring has none.
    pub(super) directory: Option<Directory>,
    /// The file under the ring's name while this is the current ring: the segment, or the socket of a sealed ring.
    current: (PathBuf, Stat),
    pub(super) view: View,
    pub(super) stat: Stat,
    pub(super) facts: Facts,
    pub(super) control: Result<Control, String>,
    pub(super) live: Result<Liveness, String>,
}

impl Ring {
    /// Opens, for inspection, the sealed ring that a publisher serves at the socket `path`, whoever the publisher is:
    /// see [`PublisherOptions::serve`](crate::PublisherOptions::serve).
    ///
    /// The publisher decides whom it serves, as for a subscriber. The connection is closed at once, so an inspection
    /// takes no client's place.
    ///
    /// ```no_run
    /// use feed_ring::{Publisher, inspect};
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     let path = "/dev/shm/quotes.sock";
    ///     let mut publisher = Publisher::<u64>::options("quotes").capacity(8).serve(path).create()?;
    ///     publisher.publish(&7);
    ///     let ring = inspect::Ring::connect(path)?; // in another process
    ///     assert_eq!((ring.held(), ring.is_sealed()), (0..1, true));
    ///     assert_eq!(publisher.subscribers()?, 0);
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// [`OpenError`]: nobody serves there, or the publisher does not serve this user; the file is not such a socket;
    /// what the publisher sends is not sealed, or not a ring.
    pub fn connect(path: impl AsRef<Path>) -> Result<Self, OpenError> {
        let path = path.as_ref();
        let Received { segment, control, live, socket, .. } = receive(path, Trust::Anybody)?;
        let (memory, header) = read_segment(&segment.0, &segment.1, path)?;
        // The publisher sends every client the control file for writing, because a subscriber needs that. An inspection
        // reopens it read-only, if the kernel allows it: the file belongs to the publisher's user.
        let file = reopen(&control.0, OFlags::RDONLY).unwrap_or(control.0);
        let control = Control::of(file, &control.1, header.nonce);
        let current = (path.to_owned(), socket);
        let live = Ok(Liveness::Fifo(live));
        Ok(Self::of((path.to_owned(), None, current), (memory, header, segment.1), control, live))
    }

    /// Opens the ring in this directory as it is at this moment.
    pub(super) fn open_once(ring: Directory) -> Result<Self, OpenError> {
        let path = ring.path.join(file::SEGMENT);
        let (segment, stat) = ring.open(file::SEGMENT, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody)?;
        let (memory, header) = read_segment(&segment, &stat, &path)?;
        let control = Control::open(&ring, header.nonce);
        let live = ring
            .open(file::LIVE, OFlags::RDONLY, FileType::Fifo, Trust::Anybody)
            .map(|(fifo, _)| Liveness::Fifo(fifo))
            .map_err(|fault| OpenError::from(fault).to_string());
        let current = (path, stat);
        Ok(Self::of((ring.path.clone(), Some(ring), current), (memory, header, stat), control, live))
    }

    fn of(
        (path, directory, current): (PathBuf, Option<Directory>, (PathBuf, Stat)),
        (segment, header, stat): (Memory<Word>, Header, Stat),
        control: Result<Control, String>,
        live: Result<Liveness, String>,
    ) -> Self {
        let geometry = &header.geometry;
        let facts = Facts {
            abi: ABI, // Header::read accepts no other
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
        let view = View::new(&segment, header.layout());
        Ring { path, directory, current, view, stat, facts, control, live }
    }

    /// What is wrong with the control file, if anything is.
    pub(super) fn control_damage(&self) -> Option<&String> {
        match &self.control {
            Ok(control) => control.damage.as_ref(),
            Err(missing) => Some(missing),
        }
    }

    /// The ring's directory, or the socket of a sealed ring.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is a sealed ring, which came through a socket. It ends with its publisher: nobody can take it over.
    pub fn is_sealed(&self) -> bool {
        self.directory.is_none()
    }

    /// The part of the header that never changes.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Owner, mode and size of the segment.
    pub fn file(&self) -> FileFacts {
        FileFacts::of(&self.stat)
    }

    /// The fields of the message, from the schema.
    ///
    /// # Errors
    /// If the schema cannot be parsed, or contradicts the header. The messages are then only bytes.
    pub fn message_type(&self) -> Result<MessageType, SchemaError> {
        let message = MessageType::parse(&self.facts.schema)?;
        match message.size == self.facts.payload_size {
            true => Ok(message),
            false => Err(SchemaError::Size { found: message.size, expected: self.facts.payload_size }),
        }
    }

    /// The present state.
    pub fn state(&self) -> State {
        match self.view.state() {
            state::LIVE => State::Live,
            state::CLOSED => State::Closed,
            state::SUPERSEDED => State::Superseded,
            found => State::Unknown(found),
        }
    }

    /// Whether the publisher lives, or how it ended. Costs one system call.
    pub fn publisher(&self) -> Life {
        // I1. As E2 and E4. The kernel is asked first and the state read second: a publisher that closes stores the
        // state before it is gone.
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

    /// The process id of the publisher, as the publisher sees it.
    pub fn publisher_pid(&self) -> u64 {
        self.word(word::PUBLISHER_PID)
    }

    /// How the publisher finds out that a subscriber sleeps. `None` if the header names no such way.
    /// A publisher whose thread looks ([`Wake::Thread`]) shows as [`Wake::Fence`]: for subscribers it is one.
    pub fn wake(&self) -> Option<Wake> {
        match self.word(word::WAKE) {
            wake::FENCE => Some(Wake::Fence),
            wake::MEMBARRIER => Some(Wake::Membarrier),
            _ => None,
        }
    }

    /// How often the event word changed: once for each time that sleepers were woken, by a message or another event,
    /// and once for each start and each end of a publisher, even if nobody slept. Wraps after 2^32.
    pub fn wakes(&self) -> u64 {
        self.word(word::EVENT) & u64::from(u32::MAX)
    }

    /// The epoch: 1 for the first publisher, and one more for each publisher that took the ring over.
    pub fn epoch(&self) -> u64 {
        self.view.epoch()
    }

    /// The epochs that the header knows, the newest last, each with its first sequence. At most seven.
    pub fn epochs(&self) -> Vec<(u64, u64)> {
        Epochs::read(&self.view).known().collect()
    }

    /// The next sequence to be published: the number of messages published, counted from 0. Reads the cache line of the
    /// published count, once or twice, and that of the next slot. The publisher writes both for each message and must
    /// then fetch them back.
    pub fn published(&self) -> u64 {
        end::next_of_running(&self.view)
    }

    /// The sequences that the ring holds now. In a live ring the oldest may be overwritten before it is read.
    pub fn held(&self) -> Range<u64> {
        let published = self.published();
        published.saturating_sub(self.facts.capacity - 1).max(self.facts.base)..published
    }

    /// Reads the bytes of one message into `bytes`, replacing its content.
    ///
    /// # Errors
    /// [`Unread`]. `bytes` then has no meaning.
    pub fn read(&self, sequence: u64, bytes: &mut Vec<u8>) -> Result<(), Unread> {
        if self.has_holes() {
            return Err(Unread::Holes);
        }
        if sequence < self.facts.base {
            return Err(Unread::Overwritten);
        }
        if sequence >= MAX_SEQUENCE {
            // No ring reaches such a number. Its sequence word would wrap and look like that of another message.
            return Err(Unread::NotYet);
        }
        let size = self.facts.payload_size;
        let read = slot::read(self.view.slot(sequence), sequence, |words| {
            bytes.clear();
            bytes.extend(words.iter().flat_map(|word| word.load().to_ne_bytes()).take(size));
        });
        read.map_err(|seen| match slot::why_absent(seen, sequence, self.view.mask()) {
            // The guard replaced the segment by zeros, and a zero looks like a slot that was never written.
            Absence::NotYet if self.is_cut_short() => Unread::CutShort,
            Absence::NotYet => Unread::NotYet,
            Absence::Lapped { .. } => Unread::Overwritten,
            Absence::Corrupt => Unread::Corrupt { found: seen },
        })
    }

    /// The entries of the control file that are held, or were used. `None` if the control file is missing or damaged.
    /// Costs up to two system calls for each held entry, and one more. Reads the cache line of every entry, which its
    /// subscriber must then fetch back when it next writes its position.
    ///
    /// # Errors
    /// If the kernel refuses the question, for which it has no reason.
    pub fn entries(&self) -> io::Result<Option<Vec<Entry>>> {
        self.control.as_ref().ok().map(Control::entries).transpose()
    }

    /// Whether this is still the ring under its name: it may have been removed or replaced. For a sealed ring, whether
    /// its socket is still there; a publisher that was killed leaves its socket.
    pub fn is_current(&self) -> bool {
        let (path, stat) = &self.current;
        // A client may connect to a socket through a link, so the link is followed.
        let found = if self.is_sealed() { rustix::fs::stat(path) } else { rustix::fs::lstat(path) };
        found.is_ok_and(|found| (found.st_dev, found.st_ino) == (stat.st_dev, stat.st_ino))
    }

    /// Whether the segment's file was cut short since it was opened, and the [`guard`](crate::guard) put zeros in its
    /// place. Nothing read from then on has a meaning.
    pub fn is_cut_short(&self) -> bool {
        self.view.memory().is_cut_short()
    }

    /// Whether the segment's file has holes.
    pub(super) fn has_holes(&self) -> bool {
        check::has_holes(&self.stat)
    }

    /// A word of the header.
    pub(super) fn word(&self, index: usize) -> u64 {
        self.view.memory()[index].load()
    }
}

impl std::fmt::Debug for Ring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ring").field("path", &self.path).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Maps an open segment for reading and checks its header. `path` is for the errors.
fn read_segment(segment: &OwnedFd, stat: &Stat, path: &Path) -> Result<(Memory<Word>, Header), OpenError> {
    let (memory, header) = check::segment(segment, stat, (Mapping::ReadOnly, PlacementRequest::default()), path)?;
    header.expect_kind(SegmentKind::Ring, path)?;
    Ok((memory, header))
}
