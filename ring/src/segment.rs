//! Making a ring on disk, or taking one over: the order of the steps, so that a ring appears whole, is reserved before it
//! is used, and has one publisher.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use memmap2::Advice;
use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::directory::{Access, Directory, Fault, Trust, What, file};
use crate::error::{CloseError, CreateError};
use crate::header::Header;
use crate::layout::{ABI, CONTROL_MAGIC, Geometry, Layout, MAGIC, MAX_SEQUENCE, control, state, word};
use crate::memory::Memory;
use crate::placement::Asked;
use crate::presence::{Maker, try_lock, unlock};
use crate::sync::{Ordering, WriteWord, wake};
use crate::{room, takeover};

/// Attempts at a name that is taken and given up again at the same moment, before giving up.
const ATTEMPTS: u32 = 500;

/// What a publisher asks for.
pub(crate) struct Request<'a> {
    pub(crate) root: &'a Path,
    pub(crate) name: &'a str,
    pub(crate) access: Access,
    /// Not to go on with a ring that is there, even if that is possible.
    pub(crate) fresh: bool,
    pub(crate) geometry: &'a Geometry,
    pub(crate) asked: Asked,
}

/// A publisher's hold on its ring's files.
pub(crate) struct Home {
    root: Directory,
    ring: Directory,
    name: String,
    lock: OwnedFd,
    maker: Maker,
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.maker.is_this() {
            return; // the lock is the parent's
        }
        // Closing it does that, too, but a forked child that has not yet become another program has it open as well.
        unlock(&self.lock);
    }
}

/// A ring just made or taken over.
pub(crate) struct Made {
    pub(crate) home: Home,
    pub(crate) files: Files,
    pub(crate) layout: Layout,
    /// The sequence of the next message.
    pub(crate) next: u64,
}

/// A ring's files, open and mapped.
pub(crate) struct Files {
    pub(crate) memory: Memory<WriteWord>,
    pub(crate) control: Memory<WriteWord>,
    pub(crate) control_file: OwnedFd,
    /// The FIFO that says that the publisher lives.
    pub(crate) live: OwnedFd,
}

