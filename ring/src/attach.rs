//! Opening a ring as a subscriber: believed only as far as it was checked.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Duration;

use memmap2::Advice;
use rustix::fs::{FileType, OFlags, Stat};

use crate::directory::{Directory, Fault, Trust, What, file};
use crate::error::OpenError;
use crate::header::Header;
use crate::layout::{CONTROL_MAGIC, Geometry, Layout, control, state, word};
use crate::memory::Memory;
use crate::placement::Asked;
use crate::subscriber::Mapping;
use crate::sync::{Word, WriteWord};

/// Attempts at a ring that is being made, replaced or removed at the same moment, before giving up.
const ATTEMPTS: u32 = 50;

/// A ring just opened.
pub(crate) struct Opened {
    /// The ring's directory, or the socket that it came through.
    pub(crate) path: PathBuf,
    pub(crate) memory: Memory<Word>,
    pub(crate) layout: Layout,
    pub(crate) control: (OwnedFd, Memory<WriteWord>),
    pub(crate) live: OwnedFd,
    /// What a sealed ring came through: its publisher counts those who keep it open.
    pub(crate) connection: Option<OwnedFd>,
}

/// Opens the ring `name` in `root`, if its messages are those of `expected`.
pub(crate) fn open(
    root: &Path,
    name: &str,
    trust: Trust<'_>,
    mapping: Mapping,
    expected: &Geometry,
    asked: Asked,
) -> Result<Opened, OpenError> {
    let root = Directory::root_to_look_in(root)?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let ring = root.ring(name, trust)?;
        match (open_once(&ring, trust, mapping, expected, asked), attempts.next()) {
            (Ok(Some(opened)), _) => return Ok(opened),
            (Err(error), _) => return Err(error),
            // It is being replaced or removed right now: the files are not of one ring.
            (Ok(None), Some(_)) => std::thread::sleep(Duration::from_millis(1)),
            (Ok(None), None) => return Err(OpenError::Unfinished { path: ring.path }),
        }
    }
}

/// One attempt; `None` if the files do not belong together.
fn open_once(
    ring: &Directory,
    trust: Trust<'_>,
    mapping: Mapping,
    expected: &Geometry,
    asked: Asked,
) -> Result<Option<Opened>, OpenError> {
    let path = ring.path.join(file::SEGMENT);
    let flags = match mapping {
        Mapping::ReadOnly => OFlags::RDONLY,
        Mapping::ReadWrite => OFlags::RDWR,
    };
    let (segment, segment_stat) = ring.open(file::SEGMENT, flags, FileType::RegularFile, trust)?;
    let (memory, header) = check_segment(&segment, &segment_stat, (mapping, asked), &path, expected)?;
    if memory[word::STATE].load() == state::SUPERSEDED {
        return Ok(None);
    }

    let (control, stat) = match ring.open(file::CONTROL, OFlags::RDWR, FileType::RegularFile, trust) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        control => control?,
    };
    let Some(control_memory) = check_control(&control, &stat, &ring.path.join(file::CONTROL), header.nonce)? else {
        return Ok(None);
    };
    let live = match ring.open(file::LIVE, OFlags::RDONLY, FileType::Fifo, trust) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        live => live?.0,
    };
    prefault(&memory, &segment_stat, &path)?;
    lock(&memory, &control_memory, asked, &path)?;
    let layout = header.layout();
    let path = ring.path.clone();
    Ok(Some(Opened { path, memory, layout, control: (control, control_memory), live, connection: None }))
}

/// Maps an open segment and believes of it what was checked. `path` is for the errors.
pub(crate) fn check_segment(
    segment: &OwnedFd,
    stat: &Stat,
    (mapping, asked): (Mapping, Asked),
    path: &Path,
    expected: &Geometry,
) -> Result<(Memory<Word>, Header), OpenError> {
    let bytes = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if bytes < word::SCHEMA * 8 || !bytes.is_multiple_of(8) {
        return Err(OpenError::NotARing {
            path: path.to_owned(),
            found: format!("a file of {bytes} bytes"),
            expected: "the segment of a ring",
        });
    }
    let memory = match mapping {
        Mapping::ReadOnly => Memory::map_read_only_on(segment, bytes, asked.boundary(bytes)),
        Mapping::ReadWrite => Memory::map_writable_for_reading(segment, bytes, asked.boundary(bytes)),
    };
    let memory = memory.map_err(|source| OpenError::Io { doing: "map", path: path.to_owned(), source })?;
    let header = Header::read(&memory, path)?;
    header.expect(expected, path)?;
    Ok((memory, header))
}

/// Brings a segment into memory; only what is there already: a file with holes would be filled at its reader's expense.
pub(crate) fn prefault(memory: &Memory<Word>, stat: &Stat, path: &Path) -> Result<(), OpenError> {
    if stat.st_blocks.saturating_mul(512) < stat.st_size {
        return Ok(());
    }
    memory.prefault(Advice::PopulateRead).map_err(|source| OpenError::Io {
        doing: "prefault",
        path: path.to_owned(),
        source,
    })
}

/// Locks a ring's files into memory, if that was asked for.
pub(crate) fn lock(
    segment: &Memory<Word>,
    control: &Memory<WriteWord>,
    asked: Asked,
    path: &Path,
) -> Result<(), OpenError> {
    asked
        .lock(segment)
        .and_then(|()| asked.lock(control))
        .map_err(|source| OpenError::Placement { path: path.to_owned(), source })
}

/// Maps an open control file; `None` if it belongs to another segment.
pub(crate) fn check_control(
    control: &OwnedFd,
    stat: &Stat,
    path: &Path,
    nonce: u64,
) -> Result<Option<Memory<WriteWord>>, OpenError> {
    if stat.st_size != control::BYTES as i64 {
        return Err(OpenError::NotARing {
            path: path.to_owned(),
            found: format!("a file of {} bytes", stat.st_size),
            expected: "the control file of a ring",
        });
    }
    let words = Memory::map_writable(control, control::BYTES).map_err(|source| OpenError::Io {
        doing: "map",
        path: path.to_owned(),
        source,
    })?;
    let paired = words[control::MAGIC].load() == CONTROL_MAGIC && words[control::NONCE].load() == nonce;
    Ok(paired.then_some(words))
}
