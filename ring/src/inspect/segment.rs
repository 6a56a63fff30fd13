//! One segment under inspection, whatever it holds: its files, its header, who writes it, and who is attached. All of it is
//! read through read-only mappings.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags, Stat};

use super::entries::{Control, Entry};
use super::facts::{Facts, FileFacts, KeyFacts, Life, State};
use crate::error::OpenError;
use crate::format::fields::{MessageType, SchemaError};
use crate::format::layout::{Layout, state, wake, word};
use crate::format::rows::SegmentKind;
use crate::memory::{Mapping, Memory};
use crate::placement::PlacementRequest;
use crate::presence::liveness::Liveness;
use crate::protocol::wake::Wake;
use crate::segment::check;
use crate::segment::header::Header;
use crate::sync::{Ordering, Word, fence};
use crate::transport::files::{Directory, Trust, file};
use crate::transport::sealed::client::{Received, receive};
use crate::transport::sealed::memory_file::reopen;

/// What rings, tables and cells under inspection have in common.
pub struct Segment {
    path: PathBuf,
    /// Its directory. A sealed one has none.
    pub(super) directory: Option<Directory>,
    /// The file under its name while it is the current one: the segment, or the socket of a sealed one.
    current: (PathBuf, Stat),
    memory: Memory<Word>,
    layout: Layout,
    pub(super) stat: Stat,
    pub(super) facts: Facts,
    pub(super) control: Result<Control, String>,
    pub(super) live: Result<Liveness, String>,
}

impl Segment {
    /// Opens what a publisher or writer serves at the socket `path`. The connection is closed at once.
    pub(super) fn connect(path: &Path) -> Result<Self, OpenError> {
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

    /// Opens what is in this directory at this moment.
    pub(super) fn open_once(directory: Directory) -> Result<Self, OpenError> {
        let path = directory.path.join(file::SEGMENT);
        let (segment, stat) = directory.open(file::SEGMENT, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody)?;
        let (memory, header) = read_segment(&segment, &stat, &path)?;
        let control = Control::open(&directory, header.nonce);
        let live = directory
            .open(file::LIVE, OFlags::RDONLY, FileType::Fifo, Trust::Anybody)
            .map(|(fifo, _)| Liveness::Fifo(fifo))
            .map_err(|fault| OpenError::from(fault).to_string());
        let current = (path, stat);
        Ok(Self::of((directory.path.clone(), Some(directory), current), (memory, header, stat), control, live))
    }

    fn of(
        (path, directory, current): (PathBuf, Option<Directory>, (PathBuf, Stat)),
        (memory, header, stat): (Memory<Word>, Header, Stat),
        control: Result<Control, String>,
        live: Result<Liveness, String>,
    ) -> Self {
        let geometry = &header.geometry;
        let key = geometry.body.rows().and_then(|rows| rows.kind.key());
        let facts = Facts {
            kind: geometry.kind(),
            abi: geometry.body.abi(), // Header::read accepts no other
            capacity: geometry.capacity,
            copies: geometry.body.rows().map_or(1, |rows| rows.copies),
            slot_size: geometry.slot_size,
            slots_at: geometry.slots_at,
            payload_size: geometry.payload_size,
            payload_align: geometry.payload_align as u64,
            fingerprint: geometry.fingerprint,
            schema: geometry.schema.clone(),
            key: key.map(|key| KeyFacts {
                size: key.size(),
                align: key.align() as u64,
                schema: key.schema().to_owned(),
            }),
            nonce: header.nonce,
            source: geometry.body.source(),
            base: header.base,
            created: memory[word::CREATED].load(),
        };
        let layout = header.layout();
        Segment { path, directory, current, memory, layout, stat, facts, control, live }
    }

    /// What is wrong with the control file, if anything is.
    pub(super) fn control_damage(&self) -> Option<&String> {
        match &self.control {
            Ok(control) => control.damage.as_ref(),
            Err(missing) => Some(missing),
        }
    }

    /// That it is not what was expected.
    pub(super) fn is_no(&self, expected: SegmentKind) -> OpenError {
        OpenError::Kind { path: self.path.clone(), found: self.facts.kind, expected }
    }

    /// Its directory, or the socket of a sealed one.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is sealed and came through a socket. It then ends with its publisher: nobody can take it over.
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

    /// The fields of the message, or of a table's value, from the schema.
    ///
    /// # Errors
    /// If the schema cannot be parsed, or contradicts the header. The messages are then only bytes. [`SchemaError::Records`]
    /// for a ring of records.
    pub fn message_type(&self) -> Result<MessageType, SchemaError> {
        match self.facts.kind {
            SegmentKind::Records => Err(SchemaError::Records),
            _ => parse(&self.facts.schema, self.facts.payload_size),
        }
    }

    /// The present state.
    pub fn state(&self) -> State {
        match self.memory[self.layout.state()].load() {
            state::LIVE => State::Live,
            state::CLOSED => State::Closed,
            state::SUPERSEDED => State::Superseded,
            found => State::Unknown(found),
        }
    }

    /// Whether the publisher, or a table's writer, lives, or how it ended. Costs one system call.
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

    /// The epoch: 1 for the first publisher, and one more for each that took it over.
    pub fn epoch(&self) -> u64 {
        self.memory[self.layout.epoch()].load()
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

    /// Whether this is still what stands under its name: it may have been removed or replaced. For a sealed one, whether
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
        self.memory.is_cut_short()
    }

    /// Whether the segment's file has holes.
    pub(super) fn has_holes(&self) -> bool {
        check::has_holes(&self.stat)
    }

    pub(super) fn memory(&self) -> &Memory<Word> {
        &self.memory
    }

    pub(super) fn layout(&self) -> Layout {
        self.layout
    }

    /// A word of the header.
    pub(super) fn word(&self, index: usize) -> u64 {
        self.memory[index].load()
    }
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment").field("path", &self.path).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// What a schema describes, if it is of `size` bytes as the header says.
pub(super) fn parse(schema: &str, size: usize) -> Result<MessageType, SchemaError> {
    let message = MessageType::parse(schema)?;
    match message.size == size {
        true => Ok(message),
        false => Err(SchemaError::Size { found: message.size, expected: size }),
    }
}

/// Maps an open segment for reading and checks its header. `path` is for the errors.
fn read_segment(segment: &OwnedFd, stat: &Stat, path: &Path) -> Result<(Memory<Word>, Header), OpenError> {
    check::segment(segment, stat, (Mapping::ReadOnly, PlacementRequest::default()), path)
}
