//! What is told of a ring: its files, its header, its publisher, and why a message was not read.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use rustix::fs::Stat;

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
    pub(super) fn of(stat: &Stat) -> Self {
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