/// Takes over what an ended publisher left under the name, if it is of the same geometry, or makes a new ring; what was
/// there is superseded then.
pub(crate) fn create(request: &Request<'_>) -> Result<Made, CreateError> {
    let root = Directory::root(request.root)?;
    let (ring, lock) = take_name(&root, request.name)?;
    let home = Home { root, ring, name: request.name.to_owned(), lock, maker: Maker::this() };
    let old = Old::find(&home.ring, request.asked)?;
    if !request.fresh
        && let Some(old) = old.as_ref()
        && let Some((layout, next)) = old.same(request.geometry)
        && let Some(files) = old.reuse(&home.ring, request)?
    {
        takeover::begin_epoch(&files.memory, &layout, request.geometry.slot_size / 8, next);
        files.memory[word::PUBLISHER_PID].store(u64::from(std::process::id()));
        return Ok(Made { home, files, layout, next });
    }
    match make_new(&home.ring, request, old.as_ref()) {
        Ok((files, layout)) => Ok(Made { home, files, layout, next: layout.base }),
        Err(error) => {
            // What cannot be made leaves nothing behind; what was there before stays.
            if old.is_none() && !matches!(error, CreateError::NotARing { .. } | CreateError::Owner { .. }) {
                let _ = home.remove();
            }
            Err(error)
        }
    }
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
    fn find(ring: &Directory, asked: Asked) -> Result<Option<Self>, CreateError> {
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
        let memory = Memory::map_writable_on(&file, bytes, asked.boundary(bytes))
            .map_err(|source| CreateError::Io { doing: "map", path: path.clone(), source })?;
        if memory[word::MAGIC].load() != MAGIC {
            return Err(not_a_ring(format!("a file that begins with {:#018x}", memory[word::MAGIC].load())));
        }
        let header = if whole { Header::read(&memory.reader(), &path).ok() } else { None };
        let next = match &header {
            Some(header) => takeover::next_sequence(&memory.reader(), &header.layout(), header.geometry.slot_size / 8),
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
        if stat.st_size != control::BYTES as i64 {
            return Ok(None);
        }
        let io = |doing, name: &str| {
            let path = ring.path.join(name);
            move |source| CreateError::Io { doing, path, source }
        };
        let words = Memory::map_writable(&control, control::BYTES).map_err(io("map", file::CONTROL))?;
        let nonce = self.memory[word::NONCE].load();
        if words[control::MAGIC].load() != CONTROL_MAGIC || words[control::NONCE].load() != nonce {
            return Ok(None);
        }
        let bytes = size_of_val(&*self.memory);
        let placed = |name: &str| {
            let path = ring.path.join(name);
            move |source| CreateError::Placement { path, source }
        };
        let asked = request.asked;
        asked.before_first_touch(&self.memory).map_err(placed(file::SEGMENT))?;
        // Whoever may write to the file may have punched holes into it.
        ring.reserve(&self.file, bytes)?;
        self.memory.prefault(Advice::PopulateWrite).map_err(io("prefault", file::SEGMENT))?;
        asked.once_touched(&self.memory).map_err(placed(file::SEGMENT))?;
        asked.once_touched(&words).map_err(placed(file::CONTROL))?;
        let mode = request.access.mode;
        let live = open_live(ring, request.access)?;
        for (name, file, mode) in [(file::CONTROL, &control, control_mode(mode)), (file::SEGMENT, &self.file, mode)] {
            request.access.apply(file, mode).map_err(|errno| ring.fault(name, "set the mode of", errno))?;
        }
        ring.admit(request.access)?;
        Ok(Some(Files { memory: self.memory.clone(), control: words, control_file: control, live }))
    }
}

/// Whoever may read the segment may write its line in `control`.
pub(crate) fn control_mode(mode: u32) -> u32 {
    mode | (mode & 0o044) >> 1
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
    let nonce = nonce();
    // Numbers that a subscriber of the old ring may have seen are not used again.
    let base = old.and_then(|old| old.next).unwrap_or(0);
    ring.admit(access)?;
    let live = open_live(ring, access)?;

    let (control, words) = make(ring, file::CONTROL, request, control_mode(access.mode), control::BYTES)?;
    fill_control(&words, nonce);
    let (segment, memory) = make(ring, file::SEGMENT, request, access.mode, bytes)?;
    let layout = fill_segment(&memory, geometry, nonce, base);

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

/// Writes what a new ring's control file says.
pub(crate) fn fill_control(words: &[WriteWord], nonce: u64) {
    for (index, value) in [
        (control::MAGIC, CONTROL_MAGIC),
        (control::ABI, ABI),
        (control::NONCE, nonce),
        (control::ENTRIES, control::COUNT as u64),
    ] {
        words[index].store(value);
    }
}

/// Writes a new ring's header and begins its first epoch, at sequence `base`.
pub(crate) fn fill_segment(words: &[WriteWord], geometry: &Geometry, nonce: u64, base: u64) -> Layout {
    let created = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64);
    geometry.write(words, nonce, base, created);
    words[word::PUBLISHER_PID].store(u64::from(std::process::id()));
    let layout = Layout::of_segment(geometry.slots_at / 8, geometry.capacity, base);
    takeover::begin_epoch(words, &layout, geometry.slot_size / 8, base);
    layout
}

/// A file without a name, of its final mode, in memory and mapped.
fn make(
    ring: &Directory,
    name: &'static str,
    request: &Request<'_>,
    mode: u32,
    bytes: usize,
) -> Result<(OwnedFd, Memory<WriteWord>), CreateError> {
    let Request { access, asked, .. } = *request;
    let io = |doing| move |source| CreateError::Io { doing, path: ring.path.join(name), source };
    let placed = |source| CreateError::Placement { path: ring.path.join(name), source };
    let file = ring.make_nameless()?;
    // Where its memory comes from is settled before any is taken.
    rustix::fs::ftruncate(&file, bytes as u64).map_err(|errno| ring.fault(name, "set the size of", errno))?;
    let memory = Memory::map_writable_on(&file, bytes, asked.boundary(bytes)).map_err(io("map"))?;
    asked.before_first_touch(&memory).map_err(placed)?;
    ring.reserve(&file, bytes)?;
    access.apply(&file, mode).map_err(|errno| ring.fault(name, "set the mode of", errno))?;
    memory.prefault(Advice::PopulateWrite).map_err(io("prefault"))?;
    asked.once_touched(&memory).map_err(placed)?;
    Ok((file, memory))
}

fn check_room(ring: &Directory, needed: u64) -> Result<(), CreateError> {
    let free = ring.free_bytes()?;
    if free < needed {
        return Err(CreateError::NoRoom { path: ring.path.clone(), needed, free });
    }
    match room::cgroup_headroom() {
        Some((cgroup, free)) if free < needed && ring.is_memory()? => {
            Err(CreateError::MemoryLimit { path: ring.path.clone(), needed, free, cgroup })
        }
        _ => Ok(()),
    }
}

/// A number that no other ring of this name had: it pairs a segment with its control file.
pub(crate) fn nonce() -> u64 {
    let mut bytes = [0; 8];
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::NONBLOCK) {
        Ok(8) => u64::from_ne_bytes(bytes),
        // Early at boot there is no randomness; the time is as good here, where nobody guesses.
        _ => SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |since| since.as_nanos() as u64),
    }
}

impl Home {
    /// Where the ring is.
    pub(crate) fn path(&self) -> &Path {
        &self.ring.path
    }

    /// Whether this process made it, and did not inherit it by a fork.
    pub(crate) fn is_own(&self) -> bool {
        self.maker.is_this()
    }

    /// Removes the ring's files and directory. Who has them open keeps them.
    pub(crate) fn remove(&self) -> Result<(), CloseError> {
        let remove = || {
            let lock = rustix::fs::fstat(&self.lock).map_err(|errno| self.ring.fault(file::LOCK, "look at", errno))?;
            // Somebody removed the lock by hand: what is there by now may be another publisher's.
            if !self.ring.holds(file::LOCK, &lock)? {
                return Ok(());
            }
            self.ring.remove_files()?;
            self.root.remove_ring(&self.name, &self.ring)
        };
        remove().map_err(|fault: Fault| CloseError::from_fault(fault.path, fault.what))
    }
}

impl CloseError {
    pub(crate) fn from_fault(path: PathBuf, what: What) -> Self {
        let source = match what {
            What::Io { source, .. } => source,
            _ => Errno::IO,
        };
        CloseError { path, source: source.into() }
    }
}
