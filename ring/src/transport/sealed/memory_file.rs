//! Memory files (`memfd`): made, sealed, and reopened.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{self, MemfdFlags, Mode, SealFlags};
use rustix::io::Errno;

use crate::error::CreateError;
use crate::memory::Memory;
use crate::placement::PlacementRequest;
use crate::segment::{fill, room};
use crate::sync::WriteWord;

/// The seals of a segment.
pub(super) const SEGMENT_SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE).union(SealFlags::SEAL);

/// The seals of a control file. Not against writing: subscribers write their entries.
pub(super) const CONTROL_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Makes a memory file of `bytes` bytes: reserves it, maps it for writing, then seals it. `path` is for error texts.
pub(super) fn make(
    path: &Path,
    name: &str,
    bytes: usize,
    seals: SealFlags,
    mode: u32,
    placement: PlacementRequest,
) -> Result<(OwnedFd, Memory<WriteWord>), CreateError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => fs::memfd_create(name, flags), // before Linux 6.3
        file => file,
    };
    let file = file.map_err(failed(path, "make a memory file for (memfd_create)"))?;
    let reserve = || {
        room::reserve(&file, bytes).map_err(|errno| match errno {
            Errno::NOSPC | Errno::NOMEM => {
                let free = room::available().unwrap_or(0);
                CreateError::NoMemory { path: path.to_owned(), needed: bytes as u64, free }
            }
            errno => failed(path, "reserve memory for (fallocate)")(errno),
        })
    };
    let memory = fill::file(&file, bytes, placement, path, reserve)?;
    fs::fcntl_add_seals(&file, seals).map_err(failed(path, "seal (fcntl; Linux 5.1 or later is needed)"))?;
    fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed(path, "set the mode of a memory file for (fchmod)"))?;
    Ok((file, memory))
}

/// Opens the same file again. The new descriptor has its own access, flags and locks.
pub(crate) fn reopen(file: &OwnedFd, access: fs::OFlags) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::open(path, access | fs::OFlags::CLOEXEC | fs::OFlags::NONBLOCK, Mode::empty())
}

/// Turns the error of a system call into a [`CreateError`].
pub(super) fn failed(path: &Path, doing: &'static str) -> impl Fn(Errno) -> CreateError {
    move |errno| CreateError::Io { doing, path: path.to_owned(), source: errno.into() }
}
