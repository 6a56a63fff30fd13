//! Removing the ring of a dead publisher, and nothing else.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, OFlags};

use crate::format::layout::{MAGIC, state, word};
use crate::format::name::{self, NameError};
use crate::memory::Memory;
use crate::presence::liveness::Liveness;
use crate::presence::{entries, lock};
use crate::sync::{Word, WriteWord};
use crate::transport::files::{Directory, Fault, Trust, What, file};

/// Why a ring was kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Kept {
    /// The name is not one that a ring can have.
    #[error(transparent)]
    Name(#[from] NameError),
    /// There is no ring of this name, or it was removed meanwhile.
    #[error("{}: no such ring", path.display())]
    NotFound {
        /// The ring's directory.
        path: PathBuf,
    },
    /// The directory is not a ring. No publisher holds a lock or a FIFO in it.
    #[error("{}: not a ring: {found}: remove it by hand if it is yours", path.display())]
    NotARing {
        /// The file or directory in question.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// The directory holds a file that is no ring's.
    #[error("{}: it holds {file}, which is no ring's: move that away, then clean again", path.display())]
    Foreign {
        /// The ring's directory.
        path: PathBuf,
        /// The file's name.
        file: String,
    },
    /// The lock was removed, so nobody can tell whether somebody publishes. Whoever removes such a ring by hand must know
    /// that nobody does.
    #[error(
        "{}: it has no lock, so nobody can tell whether somebody publishes: see who has it open (fuser -v {}/*); remove \
         it by hand if nobody has", path.display(), path.display()
    )]
    NoLock {
        /// The ring's directory.
        path: PathBuf,
    },
    /// Whenever it was looked at, it had just been made or removed.
    #[error("{}: it is made and removed again and again: look again", path.display())]
    Changing {
        /// The ring's directory.
        path: PathBuf,
    },
    /// The ring belongs to another user. Only its owner can ask whether anybody publishes.
    #[error("{}: owned by uid {found}, this program is uid {expected}: run as its owner or as root", path.display())]
    Owner {
        /// The ring's directory.
        path: PathBuf,
        /// Its owner.
        found: u32,
        /// This program's effective uid.
        expected: u32,
    },
    /// A publisher holds the ring's lock, or its FIFO.
    #[error("{}: its publisher is alive (it holds {holds}): stop it first", path.display())]
    Alive {
        /// The ring's directory.
        path: PathBuf,
        /// The file that is held.
        holds: &'static str,
    },
    /// Subscribers are attached. They wait for a new publisher to take the ring over, and would not learn that it was
    /// removed.
    #[error("{}: subscribers are attached to it ({count}): stop them, or restart its publisher", path.display())]
    Attached {
        /// The ring's directory.
        path: PathBuf,
        /// How many subscribers.
        count: usize,
    },
    /// Its publisher closed it and was told to keep it.
    #[error("{}: its publisher closed and kept it", path.display())]
    Closed {
        /// The ring's directory.
        path: PathBuf,
    },
    /// A system call failed.
    #[error("{}: cannot {doing}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file it was done to.
        path: PathBuf,
        /// What the kernel said.
        source: io::Error,
    },
}

impl From<Fault> for Kept {
    fn from(Fault { path, what }: Fault) -> Self {
        match what {
            What::Missing => Kept::NotFound { path },
            What::Kind { found, expected } => Kept::NotARing { path, found: format!("{found}, {expected} expected") },
            What::Owner { found, expected } => Kept::Owner { path, found, expected },
            What::Denied => Kept::Io { doing: "open", path, source: io::ErrorKind::PermissionDenied.into() },
            What::Io { doing, source } => Kept::Io { doing, path, source: source.into() },
        }
    }
}

/// Options of [`remove_dead`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removal {
    /// Only check whether the ring would be removed. Takes no lock.
    pub dry_run: bool,
    /// Also remove a ring that its publisher closed and kept.
    pub closed: bool,
}

/// Removes the ring `name` from `root` if it is certainly dead. Returns how many bytes of memory that frees.
///
/// A ring is dead if its publisher ended, in whatever way, and no subscriber is attached. The remains of a publisher
/// that was killed while it made a ring count as dead too. The ring's lock tells that nobody publishes. It is held
/// until all is removed, so no publisher can begin meanwhile; a publisher that tries at that moment finds the name
/// taken.
///
/// A **closed** ring that is still there was kept on purpose: otherwise its publisher would have removed it. (A
/// publisher that was killed between closing and removing its ring leaves the same files.) Such a ring stays, unless
/// [`Removal::closed`] is set.
///
/// # Errors
/// [`Kept`], with the reason. The ring is then unchanged.
pub fn remove_dead(root: impl AsRef<Path>, name: &str, removal: Removal) -> Result<u64, Kept> {
    name::check(name)?;
    let root = Directory::root(root.as_ref())?;
    for _ in 0..LOOKS {
        if let Some(bytes) = remove_once(&root, name, removal)? {
            return Ok(bytes);
        }
    }
    Err(Kept::Changing { path: root.path.join(format!("{name}.ring")) })
}

