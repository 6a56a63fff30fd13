//! Fills a new segment and a new control file: their memory, and their first contents.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::SystemTime;

use memmap2::Advice;

use crate::error::CreateError;
use crate::format::layout::{ABI, CONTROL_MAGIC, Geometry, Layout, control, word};
use crate::memory::Memory;
use crate::placement::{PlacementRequest, beyond_memlock, max_file_size};
use crate::protocol::takeover::{self, Next};
use crate::sync::{EPOCHS, WriteWord};

/// Sets a new file's size, maps it, and reserves and touches its memory. `reserve` does the reserving. `path` is for
/// error texts.
pub(crate) fn file(
    file: &OwnedFd,
    bytes: usize,
    request: PlacementRequest,
    path: &Path,
    reserve: impl FnOnce() -> Result<(), CreateError>,
) -> Result<Memory<WriteWord>, CreateError> {
    check_limit(bytes, path)?;
    rustix::fs::ftruncate(file, bytes as u64).map_err(|errno| CreateError::Io {
        doing: "set the size of the ring's memory (ftruncate)",
        path: path.to_owned(),
        source: errno.into(),
    })?;
    let memory = Memory::map_writable_on(file, bytes, request.boundary(bytes))
        .map_err(|source| not_mapped(source, bytes, path))?;
    reserve_and_touch(&memory, request, path, reserve)?;
    Ok(memory)
}

/// Checks the limit of a file's size. Beyond it the kernel would raise SIGXFSZ, which kills a process that does not
/// handle it. Later steps only fill the size that was set here, for which there is no limit.
pub(crate) fn check_limit(bytes: usize, path: &Path) -> Result<(), CreateError> {
    match max_file_size() {
        Some(limit) if limit < bytes as u64 => {
            Err(CreateError::FileSizeLimit { path: path.to_owned(), needed: bytes as u64, limit })
        }
        _ => Ok(()),
    }
}

/// The error of a mapping of `bytes` bytes that the kernel refused.
pub(crate) fn not_mapped(source: io::Error, bytes: usize, path: &Path) -> CreateError {
    match beyond_memlock(source, bytes) {
        Ok(source) => CreateError::Placement { path: path.to_owned(), source },
        Err(source) => CreateError::Io { doing: "map the ring's memory (mmap)", path: path.to_owned(), source },
    }
}

/// Places, reserves and touches all of a mapped file's memory, in this order: reserved memory keeps its node and page
/// size.
pub(crate) fn reserve_and_touch(
    memory: &Memory<WriteWord>,
    request: PlacementRequest,
    path: &Path,
    reserve: impl FnOnce() -> Result<(), CreateError>,
) -> Result<(), CreateError> {
    let placed = |source| CreateError::Placement { path: path.to_owned(), source };
    request.before_first_touch(memory).map_err(placed)?;
    reserve()?;
    memory.prefault(Advice::PopulateWrite).map_err(|source| CreateError::Io {
        doing: "prefault the ring's memory (madvise)",
        path: path.to_owned(),
        source,
    })?;
    request.after_touch(memory).map_err(placed)
}

/// The mode of the control file: readers of the segment may also write, because each writes its own entry.
pub(crate) fn control_mode(mode: u32) -> u32 {
    mode | (mode & 0o044) >> 1
}

/// Writes the first line of a new control file.
pub(crate) fn control(words: &[WriteWord], nonce: u64) {
    for (index, value) in [
        (control::MAGIC, CONTROL_MAGIC),
        (control::ABI, ABI),
        (control::NONCE, nonce),
        (control::ENTRIES, control::COUNT as u64),
    ] {
        words[index].store(value);
    }
}

/// Writes a new segment's header and begins its first epoch at sequence `base`: that of this number, or 1.
pub(crate) fn segment(
    memory: &Memory<WriteWord>,
    geometry: &Geometry,
    nonce: u64,
    base: u64,
    epoch: Option<u64>,
) -> Layout {
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    geometry.write(memory, nonce, base, created);
    memory[word::PUBLISHER_PID].store(u64::from(std::process::id()));
    let layout = geometry.layout(base);
    if let Some(epoch) = epoch {
        // Nobody sees the segment yet. No message of this ring is of an epoch before this one.
        (0..EPOCHS).for_each(|earlier| memory[layout.begin(earlier)].store(base));
        memory[layout.epoch()].store(epoch.saturating_sub(1));
    }
    takeover::begin_epoch(memory, &layout, Next::of_new(&layout));
    layout
}

/// A number that no other ring of this name has had. It pairs a segment with its control file.
pub(crate) fn nonce() -> u64 {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(8) => u64::from_ne_bytes(bytes),
        // Early at boot there is no randomness. The time is enough, because nobody gains by guessing the number.
        _ => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64),
    }
}
