//! Making a ring on disk, or taking one over: the order of the steps, so that a ring appears whole, is reserved before it
//! is used, and has one publisher.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::files::{DiskHost, RingFiles};
use crate::error::CreateError;
use crate::format::layout::{Geometry, Layout, MAGIC, MAX_SEQUENCE, control, state, word};
use crate::memory::{CreatorPid, Memory, Pinned};
use crate::placement::PlacementRequest;
use crate::presence::lock::try_lock;
use crate::protocol::{takeover, view::View};
use crate::segment::header::Header;
use crate::segment::{check, fill, room};
use crate::sync::{Ordering, WriteWord, wake};
use crate::transport::files::{Access, Directory, Fault, Trust, What, file};
use crate::transport::host::Made;
use crate::transport::request::Request;

/// Attempts at a name that is taken and given up again at the same moment, before giving up.
const ATTEMPTS: u32 = 500;

/// A ring's files, open and mapped.
struct Files {
    memory: Memory<WriteWord>,
    control: Memory<WriteWord>,
    control_file: OwnedFd,
    /// The FIFO that says that the publisher lives.
    live: OwnedFd,
}

/// Takes over what an ended publisher left under the name, if it is of the same geometry, or makes a new ring. What was
/// there is superseded then.
pub(crate) fn make(root: &Path, request: &Request<'_>) -> Result<Made, CreateError> {
    let root = Directory::root(root)?;
    let (ring, lock) = take_name(&root, request.name)?;
    let files = RingFiles { root, ring, name: request.name.to_owned(), lock, creator: CreatorPid::this() };
    let old = Old::find(&files.ring, request.placement)?;
    if !request.fresh
        && let Some(old) = old.as_ref()
        && let Some((layout, next)) = old.same(request.geometry)
        && let Some(reused) = old.reuse(&files.ring, request)?
    {
        takeover::begin_epoch(&reused.memory, &layout, next);
        reused.memory[word::PUBLISHER_PID].store(u64::from(std::process::id()));
        return Ok(made(files, reused, layout, next, request.keep));
    }
    match make_new(&files.ring, request, old.as_ref()) {
        Ok((new, layout)) => Ok(made(files, new, layout, layout.base, request.keep)),
        Err(error) => {
            // What cannot be made leaves nothing behind; what was there before stays.
            if old.is_none() && !matches!(error, CreateError::NotARing { .. } | CreateError::Owner { .. }) {
                let _ = files.remove();
            }
            Err(error)
        }
    }
}

fn made(files: RingFiles, ring: Files, layout: Layout, next: u64, keep: bool) -> Made {
    let Files { memory, control, control_file, live } = ring;
    let sleepers = Pinned::new(&control, control::SLEEPERS);
    let host = DiskHost { files, keep, control: control_file, _live: live };
    Made { memory, layout, next, sleepers, host: Box::new(host) }
}

/// The ring's directory, made if need be, and its lock, which says that nobody else publishes under the name.
fn take_name(root: &Directory, name: &str) -> Result<(Directory, OwnedFd), CreateError> {
    for _ in 0..ATTEMPTS {
        root.make_ring(name)?;
        let ring = match root.ring(name, Trust::Own) {
            Err(Fault { what: What::Missing, .. }) => continue,
            ring => ring?,
        };
        let (lock, stat) = match ring.open(file::LOCK, OFlags::RDWR | OFlags::CREATE, FileType::RegularFile, Trust::Own)
        {
            Err(Fault { what: What::Missing, .. }) => continue, // the directory was removed
            lock => lock?,
        };
        Access::OWNER.apply(&lock, 0o600).map_err(|errno| ring.fault(file::LOCK, "set the mode of", errno))?;
        let taken = try_lock(&lock).map_err(|source| CreateError::Io {
            doing: "lock",
            path: ring.path.join(file::LOCK),
            source,
        })?;
        if !taken {
            return Err(CreateError::AlreadyPublished { path: ring.path });
        }
        // A publisher that closes removes the lock while it holds it: what was waited for may be gone by now.
        if ring.holds(file::LOCK, &stat)? && root.is_ring(name, &ring)? {
            return Ok((ring, lock));
        }
    }
    Err(root.fault(name, "take the name, which is made and removed again and again", Errno::AGAIN).into())
}

