//! The errors: one enum per operation. Each text names the value found, the value expected, and the remedy.

use std::io;
use std::path::PathBuf;

use crate::format::layout::{ABI, MAX_CAPACITY, MAX_SEQUENCE, RELAYED_ABI};
use crate::format::name::NameError;
use crate::format::records::{MAX_SLOT, SLOT};
use crate::format::rows::{MAX_COPIES, SegmentKind};
use crate::placement::PlacementError;

/// Why no ring was created. A failed creation leaves no files behind.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The name is no valid ring name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The capacity is not a power of two from 2 to 2^32.
    #[error("capacity {found}: must be a power of two from 2 to {MAX_CAPACITY}; the nearest is {nearest}")]
    Capacity {
        /// The capacity asked for.
        found: u64,
        /// The nearest valid capacity: the next larger one if there is one.
        nearest: u64,
    },
    /// The number of rows is one that no table has. A cell has one row.
    #[error("{found} rows: must be from 1 to {most}")]
    Rows {
        /// The number asked for.
        found: u64,
        /// The most rows.
        most: u64,
    },
    /// The number of copies is not from 2 to 64.
    #[error("{found} copies of each row: must be from 2 to {MAX_COPIES}")]
    Copies {
        /// The number asked for.
        found: usize,
    },
    /// The slot of a ring of records is not of a power of two bytes from 64 to 4,096.
    #[error("slots of {found} bytes: must be a power of two from {SLOT} to {MAX_SLOT}; the nearest is {nearest}")]
    SlotSize {
        /// The size asked for in bytes.
        found: usize,
        /// The nearest valid size: the next larger one if there is one.
        nearest: usize,
    },
    /// The message has size 0, or its schema is too long for a header.
    #[error("message {name}: {found} bytes of {what}, {expected} expected: change the message")]
    Message {
        /// The message's name.
        name: String,
        /// The quantity that is too large or too small.
        what: &'static str,
        /// Bytes found.
        found: usize,
        /// Bytes expected.
        expected: &'static str,
    },
    /// The mode locks the publisher itself out, or has bits that a ring's files cannot have.
    #[error("mode {found:04o}: must be 0600 with any of the read bits 0044 and write bits 0022")]
    Mode {
        /// The mode asked for.
        found: u32,
    },
    /// A [sealed](crate::PublisherOptions::serve) ring cannot have this option: `root`, `keep` or `fresh`.
    #[error(
        "{option}: a sealed ring stands in no directory and ends with its publisher: leave it out, or publish a ring on disk"
    )]
    SealedOption {
        /// The option.
        option: &'static str,
    },
    /// A ring on disk cannot have this option: `allow_uid`, `allow_gid` or `max_clients`.
    #[error(
        "{option}: only a sealed ring is served: leave it out (a ring on disk has mode and group), or serve a sealed ring"
    )]
    DiskOption {
        /// The option.
        option: &'static str,
    },
    /// Another publisher holds the name.
    #[error("{}: already has a publisher: stop it first, or choose another name", path.display())]
    AlreadyPublished {
        /// The ring's directory.
        path: PathBuf,
    },
    /// Another user owns the ring's directory or one of its files.
    #[error("{}: owned by uid {found}, this publisher is uid {expected}: choose another name, or have the owner remove it", path.display())]
    Owner {
        /// The directory or file.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The publisher's effective uid.
        expected: u32,
    },
    /// Something that is no ring stands at the ring's path.
    #[error("{}: {found}, {expected} expected: move it away, or choose another name", path.display())]
    NotARing {
        /// The path of that thing.
        path: PathBuf,
        /// What was found there.
        found: String,
        /// What a ring has at this path.
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
    /// The memory cgroup has too little room. Reserving the memory would have killed this process.
    #[error("{}: {needed} bytes needed, {free} left under the memory limit of cgroup {}: lower the capacity, or raise the limit", path.display(), cgroup.display())]
    MemoryLimit {
        /// The ring's directory.
        path: PathBuf,
        /// Bytes that the ring needs.
        needed: u64,
        /// Bytes that are left under the limit.
        free: u64,
        /// The cgroup with this limit.
        cgroup: PathBuf,
    },
    /// The file system has no inodes left for the ring's files.
    #[error("{}: all {total} inodes of its file system are used: remove files (df -i), or give it more inodes (mount -o remount,nr_inodes=…)", path.display())]
    NoInodes {
        /// The directory that the file was to be made in.
        path: PathBuf,
        /// The number of inodes that the file system has.
        total: u64,
    },
    /// The ring's memory is a file, and larger than this process may make one.
    #[error("{}: {needed} bytes needed, RLIMIT_FSIZE is {limit} bytes: raise the limit of a file's size (ulimit -f, LimitFSIZE=infinity in the service's unit), or lower the capacity", path.display())]
    FileSizeLimit {
        /// The file.
        path: PathBuf,
        /// Bytes that it needs.
        needed: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// `/proc` is not mounted. A publisher of a sealed ring opens its memory files through it, once for each client.
    #[error("{}: a sealed ring cannot be served without /proc: mount it (mount -t proc proc /proc), or publish a ring on disk", path.display())]
    NoProc {
        /// The socket's path.
        path: PathBuf,
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
    /// The ring's memory could not be placed as requested.
    #[error("{}: {source}", path.display())]
    Placement {
        /// The file whose memory it is.
        path: PathBuf,
        /// Why it could not be placed.
        source: PlacementError,
    },
    /// A system call failed.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The attempted operation.
        doing: &'static str,
        /// The file it was attempted on.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

/// Why a ring was not opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name is no valid ring name.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A [sealed](crate::Subscriber::connect) ring cannot be opened with this option: `root`.
    #[error("{option}: a sealed ring stands in no directory: leave it out, or open a ring on disk")]
    SealedOption {
        /// The option.
        option: &'static str,
    },
    /// There is no ring of that name, or no longer one.
    #[error("{}: no such ring: start its publisher, or wait for it with an open timeout", path.display())]
    NotFound {
        /// The ring's directory.
        path: PathBuf,
    },
    /// The root directory does not exist. No publisher creates it, so waiting does not help.
    #[error("{}: no such directory for rings to stand in: name another root, or make it", path.display())]
    NoRoot {
        /// The directory.
        path: PathBuf,
    },
    /// The ring is being created, replaced or removed, or its publisher was killed while doing so.
    #[error("{}: its files do not belong together (yet): open it again, or wait for it with an open timeout; if it stays so, restart its publisher", path.display())]
    Unfinished {
        /// The ring's directory.
        path: PathBuf,
    },
    /// The files under this name are no ring.
    #[error("{}: not a ring: {found}, {expected} expected: choose another name, or move it away", path.display())]
    NotARing {
        /// The file that was looked at.
        path: PathBuf,
        /// What was found there.
        found: String,
        /// What a ring has at this path.
        expected: &'static str,
    },
    /// The ring belongs to a user whom this program does not trust.
    #[error("{}: owned by uid {found}, expected uid {expected} or root: run as its owner, or trust that uid", path.display())]
    Owner {
        /// The directory or file.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// The subscriber's effective uid.
        expected: u32,
    },
    /// The kernel does not let this program read the ring.
    #[error("{}: permission denied: run as a user whom the ring's mode admits, or publish it with a wider mode", path.display())]
    Permission {
        /// The file that could not be opened.
        path: PathBuf,
    },
    /// The ring has another ABI version.
    #[error("{}: ABI {found}, this program speaks {ABI} to {RELAYED_ABI}: rebuild the older side", path.display())]
    Abi {
        /// The ring's segment.
        path: PathBuf,
        /// The ring's version.
        found: u64,
    },
    /// The name stands for something of another kind.
    #[error("{}: {found}, this program expects {expected}: choose another name, or the program for {found}", path.display())]
    Kind {
        /// The segment.
        path: PathBuf,
        /// What it is.
        found: SegmentKind,
        /// What the program expects.
        expected: SegmentKind,
    },
    /// The ring carries messages of another type.
    #[error("{}: carries {found}, this program expects {expected}: {difference}: rebuild the older side, or choose another ring", path.display())]
    Payload {
        /// The ring's segment.
        path: PathBuf,
        /// The ring's messages: name, size in bytes, alignment in bytes.
        found: String,
        /// The program's messages, in the same form.
        expected: String,
        /// The fields that differ: each with its type and its offset in bytes, in the ring and in this program. At most
        /// six; the others are counted.
        difference: String,
    },
    /// The header contradicts itself or the file's size: it was damaged, or was never a ring's header.
    #[error("{}: {what} is {found}, expected {expected}: the segment is damaged; restart its publisher", path.display())]
    Geometry {
        /// The ring's segment.
        path: PathBuf,
        /// The part of the header.
        what: &'static str,
        /// The value found.
        found: u64,
        /// The value expected.
        expected: u64,
    },
    /// No ring can reach the sequence to join at.
    #[error("join at sequence {found}: must be below {MAX_SEQUENCE}")]
    Sequence {
        /// The sequence asked for.
        found: u64,
    },
    /// The socket exists, but nobody serves it: its publisher died.
    #[error("{}: nobody serves this socket any more: restart its publisher, or wait for it with an open timeout", path.display())]
    NotServed {
        /// The socket's path.
        path: PathBuf,
    },
    /// The publisher refused to hand its ring to this program.
    #[error("{}: refused by its publisher: {reason}", path.display())]
    Refused {
        /// The socket's path.
        path: PathBuf,
        /// The reason that the publisher gave.
        reason: String,
    },
    /// Other processes could change a file that came through the socket. No publisher of this library sends such a
    /// file.
    #[error("{}: {what} sealed against {found}, expected {expected}: not a publisher of sealed rings; do not use it", path.display())]
    Unsealed {
        /// The socket's path.
        path: PathBuf,
        /// Which file: `segment` or `control`.
        what: &'static str,
        /// The operations that it is sealed against.
        found: String,
        /// The operations that it must be sealed against.
        expected: String,
    },
    /// The ring's memory could not be placed as requested.
    #[error("{}: {source}", path.display())]
    Placement {
        /// The file whose memory it is.
        path: PathBuf,
        /// Why it could not be placed.
        source: PlacementError,
    },
    /// A system call failed.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// The attempted operation.
        doing: &'static str,
        /// The file it was attempted on.
        path: PathBuf,
        /// The kernel's error.
        source: io::Error,
    },
}

/// Why [`close`](crate::Publisher::close) could not remove the ring's files. Subscribers see
/// the ring as closed all the same.
#[derive(Debug, thiserror::Error)]
#[error("{}: closed, but cannot be removed: {source}: remove it by hand", path.display())]
pub struct CloseError {
    /// The file or directory that could not be removed.
    pub path: PathBuf,
    /// The kernel's error.
    pub source: io::Error,
}

/// Why [`try_recv`](crate::Subscriber::try_recv) and its like returned no message. A subscriber recovers
/// from every error but `Corrupt` and `CutShort`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TryRecvError {
    /// No message has been published since the last one read.
    #[error("no message yet")]
    Empty,
    /// The publisher overwrote `missed` messages before they were read. The next call resumes after them.
    #[error("lagged: {missed} messages lost: read faster, or enlarge the ring")]
    Lagged {
        /// The number of lost messages.
        missed: u64,
    },
    /// A new publisher took the ring over. Its messages begin at `sequence`. Rebuild any state that was built from
    /// earlier messages.
    #[error("the publisher restarted: epoch {epoch} begins at sequence {sequence}")]
    Restarted {
        /// The epoch, 1 for a ring's first publisher.
        epoch: u64,
        /// The first sequence of the epoch.
        sequence: u64,
    },
    /// Publishers took the ring over more often than its header can tell: it knows the last seven beginnings. The next
    /// messages, up to but not including `until`, may be of several publishers. Rebuild any state at `until`. There
    /// `Restarted` follows, or this error again if the ring was taken over further.
    #[error("the publisher restarted before sequence {until}, more often than the ring can tell where")]
    RestartsUnknown {
        /// The first sequence whose epoch is known again.
        until: u64,
    },
    /// The publisher closed the ring, and every message was read.
    #[error("the ring is closed")]
    Closed,
    /// The publisher ended without closing the ring, and every message was read: it died, or it
    /// [left](crate::Publisher::leave), which the ring does not tell apart. A new publisher may take over: see
    /// [`wait_for_publisher`](crate::Subscriber::wait_for_publisher).
    #[error("the publisher is gone: restart it")]
    PublisherDead,
    /// A new ring replaced this one, and every message of this one was read: open the name again.
    #[error("superseded by another ring of the same name: open it again")]
    Superseded,
    /// The segment's file was cut short while it was mapped; the [`guard`](crate::guard) noticed it. Messages returned
    /// before are whole. Every further call returns this error.
    #[error(
        "the segment was cut short under its subscriber: find out who may write to it; restart its publisher with a new ring"
    )]
    CutShort,
    /// The segment holds a value that no publisher can have stored.
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
        /// The number of lost messages.
        missed: u64,
    },
    /// See [`TryRecvError::Restarted`].
    Restarted {
        /// The epoch.
        epoch: u64,
        /// Its first sequence.
        sequence: u64,
    },
    /// See [`TryRecvError::RestartsUnknown`].
    RestartsUnknown {
        /// The first sequence whose epoch is known again.
        until: u64,
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
            RecvError::RestartsUnknown { until } => TryRecvError::RestartsUnknown { until },
            RecvError::Closed => TryRecvError::Closed,
            RecvError::PublisherDead => TryRecvError::PublisherDead,
            RecvError::Superseded => TryRecvError::Superseded,
            RecvError::CutShort => TryRecvError::CutShort,
            RecvError::Corrupt(corrupt) => TryRecvError::Corrupt(corrupt),
        }
    }
}

impl RecvError {
    /// The error that ends a wait. `None` for `Empty`: the wait continues.
    pub(crate) fn of(error: TryRecvError) -> Option<Self> {
        Some(match error {
            TryRecvError::Empty => return None,
            TryRecvError::Lagged { missed } => RecvError::Lagged { missed },
            TryRecvError::Restarted { epoch, sequence } => RecvError::Restarted { epoch, sequence },
            TryRecvError::RestartsUnknown { until } => RecvError::RestartsUnknown { until },
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
    /// The word: a slot's sequence, or the ring's state.
    pub what: &'static str,
    /// The value found.
    pub found: u64,
    /// The sequence that the subscriber was about to read.
    pub sequence: u64,
}