/// How often a ring is looked at that changes during each look. Each of these takes the whole life of a publisher.
const LOOKS: u32 = 16;

/// One look. `None` if a publisher began or ended meanwhile, or another process removed the ring.
fn remove_once(root: &Directory, name: &str, removal: Removal) -> Result<Option<u64>, Kept> {
    let ring = match root.ring(name, Trust::Anybody) {
        Err(Fault { path, what: What::Denied }) => return Err(denied(path)),
        ring => ring?,
    };
    let alive = |holds| Kept::Alive { path: ring.path.clone(), holds };
    // Root may ask about every user's ring.
    let (owner, own) = (ring.stat()?.st_uid, rustix::process::geteuid());
    if owner != own.as_raw() && !own.is_root() {
        return Err(Kept::Owner { path: ring.path.clone(), found: owner, expected: own.as_raw() });
    }
    let Some(files) = list(&ring)? else { return Ok(None) };
    // A publisher that was killed before it had a lock left the directory empty. A live publisher that is just making
    // its ring makes the directory again.
    if files.is_empty() {
        if !root.is_ring(name, &ring)? {
            return Ok(None);
        }
        if !removal.dry_run {
            root.remove_ring(name, &ring)?;
            // Only an empty directory is removed, so a publisher that was quicker keeps its ring.
            if root.is_ring(name, &ring)? {
                return Ok(None);
            }
        }
        return Ok(Some(0));
    }
    // Before anything that a user is advised to remove or move by hand.
    if let Some(holds) = held_by_publisher(&ring)? {
        return Err(alive(holds));
    }
    if let Some(foreign) = files.keys().find(|found| !file::ALL.iter().any(|known| found.as_os_str() == *known)) {
        return Err(Kept::Foreign { path: ring.path.clone(), file: foreign.display().to_string() });
    }
    let segment = open_segment(&ring)?;
    let held = match ring.open(file::LOCK, OFlags::RDWR, FileType::RegularFile, Trust::Anybody) {
        Err(Fault { what: What::Missing, .. }) => {
            // A publisher makes its lock before every other file, and removes it after every other. So the same files, seen
            // before and after it was missing, belong to no publisher that is just beginning or ending.
            if list(&ring)?.is_none_or(|now| now != files) {
                return Ok(None);
            }
            return Err(match attached(&ring)? {
                0 => Kept::NoLock { path: ring.path.clone() },
                count => Kept::Attached { path: ring.path.clone(), count },
            });
        }
        held => held?,
    };
    let free = match removal.dry_run {
        true => lock::is_free(&held.0),
        false => lock::try_lock(&held.0),
    };
    if !free.map_err(|source| io_error("lock", &ring.path.join(file::LOCK), source))? {
        return Err(alive(LOCK_HELD));
    }
    // A publisher that closed meanwhile has removed this lock file.
    if !ring.holds(file::LOCK, &held.1)? || !root.is_ring(name, &ring)? {
        return Ok(None);
    }
    if is_fifo_held(&ring)? {
        return Err(alive(FIFO_HELD));
    }
    match attached(&ring)? {
        0 => {}
        count => return Err(Kept::Attached { path: ring.path.clone(), count }),
    }
    // Read under the lock, so this is the state that the last publisher left.
    if !removal.closed && is_closed(&ring, segment.as_ref())? {
        return Err(Kept::Closed { path: ring.path.clone() });
    }
    let bytes = [file::SEGMENT, file::CONTROL].iter().filter_map(|name| size(&ring, name)).sum();
    if !removal.dry_run {
        if let Some(segment) = segment {
            supersede(&ring, &segment)?;
        }
        ring.remove_files()?;
        root.remove_ring(name, &ring)?;
    }
    Ok(Some(bytes))
}

/// The directory's files: their names and inodes. `None` if the directory was removed.
fn list(ring: &Directory) -> Result<Option<BTreeMap<OsString, u64>>, Kept> {
    match ring.entries() {
        Err(Fault { what: What::Missing, .. }) => Ok(None),
        files => Ok(Some(files?)),
    }
}

const LOCK_HELD: &str = "the lock";
const FIFO_HELD: &str = "its FIFO, but not the lock";