/// The segment that an ended publisher left.
struct Old {
    file: OwnedFd,
    /// All of it, or only the prefix if it is no segment of this version.
    memory: Memory<WriteWord>,
    header: Option<Header>,
    /// The next sequence, if it can be told.
    next: Option<u64>,
}

impl Old {
    fn find(ring: &Directory, placement: PlacementRequest) -> Result<Option<Self>, CreateError> {
        let (file, stat) = match ring.open(file::SEGMENT, OFlags::RDWR, FileType::RegularFile, Trust::Own) {
            Err(Fault { what: What::Missing, .. }) => return Ok(None),
            old => old?,
        };
        let path = ring.path.join(file::SEGMENT);
        let not_a_ring = |found: String| CreateError::NotARing {
            path: ring.path.join(file::SEGMENT),
            found,
            expected: "the segment of a ring",
        };
        let prefix = word::SLOTS_AT * 8;
        let bytes = usize::try_from(stat.st_size).unwrap_or(0);
        if bytes < prefix {
            return Err(not_a_ring(format!("a file of {bytes} bytes")));
        }
        let whole = bytes >= word::SCHEMA * 8 && bytes.is_multiple_of(8);
        let bytes = if whole { bytes } else { prefix };
        let memory = Memory::map_writable_on(&file, bytes, placement.boundary(bytes))
            .map_err(|source| CreateError::Io { doing: "map", path: path.clone(), source })?;
        if memory[word::MAGIC].load() != MAGIC {
            return Err(not_a_ring(format!("a file that begins with {:#018x}", memory[word::MAGIC].load())));
        }
        let header = if whole { Header::read(&memory.reader(), &path).ok() } else { None };
        let next = match &header {
            Some(header) => takeover::next_sequence(&View::new(&memory.reader(), header.layout())),
            // Another version's, or damaged: its count is the best there is. The publisher may have died between a message
            // and the count, so one number more may have been seen.
            None if whole => memory[word::PUBLISHED].load().checked_add(1).filter(|&next| next < MAX_SEQUENCE),
            None => None,
        };
        Ok(Some(Old { file, memory, header, next }))
    }

    /// Where its words are and where to go on, if a publisher of this geometry may take it over.
    fn same(&self, geometry: &Geometry) -> Option<(Layout, u64)> {
        let header = self.header.as_ref().filter(|header| header.geometry == *geometry)?;
        if self.memory[word::STATE].load() == state::SUPERSEDED {
            return None;
        }
        Some((header.layout(), self.next?))
    }

    /// Its files, opened for this publisher; `None` if its control file does not belong to it.
    fn reuse(&self, ring: &Directory, request: &Request<'_>) -> Result<Option<Files>, CreateError> {
        let (control, stat) = match ring.open(file::CONTROL, OFlags::RDWR, FileType::RegularFile, Trust::Own) {
            Err(Fault { what: What::Missing, .. }) => return Ok(None),
            control => control?,
        };
        let path = |name: &str| ring.path.join(name);
        let nonce = self.memory[word::NONCE].load();
        let words = check::control(&control, &stat, nonce).map_err(|source| CreateError::Io {
            doing: "map",
            path: path(file::CONTROL),
            source,
        })?;
        let Some(words) = words else { return Ok(None) };
        // Whoever may write to the file may have punched holes into it.
        let bytes = size_of_val(&*self.memory);
        let reserve = || ring.reserve(&self.file, bytes);
        fill::memory_of(&self.memory, request.placement, &path(file::SEGMENT), reserve)?;
        let placed = |source| CreateError::Placement { path: path(file::CONTROL), source };
        request.placement.once_touched(&words).map_err(placed)?;
        let mode = request.access.mode;
        let live = open_live(ring, request.access)?;
        for (name, file, mode) in
            [(file::CONTROL, &control, fill::control_mode(mode)), (file::SEGMENT, &self.file, mode)]
        {
            request.access.apply(file, mode).map_err(|errno| ring.fault(name, "set the mode of", errno))?;
        }
        ring.admit(request.access)?;
        Ok(Some(Files { memory: self.memory.clone(), control: words, control_file: control, live }))
    }
}

