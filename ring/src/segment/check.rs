//! Maps and checks an existing segment and control file.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use memmap2::Advice;
use rustix::fs::Stat;

use super::header::Header;
use crate::error::OpenError;
use crate::format::layout::{ABI, CONTROL_MAGIC, control, word};
use crate::memory::{Mapping, Memory};
use crate::placement::{PlacementRequest, beyond_memlock};
use crate::sync::{Word, WriteWord};

/// Maps an open segment and checks its header. `path` is for error texts.
pub(crate) fn segment(
    file: &OwnedFd,
    stat: &Stat,
    (mapping, request): (Mapping, PlacementRequest),
    path: &Path,
) -> Result<(Memory<Word>, Header), OpenError> {
    let bytes = usize::try_from(stat.st_size).unwrap_or(usize::MAX);
    if bytes < word::SCHEMA * 8 || !bytes.is_multiple_of(8) {
        return Err(OpenError::NotARing {
            path: path.to_owned(),
            found: format!("a file of {bytes} bytes"),
            expected: "the segment of a ring",
        });
    }
    let memory =
        Memory::map(file, bytes, mapping, request.boundary(bytes)).map_err(|source| not_mapped(source, bytes, path))?;
    let header = Header::read(&memory, path)?;
    Ok((memory, header))
}

/// The error of a mapping of `bytes` bytes that the kernel refused.
fn not_mapped(source: io::Error, bytes: usize, path: &Path) -> OpenError {
    match beyond_memlock(source, bytes) {
        Ok(source) => OpenError::Placement { path: path.to_owned(), source },
        Err(source) => OpenError::Io { doing: "map (mmap)", path: path.to_owned(), source },
    }
}

/// Whether some of a segment's file has no memory. A publisher reserves every byte, so somebody else made the holes.
pub(crate) fn has_holes(stat: &Stat) -> bool {
    stat.st_blocks.saturating_mul(512) < stat.st_size
}

/// Prefaults a segment, and locks it and the control file into memory if that was requested. A segment with holes is
/// not prefaulted, because the kernel would fill the holes at this reader's expense.
pub(crate) fn prefault_and_lock(
    memory: &Memory<Word>,
    control: Option<&Memory<WriteWord>>,
    stat: &Stat,
    request: PlacementRequest,
    path: &Path,
) -> Result<(), OpenError> {
    if !has_holes(stat) {
        memory.prefault(Advice::PopulateRead).map_err(|source| OpenError::Io {
            doing: "prefault (madvise)",
            path: path.to_owned(),
            source,
        })?;
    }
    request
        .lock(memory)
        .and_then(|()| control.map_or(Ok(()), |control| request.lock(control)))
        .map_err(|source| OpenError::Placement { path: path.to_owned(), source })
}

/// Maps a control file for writing. Its contents are not checked: every subscriber may write there, so nothing there may
/// keep another from joining. A file that is too long is as good, for the same reason.
///
/// # Errors
/// The reason as text if the file is too short or cannot be mapped.
pub(crate) fn control(file: &OwnedFd, stat: &Stat) -> Result<Memory<WriteWord>, String> {
    long_enough(stat)?;
    Memory::map_writable(file, control::BYTES).map_err(|error| format!("cannot be mapped: {error}"))
}

/// Maps a control file for reading only. With it comes what is wrong with the file, if anything is.
///
/// # Errors
/// The reason as text if the file is too short or cannot be mapped.
pub(crate) fn control_read_only(
    file: &OwnedFd,
    stat: &Stat,
    nonce: u64,
) -> Result<(Memory<Word>, Option<String>), String> {
    long_enough(stat)?;
    let memory = Memory::map_read_only(file, control::BYTES).map_err(|error| format!("cannot be mapped: {error}"))?;
    let damage = control_damage(&memory, stat, nonce);
    Ok((memory, damage))
}

/// What is wrong with the control file of the segment with this nonce, if anything is.
pub(crate) fn control_damage(words: &[Word], stat: &Stat, nonce: u64) -> Option<String> {
    if stat.st_size != control::BYTES as i64 {
        return Some(format!("{} bytes long, not {}", stat.st_size, control::BYTES));
    }
    for (what, index, expected) in [
        ("first word", control::MAGIC, CONTROL_MAGIC),
        ("ABI", control::ABI, ABI),
        ("nonce", control::NONCE, nonce),
        ("number of entries", control::ENTRIES, control::COUNT as u64),
    ] {
        let found = words[index].load();
        if found != expected {
            return Some(format!("its {what} is {found:#x}, not {expected:#x}"));
        }
    }
    None
}

fn long_enough(stat: &Stat) -> Result<(), String> {
    if stat.st_size >= control::BYTES as i64 {
        return Ok(());
    }
    Err(format!("{} bytes long, not {}", stat.st_size, control::BYTES))
}
