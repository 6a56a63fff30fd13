//! Makes a sealed ring: two memory files, sealed once the publisher has mapped them, a pipe, and a socket.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};

use super::memory_file::{self, CONTROL_SEALS, SEGMENT_SEALS, failed, reopen};
use super::server::{Offer, Server};
use super::socket::SocketFile;
use crate::error::{CloseError, CreateError};
use crate::format::layout::control;
use crate::memory::Pinned;
use crate::presence::entries;
use crate::protocol::takeover::Next;
use crate::segment::{fill, room};
use crate::transport::files::has_proc;
use crate::transport::host::{Host, Made};
use crate::transport::request::Request;

/// Makes a sealed ring and serves it at `path`.
pub(crate) fn make(path: &Path, request: &Request<'_>) -> Result<Made, CreateError> {
    let Request { name, access, geometry, placement, sealed, .. } = *request;
    // Looked at first, so that nothing has to be removed again.
    if !has_proc() {
        return Err(CreateError::NoProc { path: path.to_owned() });
    }
    let mut socket = SocketFile::take(path)?;
    // Impossible capacities were refused before. A size that overflows fails the check for room.
    let bytes = geometry.bytes().unwrap_or(usize::MAX);
    let needed = (bytes as u64).saturating_add(control::BYTES as u64);
    // No file system bounds memory files, only the machine's memory and the cgroup's limit.
    let too_little = |free| CreateError::NoMemory { path: path.to_owned(), needed, free };
    room::check(path, needed, room::available(), || Ok(true), too_little)?;

    let control_name = format!("feed-ring {name} control");
    let (control, words) = memory_file::make(path, &control_name, control::BYTES, CONTROL_SEALS, 0o600, placement)?;
    let nonce = fill::nonce();
    fill::control(&words, nonce);
    // Read-only even for the publisher's user. The seals already prevent writing; the mode refuses a mistake earlier.
    let segment_name = format!("feed-ring {name} segment");
    let (segment, memory) = memory_file::make(path, &segment_name, bytes, SEGMENT_SEALS, 0o400, placement)?;
    let layout = fill::segment(&memory, geometry, nonce, request.base.unwrap_or(0), request.epoch);
    let (live, alive) = pipe_with(PipeFlags::CLOEXEC).map_err(failed(path, "make a pipe for (pipe2)"))?;

    let listener = socket.listen(access, fill::control_mode(access.mode))?;
    let counted =
        reopen(&control, OFlags::RDWR).map_err(failed(path, "reopen the control file of (open through /proc)"))?;
    let offer = Offer::new(segment, control, live, sealed.clone());
    let server = Server::start(socket, listener, offer, alive)?;
    let sleepers = Pinned::new(&words, control::SLEEPERS);
    let host = Box::new(SealedHost { server, control: counted });
    Ok(Made { memory, layout, next: Next::of_new(&layout), sleepers, host })
}

/// A publisher's resources of a sealed ring.
struct SealedHost {
    server: Server,
    /// The control file, to count the subscribers' entries. Opened separately from the clients' descriptors, because a
    /// query does not report locks of the same open file description.
    control: OwnedFd,
}

impl Host for SealedHost {
    fn path(&self) -> Option<&Path> {
        Some(self.server.path())
    }

    fn is_inherited(&self) -> bool {
        !self.server.is_own()
    }

    fn subscribers(&self) -> io::Result<usize> {
        entries::held(&self.control).map(|held| held.len())
    }

    fn end(&mut self) -> Result<(), CloseError> {
        self.server.end()
    }
}