/// The FIFO, made if need be, and held open for as long as the publisher lives.
fn open_live(ring: &Directory, access: Access) -> Result<OwnedFd, CreateError> {
    ring.make_fifo(file::LIVE)?;
    let (live, _) = ring.open(file::LIVE, OFlags::RDWR, FileType::Fifo, Trust::Own)?;
    access
        .apply(&live, 0o600 | access.mode & 0o044)
        .map_err(|errno| ring.fault(file::LIVE, "set the mode of", errno))?;
    Ok(live)
}

/// Makes all of a new ring's files. The segment comes last, and appears whole.
fn make_new(ring: &Directory, request: &Request<'_>, old: Option<&Old>) -> Result<(Files, Layout), CreateError> {
    let Request { access, geometry, .. } = *request;
    // A capacity that no segment can have was refused before; what overflows has no room either.
    let bytes = geometry.bytes().unwrap_or(usize::MAX);
    check_room(ring, (bytes as u64).saturating_add(control::BYTES as u64))?;
    let nonce = fill::nonce();
    // Numbers that a subscriber of the old ring may have seen are not used again.
    let base = old.and_then(|old| old.next).unwrap_or(0);
    ring.admit(access)?;
    let live = open_live(ring, access)?;

    let (control, words) = new_file(ring, file::CONTROL, request, fill::control_mode(access.mode), control::BYTES)?;
    fill::control(&words, nonce);
    let (segment, memory) = new_file(ring, file::SEGMENT, request, access.mode, bytes)?;
    let layout = fill::segment(&memory, geometry, nonce, base);

    // All that may fail comes before the old ring's end; after it only names change.
    ring.prepare(&control, file::CONTROL)?;
    ring.prepare(&segment, file::SEGMENT)?;
    // The old ring ends before the new one is there: whoever is sent to look for it waits until it is.
    if let Some(old) = old {
        // C3. Pairs with E1, as C1 does: the old publisher's stores came before this process took its lock.
        old.memory[word::STATE].store_ordered("C3", Ordering::Release, state::SUPERSEDED);
        // W4. Pairs with B1, as W2 does.
        old.memory[word::EVENT].store_ordered(
            "W4",
            Ordering::Release,
            old.memory[word::EVENT].load().wrapping_add(1) & u64::from(u32::MAX),
        );
        wake(&old.memory[word::EVENT]);
    }
    ring.place(file::CONTROL)?;
    ring.place(file::SEGMENT)?;
    Ok((Files { memory, control: words, control_file: control, live }, layout))
}

/// A file without a name, of its final mode, in memory and mapped.
fn new_file(
    ring: &Directory,
    name: &'static str,
    request: &Request<'_>,
    mode: u32,
    bytes: usize,
) -> Result<(OwnedFd, Memory<WriteWord>), CreateError> {
    let file = ring.make_nameless()?;
    let memory = fill::file(&file, bytes, request.placement, &ring.path.join(name), || ring.reserve(&file, bytes))?;
    request.access.apply(&file, mode).map_err(|errno| ring.fault(name, "set the mode of", errno))?;
    Ok((file, memory))
}

fn check_room(ring: &Directory, needed: u64) -> Result<(), CreateError> {
    let too_little = |free| CreateError::NoRoom { path: ring.path.clone(), needed, free };
    room::check(&ring.path, needed, Some(ring.free_bytes()?), || Ok(ring.is_memory()?), too_little)
}
