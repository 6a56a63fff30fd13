//! Makes a ring on disk or takes one over. The order of the steps ensures that the ring has one publisher, is reserved
//! before use, and appears whole.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, OFlags, Stat};
use rustix::io::Errno;

use super::files::{DiskHost, RingFiles};
use super::log;
use crate::error::CreateError;
use crate::format::layout::{Geometry, Layout, MAGIC, MAX_SEQUENCE, control, state, word};
use crate::memory::{CreatorPid, Memory, Pinned};
use crate::placement::PlacementRequest;
use crate::presence::lock::try_lock;
use crate::protocol::takeover::{self, Next};
use crate::segment::fill::{check_limit, not_mapped};
use crate::segment::header::Header;
use crate::segment::{check, fill, room};
use crate::sync::{Ordering, WriteWord, wake};
use crate::transport::files::{Access, Directory, Fault, Naming, Trust, What, file};
use crate::transport::host::Made;
use crate::transport::request::Request;

/// Attempts to lock a name whose directory or lock file is removed at the same moment.
const ATTEMPTS: u32 = 500;

/// A ring's files, open and mapped.
struct OpenFiles {
    memory: Memory<WriteWord>,
    control: Memory<WriteWord>,
    control_file: OwnedFd,
    /// The FIFO by which subscribers see that the publisher is alive.
    live: OwnedFd,
}

/// Takes over the ring that an ended publisher left under the name, if its geometry is the requested one. Otherwise
/// makes a new ring and marks the old one superseded.
pub(crate) fn make(root: &Path, request: &Request<'_>) -> Result<Made, CreateError> {
    let root = Directory::root(root)?;
    let (ring, lock) = take_name(&root, request.name)?;
    let files = RingFiles { root, ring, name: request.name.to_owned(), lock, creator: CreatorPid::this() };
    match take_over_or_make(&files.ring, request) {
        Ok((ring, layout, next)) => Ok(made(files, ring, layout, next, request.keep)),
        Err(error) => {
            let error = files.root.or_no_inodes(error);
            files.remove_failed(&error);
            Err(error)
        }
    }
}

/// Returns the ring's files, its layout and where its publisher begins.
fn take_over_or_make(ring: &Directory, request: &Request<'_>) -> Result<(OpenFiles, Layout, Next), CreateError> {
    let old = OldSegment::find(ring, request.placement)?;
    // What a killed publisher left takes room that this ring may need. The lock is held, so nobody else is preparing files.
    for name in [file::SEGMENT, file::CONTROL] {
        ring.remove_prepared(name)?;
    }
    if !request.fresh
        && let Some(old) = old.as_ref()
        && let Some((layout, next)) = old.resume_point(request.geometry)
        && let Some(reused) = old.reuse(ring, request)?
    {
        match request.epoch {
            None => takeover::begin_epoch(&reused.memory, &layout, next),
            Some(_) => takeover::go_on(&reused.memory, &layout, next),
        }
        reused.memory[word::PUBLISHER_PID].store(u64::from(std::process::id()));
        return Ok((reused, layout, next));
    }
    let (new, layout) = make_new(ring, request, old.as_ref())?;
    Ok((new, layout, Next::of_new(&layout)))
}

fn made(files: RingFiles, ring: OpenFiles, layout: Layout, next: Next, keep: bool) -> Made {
    let OpenFiles { memory, control, control_file, live } = ring;
    let sleepers = Pinned::new(&control, control::SLEEPERS);
    let host = DiskHost { files, keep, control: control_file, _live: live };
    Made { memory, layout, next, sleepers, host: Box::new(host) }
}

/// Opens the ring's directory, or makes it, and takes its lock. While the lock is held, nobody else can publish under
/// the name.
fn take_name(root: &Directory, name: &str) -> Result<(Directory, OwnedFd), CreateError> {
    root.check_locks()?;
    for _ in 0..ATTEMPTS {
        let made = root.make_ring(name).map_err(|fault| root.or_no_inodes(fault.into()))?;
        match lock_ring(root, name) {
            Ok(Some(taken)) => return Ok(taken),
            Ok(None) => {}
            Err(error) => {
                // Before anything is removed: removing frees inodes.
                let error = root.or_no_inodes(error);
                if made {
                    root.unmake_ring(name);
                }
                return Err(error);
            }
        }
    }
    Err(root.fault(name, "take the name, which is made and removed again and again", Errno::AGAIN).into())
}

