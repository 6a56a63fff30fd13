//! The errors: one enum for each operation, with what was found, what was expected, and what to do about it.

use std::io;
use std::path::PathBuf;

use crate::format::layout::{ABI, MAX_CAPACITY, MAX_SEQUENCE};
use crate::format::name::NameError;
use crate::placement::PlacementError;

/// Why no ring was created. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The name is not one that a ring can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The capacity is not a power of two from 2 to 2^32.
    #[error("capacity {found}: must be a power of two from 2 to {MAX_CAPACITY}; the nearest is {nearest}")]
    Capacity {
        /// The capacity asked for.
        found: u64,
        /// The nearest that is possible, upwards where there is one.
        nearest: u64,
    },
    /// The message is of no size, or its schema is too long for a header.
    #[error("message {name}: {found} bytes of {what}, {expected} expected: change the message")]
    Message {
        /// The message's name.
        name: String,
        /// What there is too much or too little of.
        what: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        expected: &'static str,
    },
    /// The mode would lock the publisher itself out, or has bits that a ring's files cannot have.
    #[error("mode {found:04o}: must be 0600 with any of the read bits 0044 and write bits 0022")]
    Mode {
        /// The mode asked for.
        found: u32,
    },
    /// Another publisher holds the name.
    #[error("{}: already has a publisher: stop it first, or choose another name", path.display())]
    AlreadyPublished {
        /// The ring's directory.
        path: PathBuf,
    },
    /// Somebody else owns what is there under the name.
    #[error("{}: owned by uid {found}, this publisher is uid {expected}: choose another name, or have the owner remove it", path.display())]
    Owner {
        /// What is owned.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The publisher's effective uid.
        expected: u32,
    },
    /// Something that is no ring is in the way.
    #[error("{}: {found}, {expected} expected: move it away, or choose another name", path.display())]
    NotARing {
        /// What is in the way.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What a ring has there.
        expected: &'static str,
    },
    /// The file system has too little room.
    #[error("{}: {needed} bytes needed, {free} free: lower the capacity, remove old rings, or enlarge the file system (mount -o remount,size=…; in a container: --shm-size)", path.display())]
    NoRoom {
        /// The ring's directory.
        path: PathBuf,
        /// Bytes that the ring needs.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The memory cgroup has too little room: reserving the memory would have ended in a kill.
    #[error("{}: {needed} bytes needed, {free} left under the memory limit of cgroup {}: lower the capacity, or raise the limit", path.display(), cgroup.display())]
    MemoryLimit {
        /// The ring's directory.
        path: PathBuf,
        /// Bytes that the ring needs.
        needed: u64,
        /// Bytes that are left under the limit.
        free: u64,
        /// The cgroup whose limit it is.
        cgroup: PathBuf,
    },
    /// The machine has too little memory for a sealed ring, which no file system bounds.
    #[error("{}: {needed} bytes needed, {free} available on this machine: lower the capacity", path.display())]
    NoMemory {
        /// The socket's path.
        path: PathBuf,
        /// Bytes that the ring needs.
        needed: u64,
        /// Bytes that are available.
        free: u64,
    },
    /// Its memory could not be placed as it was asked to be.
    #[error("{}: {source}", path.display())]
    Placement {
        /// Which file's memory.
        path: PathBuf,
        /// What was wrong.
        source: PlacementError,
    },
    /// A system call failed.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Why a ring was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is not one that a ring can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no ring of that name (any more).
    #[error("{}: no such ring: start its publisher, or wait for it with an open timeout", path.display())]
    NotFound {
        /// The ring's directory.
        path: PathBuf,
    },
    /// The directory that rings are to stand in is not there: no publisher makes it.
    #[error("{}: no such directory for rings to stand in: name another root, or make it", path.display())]
    NoRoot {
        /// The directory.
        path: PathBuf,
    },
    /// The ring is being made, replaced or removed, or its publisher was killed at that.
    #[error("{}: its files do not belong together (yet): open it again, or wait for it with an open timeout; if it stays so, restart its publisher", path.display())]
    Unfinished {
        /// The ring's directory.
        path: PathBuf,
    },
    /// What is there is no ring.
    #[error("{}: not a ring: {found}, {expected} expected: choose another name, or move it away", path.display())]
    NotARing {
        /// What was looked at.
        path: PathBuf,
        /// What it is.
        found: String,
        /// What a ring has there.
        expected: &'static str,
    },
    /// The ring belongs to somebody whom this program has no reason to trust.
    #[error("{}: owned by uid {found}, expected uid {expected} or root: run as its owner, or trust that uid", path.display())]
    Owner {
        /// What is owned.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The subscriber's effective uid.
        expected: u32,
    },
    /// The kernel does not let this program read the ring.
    #[error("{}: permission denied: run as a user whom the ring's mode admits, or publish it with a wider mode", path.display())]
    Permission {
        /// What could not be opened.
        path: PathBuf,
    },
    /// The ring is of another version.
    #[error("{}: ABI {found}, this program speaks {ABI}: rebuild the older side", path.display())]
    Abi {
        /// The ring's segment.
        path: PathBuf,
        /// Its version.
        found: u64,
    },
    /// The ring carries other messages.
    #[error("{}: carries {found}, this program expects {expected}: rebuild the older side, or choose another ring", path.display())]
    Payload {
        /// The ring's segment.
        path: PathBuf,
        /// The ring's messages: name, size, alignment, fingerprint.
        found: String,
        /// The program's.
        expected: String,
    },
    /// The header contradicts itself or the file: it was damaged, or was never a ring's.
    #[error("{}: {what} is {found}, expected {expected}: the segment is damaged; restart its publisher", path.display())]
    Geometry {
        /// The ring's segment.
        path: PathBuf,
        /// Which part of the header.
        what: &'static str,
        /// Its value.
        found: u64,
        /// What it should have been.
        expected: u64,
    },
    /// The sequence to join at is beyond any that a ring can reach.
    #[error("join at sequence {found}: must be below {MAX_SEQUENCE}")]
    Sequence {
        /// The sequence asked for.
        found: u64,
    },
    /// The socket is there, but nobody answers it any more: its publisher died.
    #[error("{}: nobody serves this socket any more: restart its publisher, or wait for it with an open timeout", path.display())]
    NotServed {
        /// The socket's path.
        path: PathBuf,
    },
    /// The publisher does not hand its ring to this program, and says why.
    #[error("{}: refused by its publisher: {reason}", path.display())]
    Refused {
        /// The socket's path.
        path: PathBuf,
        /// What the publisher said.
        reason: String,
    },
    /// A ring came through a socket, and its files could be changed by others: no publisher of this library sends that.
    #[error("{}: {what} sealed against {found}, expected {expected}: not a publisher of sealed rings; do not use it", path.display())]
    Unsealed {
        /// The socket's path.
        path: PathBuf,
        /// Which of the files.
        what: &'static str,
        /// What it is sealed against.
        found: String,
        /// What it should be sealed against.
        expected: String,
    },
    /// Its memory could not be placed as it was asked to be.
    #[error("{}: {source}", path.display())]
    Placement {
        /// Which file's memory.
        path: PathBuf,
        /// What was wrong.
        source: PlacementError,
    },
    /// A system call failed.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Why [`close`](crate::Publisher::close) could not remove the ring's files. Its subscribers see it closed all the same.
#[derive(Debug, thiserror::Error)]
#[error("{}: closed, but cannot be removed: {source}: remove it by hand", path.display())]
pub struct CloseError {
    /// What could not be removed.
    pub path: PathBuf,
    /// What the kernel said.
    pub source: io::Error,
}

/// Why [`try_recv`](crate::Subscriber::try_recv) and its like returned no message. Only `Corrupt` and `CutShort` leave no
/// way on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// Nothing new yet.
    #[error("no message yet")]
    Empty,
    /// So many messages were overwritten before they were read. The next call goes on behind them.
    #[error("lagged: {missed} messages lost: read faster, or enlarge the ring")]
    Lagged {
        /// How many.
        missed: u64,
    },
    /// A new publisher has taken the ring over. What it publishes begins at `sequence`; state that was built from the
    /// messages before must be built anew.
    #[error("the publisher restarted: epoch {epoch} begins at sequence {sequence}")]
    Restarted {
        /// The epoch, 1 for a ring's first publisher.
        epoch: u64,
        /// The first sequence of the epoch.
        sequence: u64,
    },
    /// The publisher closed the ring, and everything was read.
    #[error("the ring is closed")]
    Closed,
    /// The publisher ended without closing the ring, and everything was read. A new one may take over: see
    /// [`wait_for_publisher`](crate::Subscriber::wait_for_publisher).
    #[error("the publisher died: restart it")]
    PublisherDead,
    /// Another ring took the name, and everything in this one was read: open the name again.
    #[error("superseded by another ring of the same name: open it again")]
    Superseded,
    /// The segment's file was cut short while it was mapped, which the [`guard`](crate::guard) noticed. What was returned
    /// before is good. There is no point in calling again.
    #[error(
        "the segment was cut short under its subscriber: find out who may write to it; restart its publisher with a new ring"
    )]
    CutShort,
    /// The segment holds what no publisher can have stored.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
}

