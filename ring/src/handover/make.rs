//! Making a sealed ring: two memory files, sealed as soon as the publisher has mapped them, and a pipe.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use memmap2::Advice;
use rustix::fs::{self, MemfdFlags, Mode, SealFlags};
use rustix::io::Errno;
use rustix::pipe::{PipeFlags, pipe_with};

use super::place::Place;
use super::server::{Offer, Server};
use super::{CONTROL_SEALS, Door, SEGMENT_SEALS};
use crate::directory::{self, Access};
use crate::error::CreateError;
use crate::layout::{Geometry, Layout, control};
use crate::memory::Memory;
use crate::placement::Asked;
use crate::room;
use crate::segment::{control_mode, fill_control, fill_segment, nonce};
use crate::sync::WriteWord;

/// A sealed ring, being served.
pub(crate) struct Sealed {
    pub(crate) memory: Memory<WriteWord>,
    pub(crate) control: Memory<WriteWord>,
    /// A descriptor of the control file, of the publisher's own: locks belong to the descriptor that took them.
    pub(crate) control_file: OwnedFd,
    pub(crate) layout: Layout,
    pub(crate) server: Server,
}

/// Makes a sealed ring of this geometry and serves it at `path`.
pub(crate) fn create(
    path: &Path,
    name: &str,
    door: &Door,
    access: Access,
    geometry: &Geometry,
    asked: Asked,
) -> Result<Sealed, CreateError> {
    let mut place = Place::take(path)?;
    // A capacity that no segment can have was refused before; what overflows has no room either.
    let bytes = geometry.bytes().unwrap_or(usize::MAX);
    check_room(path, (bytes as u64).saturating_add(control::BYTES as u64))?;

    let (control, words) =
        make(path, &format!("feed-ring {name} control"), control::BYTES, CONTROL_SEALS, 0o600, asked)?;
    let nonce = nonce();
    fill_control(&words, nonce);
    // Read-only for its own user, too. The seals are what counts; this refuses a mistake sooner.
    let (segment, memory) = make(path, &format!("feed-ring {name} segment"), bytes, SEGMENT_SEALS, 0o400, asked)?;
    let layout = fill_segment(&memory, geometry, nonce, 0);
    let (live, alive) = pipe_with(PipeFlags::CLOEXEC).map_err(failed(path, "make a pipe for"))?;

    let listener = place.listen(access, control_mode(access.mode))?;
    let control_file = reopen(&control, fs::OFlags::RDWR).map_err(failed(path, "reopen the control file of"))?;
    let offer = Offer::new(segment, control, live, door.clone());
    let server = Server::start(place, listener, offer, alive)?;
    Ok(Sealed { memory, control: words, control_file, layout, server })
}

/// A memory file of so many bytes, reserved, mapped for writing, then sealed.
fn make(
    path: &Path,
    name: &str,
    bytes: usize,
    seals: SealFlags,
    mode: u32,
    asked: Asked,
) -> Result<(OwnedFd, Memory<WriteWord>), CreateError> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = match fs::memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL) {
        Err(Errno::INVAL) => fs::memfd_create(name, flags), // before Linux 6.3
        file => file,
    };
    let file = file.map_err(failed(path, "make a memory file for"))?;
    fs::ftruncate(&file, bytes as u64).map_err(failed(path, "set the size of a memory file for"))?;
    let io = |doing| move |source| CreateError::Io { doing, path: path.to_owned(), source };
    let placed = |source| CreateError::Placement { path: path.to_owned(), source };
    // Where its memory comes from is settled before any is taken.
    let memory = Memory::map_writable_on(&file, bytes, asked.boundary(bytes)).map_err(io("map a memory file for"))?;
    asked.before_first_touch(&memory).map_err(placed)?;
    directory::reserve(&file, bytes).map_err(|errno| match errno {
        Errno::NOSPC | Errno::NOMEM => {
            let free = room::available().unwrap_or(0);
            CreateError::NoMemory { path: path.to_owned(), needed: bytes as u64, free }
        }
        errno => failed(path, "reserve memory for")(errno),
    })?;
    memory.prefault(Advice::PopulateWrite).map_err(io("prefault a memory file for"))?;
    asked.once_touched(&memory).map_err(placed)?;
    fs::fcntl_add_seals(&file, seals).map_err(failed(path, "seal (Linux 5.1 or later is needed)"))?;
    fs::fchmod(&file, Mode::from_raw_mode(mode)).map_err(failed(path, "set the mode of a memory file for"))?;
    Ok((file, memory))
}

/// Another open file description of the same file: of its own access, flags and locks.
pub(crate) fn reopen(file: &OwnedFd, access: fs::OFlags) -> Result<OwnedFd, Errno> {
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    fs::open(path, access | fs::OFlags::CLOEXEC | fs::OFlags::NONBLOCK, Mode::empty())
}

pub(super) fn failed(path: &Path, doing: &'static str) -> impl Fn(Errno) -> CreateError {
    move |errno| CreateError::Io { doing, path: path.to_owned(), source: errno.into() }
}

/// Memory files are bounded by no file system, so the machine's memory and the cgroup's are what there is.
fn check_room(path: &Path, needed: u64) -> Result<(), CreateError> {
    let path = path.to_owned();
    match (room::available(), room::cgroup_headroom()) {
        (Some(free), _) if free < needed => Err(CreateError::NoMemory { path, needed, free }),
        (_, Some((cgroup, free))) if free < needed => Err(CreateError::MemoryLimit { path, needed, free, cgroup }),
        _ => Ok(()),
    }
}