/// One attempt. `None` if the directory or the lock file was removed meanwhile.
fn lock_ring(root: &Directory, name: &str) -> Result<Option<(Directory, OwnedFd)>, CreateError> {
    let ring = match root.ring(name, Trust::Own) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        ring => ring?,
    };
    let (lock, stat) = match ring.open(file::LOCK, OFlags::RDWR | OFlags::CREATE, FileType::RegularFile, Trust::Own) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        lock => lock?,
    };
    Access::OWNER.apply(&lock, 0o600).map_err(|errno| ring.fault(file::LOCK, "set the mode of (chmod)", errno))?;
    let taken = try_lock(&lock).map_err(|source| CreateError::Io {
        doing: "lock (fcntl)",
        path: ring.path.join(file::LOCK),
        source,
    })?;
    if !taken {
        return Err(CreateError::AlreadyPublished { path: ring.path });
    }
    // A closing publisher removes the lock file while it holds it. A lock on a removed file excludes nobody.
    let holds = ring.holds(file::LOCK, &stat)? && root.is_ring(name, &ring)?;
    Ok(holds.then_some((ring, lock)))
}

/// The segment that an ended publisher left.
struct OldSegment {
    file: OwnedFd,
    /// The whole segment, or only the prefix if the file's size does not fit this version.
    memory: Memory<WriteWord>,
    header: Option<Header>,
    /// Where its next publisher begins, if its slots say so.
    next: Option<Next>,
    /// The first sequence of a ring that replaces it, if it can be told.
    base_after: Option<u64>,
}

impl OldSegment {
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
            .map_err(|source| not_mapped(source, bytes, &path))?;
        if memory[word::MAGIC].load() != MAGIC {
            return Err(not_a_ring(format!("a file that begins with {:#018x}", memory[word::MAGIC].load())));
        }
        let header = if whole { Header::read(&memory.reader(), &path).ok() } else { None };
        let next = header.as_ref().and_then(|header| takeover::next_sequence(&memory.reader(), &header.layout()));
        let base_after = match next {
            Some(next) => Some(next.sequence),
            // Of another version, or damaged: only its count is left. The publisher may have died after a message and
            // before its count, so a subscriber may have seen one message more. Hence the + 1.
            None if whole => memory[word::PUBLISHED].load().checked_add(1).filter(|&next| next < MAX_SEQUENCE),
            None => None,
        };
        Ok(Some(OldSegment { file, memory, header, next, base_after }))
    }

    /// The layout and the next sequence, if a publisher of this geometry can take the segment over.
    fn resume_point(&self, geometry: &Geometry) -> Option<(Layout, Next)> {
        let header = self.header.as_ref().filter(|header| header.geometry == *geometry)?;
        if self.memory[word::STATE].load() == state::SUPERSEDED {
            return None;
        }
        Some((header.layout(), self.next?))
    }

    /// Opens the old ring's files for this publisher. `None` if there is no control file.
    fn reuse(&self, ring: &Directory, request: &Request<'_>) -> Result<Option<OpenFiles>, CreateError> {
        let (control, stat) = match ring.open(file::CONTROL, OFlags::RDWR, FileType::RegularFile, Trust::Own) {
            Err(Fault { what: What::Missing, .. }) => return Ok(None),
            control => control?,
        };
        let path = |name: &str| ring.path.join(name);
        let words = mend_control(ring, &control, &stat, self.memory[word::NONCE].load())?;
        // Reserved again, because a process with write permission may have punched holes into the file.
        let bytes = size_of_val(&*self.memory);
        let reserve = || ring.reserve(&self.file, bytes);
        fill::reserve_and_touch(&self.memory, request.placement, &path(file::SEGMENT), reserve)?;
        let placed = |source| CreateError::Placement { path: path(file::CONTROL), source };
        request.placement.after_touch(&words).map_err(placed)?;
        let mode = request.access.mode;
        let live = open_live(ring, request.access)?;
        for (name, file, mode) in
            [(file::CONTROL, &control, fill::control_mode(mode)), (file::SEGMENT, &self.file, mode)]
        {
            request.access.apply(file, mode).map_err(|errno| ring.fault(name, "set the mode of (chmod)", errno))?;
        }
        ring.admit(request.access)?;
        Ok(Some(OpenFiles { memory: self.memory.clone(), control: words, control_file: control, live }))
    }
}

