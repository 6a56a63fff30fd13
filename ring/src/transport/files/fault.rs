//! A fault of a file, and its conversion into each operation's error.

use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::io::Errno;

use crate::error::{CloseError, CreateError, OpenError};

/// A fault of the file at `path`.
pub(crate) struct Fault {
    pub(crate) path: PathBuf,
    pub(crate) what: What,
}

/// The kind of a fault.
pub(crate) enum What {
    Missing,
    Denied,
    Kind { found: String, expected: &'static str },
    Owner { found: u32, expected: u32 },
    Io { doing: &'static str, source: Errno },
}

impl From<Fault> for CreateError {
    fn from(Fault { path, what }: Fault) -> Self {
        let io = |doing, source: Errno, path| CreateError::Io { doing, path, source: source.into() };
        match what {
            What::Missing => io("open", Errno::NOENT, path),
            What::Denied => io("open", Errno::ACCESS, path),
            What::Kind { found, expected } => CreateError::NotARing { path, found, expected },
            What::Owner { found, expected } => CreateError::Owner { path, found, expected },
            What::Io { doing, source } => io(doing, source, path),
        }
    }
}

impl From<Fault> for OpenError {
    fn from(Fault { path, what }: Fault) -> Self {
        match what {
            What::Missing => OpenError::NotFound { path },
            What::Denied => OpenError::Permission { path },
            What::Kind { found, expected } => OpenError::NotARing { path, found, expected },
            What::Owner { found, expected } => OpenError::Owner { path, found, expected },
            What::Io { doing, source } => OpenError::Io { doing, path, source: source.into() },
        }
    }
}

impl From<Fault> for CloseError {
    fn from(Fault { path, what }: Fault) -> Self {
        let source = match what {
            What::Io { source, .. } => source,
            _ => Errno::IO,
        };
        CloseError { path, source: source.into() }
    }
}

pub(crate) fn io(path: PathBuf, doing: &'static str, source: Errno) -> Fault {
    Fault { path, what: What::Io { doing, source } }
}

/// The fault of a file that could not be opened as `expected`.
pub(crate) fn not_opened(path: PathBuf, errno: Errno, expected: &'static str) -> Fault {
    let kind = |found: &str| What::Kind { found: found.to_owned(), expected };
    let what = match errno {
        Errno::NOENT => What::Missing,
        Errno::ACCESS | Errno::PERM => What::Denied,
        Errno::LOOP => kind("a symbolic link"),
        Errno::ISDIR => kind("a directory"),
        // With O_DIRECTORY and O_NOFOLLOW a link gives this error, too.
        Errno::NOTDIR => kind("no directory"),
        Errno::NXIO | Errno::NODEV => kind("a socket or a device"),
        source => What::Io { doing: "open", source },
    };
    Fault { path, what }
}

pub(crate) fn kind_name(kind: FileType) -> &'static str {
    match kind {
        FileType::RegularFile => "a regular file",
        FileType::Directory => "a directory",
        FileType::Symlink => "a symbolic link",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice => "a character device",
        FileType::BlockDevice => "a block device",
        _ => "of an unknown kind",
    }
}