/// Why [`recv`](crate::Subscriber::recv) returned no message: [`TryRecvError`] without `Empty`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", TryRecvError::from(*self))]
#[non_exhaustive]
pub enum RecvError {
    /// See [`TryRecvError::Lagged`].
    Lagged {
        /// How many.
        missed: u64,
    },
    /// See [`TryRecvError::Restarted`].
    Restarted {
        /// The epoch.
        epoch: u64,
        /// Its first sequence.
        sequence: u64,
    },
    /// See [`TryRecvError::Closed`].
    Closed,
    /// See [`TryRecvError::PublisherDead`].
    PublisherDead,
    /// See [`TryRecvError::Superseded`].
    Superseded,
    /// See [`TryRecvError::CutShort`].
    CutShort,
    /// See [`TryRecvError::Corrupt`].
    Corrupt(#[from] Corrupt),
}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Lagged { missed } => TryRecvError::Lagged { missed },
            RecvError::Restarted { epoch, sequence } => TryRecvError::Restarted { epoch, sequence },
            RecvError::Closed => TryRecvError::Closed,
            RecvError::PublisherDead => TryRecvError::PublisherDead,
            RecvError::Superseded => TryRecvError::Superseded,
            RecvError::CutShort => TryRecvError::CutShort,
            RecvError::Corrupt(corrupt) => TryRecvError::Corrupt(corrupt),
        }
    }
}

impl RecvError {
    /// What ended a wait; `None` says that it goes on.
    pub(crate) fn of(error: TryRecvError) -> Option<Self> {
        Some(match error {
            TryRecvError::Empty => return None,
            TryRecvError::Lagged { missed } => RecvError::Lagged { missed },
            TryRecvError::Restarted { epoch, sequence } => RecvError::Restarted { epoch, sequence },
            TryRecvError::Closed => RecvError::Closed,
            TryRecvError::PublisherDead => RecvError::PublisherDead,
            TryRecvError::Superseded => RecvError::Superseded,
            TryRecvError::CutShort => RecvError::CutShort,
            TryRecvError::Corrupt(corrupt) => RecvError::Corrupt(corrupt),
        })
    }
}

/// A word in a segment that no publisher can have stored there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "corrupt: {what} is {found} at sequence {sequence}: the segment was damaged; restart its publisher with a new ring"
)]
pub struct Corrupt {
    /// Which word: a slot's sequence, or the ring's state.
    pub what: &'static str,
    /// Its value.
    pub found: u64,
    /// The sequence that was to be read.
    pub sequence: u64,
}