/// Maps the control file, and gives it back the size and the first line that it had. Every subscriber may have changed
/// both. Where somebody replaced the file alone, attached subscribers keep the old one: they are no longer counted, and asleep
/// they look for themselves.
fn mend_control(
    ring: &Directory,
    control: &OwnedFd,
    stat: &Stat,
    nonce: u64,
) -> Result<Memory<WriteWord>, CreateError> {
    if stat.st_size != control::BYTES as i64 {
        check_limit(control::BYTES, &ring.path.join(file::CONTROL))?;
        rustix::fs::ftruncate(control, control::BYTES as u64)
            .map_err(|errno| ring.fault(file::CONTROL, "set the size of (ftruncate)", errno))?;
    }
    ring.reserve(control, control::BYTES)?;
    let words = Memory::map_writable(control, control::BYTES)
        .map_err(|source| not_mapped(source, control::BYTES, &ring.path.join(file::CONTROL)))?;
    if let Some(found) = check::control_damage(&words.reader(), stat, nonce) {
        log::mended(&ring.path, &found);
        fill::control(&words, nonce);
    }
    Ok(words)
}

/// Opens the FIFO, or makes it. The publisher keeps it open while it lives.
fn open_live(ring: &Directory, access: Access) -> Result<OwnedFd, CreateError> {
    ring.make_fifo(file::LIVE)?;
    let (live, _) = ring.open(file::LIVE, OFlags::RDWR, FileType::Fifo, Trust::Own)?;
    access
        .apply(&live, 0o600 | access.mode & 0o044)
        .map_err(|errno| ring.fault(file::LIVE, "set the mode of (chmod)", errno))?;
    Ok(live)
}

/// Makes all files of a new ring. The segment is put in place last, whole.
fn make_new(
    ring: &Directory,
    request: &Request<'_>,
    old: Option<&OldSegment>,
) -> Result<(OpenFiles, Layout), CreateError> {
    let Request { access, geometry, .. } = *request;
    // Impossible capacities were refused before. A size that overflows fails the check for room.
    let bytes = geometry.bytes().unwrap_or(usize::MAX);
    check_room(ring, (bytes as u64).saturating_add(control::BYTES as u64))?;
    let nonce = fill::nonce();
    // The new ring begins after the old ring's sequences. Otherwise a subscriber of both could see a sequence twice.
    let base = request.base.or_else(|| old.and_then(|old| old.base_after)).unwrap_or(0);
    ring.admit(access)?;
    let live = open_live(ring, access)?;

    let naming = ring.naming()?;
    let new_file = |name, mode, bytes| new_file(ring, (name, naming), request, mode, bytes);
    let (control, words) = new_file(file::CONTROL, fill::control_mode(access.mode), control::BYTES)?;
    fill::control(&words, nonce);
    let (segment, memory) = new_file(file::SEGMENT, access.mode, bytes)?;
    let layout = fill::segment(&memory, geometry, nonce, base, request.epoch);

    // Every step that may fail comes before the old ring's end. After it there are only renames.
    ring.prepare(&control, file::CONTROL, naming)?;
    ring.prepare(&segment, file::SEGMENT, naming)?;
    // The old ring ends before the new one is in place. A subscriber that then looks for the new ring waits for it.
    if let Some(old) = old {
        // C3. Pairs with E1, as C1 does: the old publisher's stores came before this process took the lock.
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
    Ok((OpenFiles { memory, control: words, control_file: control, live }, layout))
}

/// Makes a file that is not in place yet, reserves and maps its memory, and sets its final mode.
fn new_file(
    ring: &Directory,
    (name, naming): (&'static str, Naming),
    request: &Request<'_>,
    mode: u32,
    bytes: usize,
) -> Result<(OwnedFd, Memory<WriteWord>), CreateError> {
    // Looked at here: a file without a name that was made before gives its inode back as the error is returned.
    let file = ring.make_file(name, naming).map_err(|fault| ring.or_no_inodes(fault.into()))?;
    let memory = fill::file(&file, bytes, request.placement, &ring.path.join(name), || ring.reserve(&file, bytes))?;
    request.access.apply(&file, mode).map_err(|errno| ring.fault(name, "set the mode of (chmod)", errno))?;
    Ok((file, memory))
}

fn check_room(ring: &Directory, needed: u64) -> Result<(), CreateError> {
    let too_little = |free| CreateError::NoRoom { path: ring.path.clone(), needed, free };
    // A filter of system calls may refuse the look. Reserving the memory fails then, and leaves nothing either.
    room::check(&ring.path, needed, ring.free_bytes().ok(), || Ok(ring.is_memory()?), too_little)
}
