//! The values that inspection returns: a segment's files, header and publisher, and why a message was not read.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::fs::Stat;

use crate::format::rows::SegmentKind;

/// The names of all directory entries in `root` that end in `.ring`, without that ending, sorted. They are candidates:
/// [`open_each`](super::open_each) says what they are.
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
    pub(super) fn of(stat: &Stat) -> Self {
        FileFacts { uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, bytes: stat.st_size as u64 }
    }

    /// Owner, mode and size of whatever has the ring's name in `root`, even if it cannot be opened.
    ///
    /// # Errors
    /// If there is nothing, or permission is missing.
    pub fn of_candidate(root: impl AsRef<Path>, name: impl AsRef<std::ffi::OsStr>) -> io::Result<Self> {
        let mut file = name.as_ref().to_owned();
        file.push(".ring");
        FileFacts::of_path(root.as_ref().join(file))
    }

    /// Owner, mode and size of whatever is at a path. If it is a link, of the link.
    ///
    /// # Errors
    /// If there is nothing, or permission is missing.
    pub fn of_path(path: impl AsRef<Path>) -> io::Result<Self> {
        Ok(FileFacts::of(&rustix::fs::lstat(path.as_ref())?))
    }
}

/// The part of a header that never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// What the segment is.
    pub kind: SegmentKind,
    /// The version of the segment's format.
    pub abi: u64,
    /// Number of slots of a ring; number of rows of a table, 1 for a cell. A ring of messages holds one message less than it
    /// has slots.
    pub capacity: u64,
    /// Copies of each row of a table; 1 for a ring.
    pub copies: usize,
    /// Bytes from one slot to the next, or from one copy of a row to the next.
    pub slot_size: usize,
    /// Bytes before the first slot or row.
    pub slots_at: usize,
    /// Size of a message, of the longest record that the ring can have, or of a table's value, in bytes.
    pub payload_size: usize,
    /// Alignment in bytes of the message's or the value's type in its publisher.
    pub payload_align: u64,
    /// The hash of the schema's text; for a table, of both schemas.
    pub fingerprint: u64,
    /// The text of the schema of the message or the value: see [`crate::payload`]. Of records the text of their
    /// [format](crate::records::RecordsFormat).
    pub schema: String,
    /// What the keys of a table are. `None` for a ring and a cell.
    pub key: Option<KeyFacts>,
    /// The random number that pairs the segment with its control file, and distinguishes two segments of one name.
    pub nonce: u64,
    /// The random number of the ring whose messages it has. `None` for all but a [relay](crate::raw::RelayPublisher).
    pub source: Option<u64>,
    /// The first sequence number.
    pub base: u64,
    /// When it was made, in ns since 1970.
    pub created: u64,
}

/// What a table's header says of its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// Size in bytes.
    pub size: usize,
    /// Alignment in bytes of the key's type in its writer.
    pub align: u64,
    /// The text of the schema.
    pub schema: String,
}

/// The state word of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A publisher is publishing, or it died without closing.
    Live,
    /// Closed by its publisher.
    Closed,
    /// Another ring took its name.
    Superseded,
    /// No publisher stores this value.
    Unknown(u64),
}

/// The state of a ring's publisher, from the state word and the kernel's answer together.
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
    /// Cannot be decided: the FIFO is missing or may not be read, or the state word is damaged.
    Unknown,
}

/// Why a message was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unread {
    /// It is not published yet.
    #[error("not published yet")]
    NotYet,
    /// It was overwritten, or its number is from before the ring began.
    #[error("overwritten: the ring holds only the newest messages")]
    Overwritten,
    /// The publisher passed over its number: it goes on with the numbers of another ring, and lost the message on the way.
    #[error("passed over up to sequence {until}: lost on its way to this ring's publisher")]
    PassedOver {
        /// The first number behind it that was not passed over.
        until: u64,
    },
    /// No publisher can have stored the sequence word of its slot.
    #[error("corrupt: the slot's sequence word is {found}: the segment was damaged; restart its publisher")]
    Corrupt {
        /// The slot's sequence word.
        found: u64,
    },
    /// The row was overwritten each time while it was read, or no copy of it is whole. Of a record: what is before it was
    /// overwritten each time while it was looked for.
    #[error("overwritten {attempts} times while it was read: look again; if it stays so, the segment was damaged")]
    Overtaken {
        /// The attempts that were made.
        attempts: u32,
    },
    /// The segment's file was cut short during the inspection. Needs the [`guard`](crate::guard); without it the
    /// process gets SIGBUS.
    #[error("the segment was cut short: restart its publisher with a new ring")]
    CutShort,
    /// The segment's file has holes. It is not read, because reading would fill them.
    #[error("the segment has holes: it was not made by a publisher, or was cut and grown")]
    Holes,
}