/// What a live publisher holds in this directory. Takes no lock.
fn held_by_publisher(ring: &Directory) -> Result<Option<&'static str>, Kept> {
    match ring.open(file::LOCK, OFlags::RDWR, FileType::RegularFile, Trust::Anybody) {
        Err(Fault { what: What::Missing, .. }) => {}
        held => {
            let free = lock::is_free(held?.0);
            if !free.map_err(|source| io_error("ask for the lock", &ring.path.join(file::LOCK), source))? {
                return Ok(Some(LOCK_HELD));
            }
        }
    }
    Ok(is_fifo_held(ring)?.then_some(FIFO_HELD))
}

fn is_fifo_held(ring: &Directory) -> Result<bool, Kept> {
    match ring.open(file::LIVE, OFlags::RDONLY, FileType::Fifo, Trust::Anybody) {
        Err(Fault { what: What::Missing, .. }) => Ok(false),
        fifo => Ok(!Liveness::Fifo(fifo?.0).is_dead()),
    }
}

/// Why a ring's directory cannot be opened: another user owns it, or permission is missing.
fn denied(path: PathBuf) -> Kept {
    let expected = rustix::process::geteuid().as_raw();
    match rustix::fs::lstat(&path) {
        Ok(stat) if stat.st_uid != expected => Kept::Owner { path, found: stat.st_uid, expected },
        _ => Kept::Io { doing: "open", path, source: io::ErrorKind::PermissionDenied.into() },
    }
}

/// Opens the segment, if there is one. It must be a ring's segment, of any version.
fn open_segment(ring: &Directory) -> Result<Option<OwnedFd>, Kept> {
    let path = ring.path.join(file::SEGMENT);
    let (segment, stat) = match ring.open(file::SEGMENT, OFlags::RDWR, FileType::RegularFile, Trust::Anybody) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        segment => segment?,
    };
    if stat.st_size < PREFIX_BYTES as i64 {
        return Err(Kept::NotARing { path, found: format!("a file of {} bytes", stat.st_size) });
    }
    // It is about to be written to. A hard link in somebody's directory may lead to a live ring's segment elsewhere.
    if stat.st_uid != ring.stat()?.st_uid {
        return Err(Kept::NotARing { path, found: format!("a file of uid {}", stat.st_uid) });
    }
    if stat.st_nlink > 1 {
        return Err(Kept::NotARing { path, found: format!("a file with {} names", stat.st_nlink) });
    }
    let words =
        Memory::<Word>::map_read_only(&segment, PREFIX_BYTES).map_err(|source| io_error("map", &path, source))?;
    match words[word::MAGIC].load() {
        MAGIC => Ok(Some(segment)),
        found => Err(Kept::NotARing { path, found: format!("a file that begins with {found:#018x}") }),
    }
}

/// Size in bytes of the part of a segment that is the same in every version.
const PREFIX_BYTES: usize = word::SLOTS_AT * 8;

/// Whether its publisher closed it. The state word is at the same place in every version.
fn is_closed(ring: &Directory, segment: Option<&OwnedFd>) -> Result<bool, Kept> {
    let Some(segment) = segment else { return Ok(false) };
    let words = Memory::<Word>::map_read_only(segment, PREFIX_BYTES)
        .map_err(|source| io_error("map", &ring.path.join(file::SEGMENT), source))?;
    Ok(words[word::STATE].load() == state::CLOSED)
}

/// Tells subscribers that attach at this moment that the ring will never be taken over. The caller holds the
/// publisher's lock.
fn supersede(ring: &Directory, segment: &OwnedFd) -> Result<(), Kept> {
    let words = Memory::<WriteWord>::map_writable(segment, PREFIX_BYTES)
        .map_err(|source| io_error("map", &ring.path.join(file::SEGMENT), source))?;
    if words[word::STATE].load() == state::LIVE {
        words[word::STATE].store(state::SUPERSEDED);
    }
    Ok(())
}

/// How many subscribers hold an entry.
fn attached(ring: &Directory) -> Result<usize, Kept> {
    let file = match ring.open(file::CONTROL, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody) {
        Err(Fault { what: What::Missing, .. }) => return Ok(0),
        file => file?.0,
    };
    entries::held(&file)
        .map(|held| held.len())
        .map_err(|source| io_error("ask for the locks of", &ring.path.join(file::CONTROL), source))
}

fn size(ring: &Directory, name: &str) -> Option<u64> {
    rustix::fs::lstat(ring.path.join(name)).ok().map(|stat| (stat.st_blocks as u64).saturating_mul(512))
}

fn io_error(doing: &'static str, path: &Path, source: io::Error) -> Kept {
    Kept::Io { doing, path: path.to_owned(), source }
}
