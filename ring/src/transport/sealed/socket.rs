//! A socket's place in the file system: taken by one publisher at a time, replaced if its publisher is dead, gone when
//! its publisher ends.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::{CloseError, CreateError};
use crate::memory::CreatorPid;
use crate::presence::lock::try_lock;
use crate::transport::files::fault::kind_name;
use crate::transport::files::{Access, Directory, Fault, Trust, What};

/// Attempts at a place that is taken and given up again at the same moment.
const ATTEMPTS: u32 = 500;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// Held by the publisher that serves at a path.
pub(super) struct SocketFile {
    directory: Directory,
    name: String,
    pub(super) path: PathBuf,
    /// The socket, once it is there.
    socket: Option<Stat>,
    held: bool,
    creator: CreatorPid,
    // Held, not used: dropping it is what frees the place.
    _lock: OwnedFd,
}

/// A packet socket that never blocks.
pub(super) fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The address of an open file: short, however long its path is, and of the file itself, whatever has its name by now.
pub(super) fn address_of(file: &OwnedFd) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl SocketFile {
    /// Takes the place at `path`, unless a publisher has it or something else is there.
    pub(super) fn take(path: &Path) -> Result<Self, CreateError> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path must end in a name of UTF-8");
            return Err(CreateError::Io { doing: "serve at", path: path.to_owned(), source });
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = Directory::root(parent)?;
        let lock = lock(&directory, name, path)?;
        let (name, path) = (name.to_owned(), path.to_owned());
        let taken =
            SocketFile { directory, name, path, socket: None, held: true, creator: CreatorPid::this(), _lock: lock };
        taken.check_vacant()?;
        Ok(taken)
    }

    /// Whether nothing is there, or what a dead publisher left.
    fn check_vacant(&self) -> Result<(), CreateError> {
        let Some((file, stat)) = self.directory.look_at(&self.name)? else { return Ok(()) };
        let (path, found) = (self.path.clone(), FileType::from_raw_mode(stat.st_mode));
        if found != FileType::Socket {
            let found = kind_name(found).to_owned();
            return Err(CreateError::NotARing { path, found, expected: "a socket, or nothing" });
        }
        Trust::Own.check(&path, stat.st_uid)?;
        let probe = socket().and_then(|socket| net::connect(socket, &address_of(&file)?));
        match probe {
            Err(Errno::CONNREFUSED) => Ok(()),
            // It answers, has no time to, or is of another type: somebody listens.
            Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Err(CreateError::AlreadyPublished { path }),
            Err(errno) => Err(self.directory.fault(&self.name, "find out whether somebody serves", errno).into()),
        }
    }

    /// Makes the socket, of exactly this mode and group, listening, and only then puts it into place.
    pub(super) fn listen(&mut self, access: Access, mode: u32) -> Result<OwnedFd, CreateError> {
        let temporary = temporary(&self.name);
        let fault = |doing| {
            let path = self.path.clone();
            move |errno| CreateError::from(Fault { path, what: What::Io { doing, source: errno } })
        };
        let listener = socket().map_err(fault("make a socket for"))?;
        self.directory.remove(&temporary)?; // of a publisher that was killed on the way
        // What is bound gets the mode of the socket, less the umask: it is never open to more than its owner.
        fs::fchmod(&listener, Mode::RUSR | Mode::WUSR).map_err(fault("set the mode of"))?;
        let address = SocketAddrUnix::new(self.directory.short_path(&temporary)).map_err(fault("name"))?;
        net::bind(&listener, &address).map_err(fault("bind"))?;
        let Some((file, _)) = self.directory.look_at(&temporary)? else {
            return Err(fault("find what was bound:")(Errno::NOENT));
        };
        // A socket's file can be opened in no way that fchmod accepts.
        let through = format!("/proc/self/fd/{}", file.as_raw_fd());
        if let Some(group) = access.group {
            fs::chownat(fs::CWD, &*through, None, Some(fs::Gid::from_raw(group)), AtFlags::empty())
                .map_err(fault("set the group of"))?;
        }
        fs::chmod(&*through, Mode::from_raw_mode(mode)).map_err(fault("set the mode of"))?;
        net::listen(&listener, BACKLOG).map_err(fault("listen at"))?;
        self.directory.rename(&temporary, &self.name)?;
        self.socket = Some(fs::fstat(&file).map_err(fault("look at"))?);
        Ok(listener)
    }

    /// Whether this process took it, and did not inherit it by a fork.
    pub(super) fn is_own(&self) -> bool {
        self.creator.is_this()
    }

    /// Removes the socket, if it is still this publisher's, and the lock.
    pub(super) fn remove(&mut self) -> Result<(), CloseError> {
        // Afterwards what has these names may be another publisher's.
        if !std::mem::take(&mut self.held) || !self.is_own() {
            return Ok(());
        }
        let mut remove = || {
            if let Some(socket) = self.socket.take()
                && self.directory.holds(&self.name, &socket)?
            {
                self.directory.remove(&self.name)?;
            }
            self.directory.remove(&temporary(&self.name))?;
            // Last: while it is there and held, nobody else can begin.
            self.directory.remove(&lock_name(&self.name))
        };
        remove().map_err(|fault: Fault| fault.into())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = self.remove(); // nobody to tell
    }
}

fn temporary(name: &str) -> String {
    format!(".{name}.new")
}

fn lock_name(name: &str) -> String {
    format!("{name}.lock")
}

/// The lock beside the socket, which says that nobody else serves there.
fn lock(directory: &Directory, name: &str, path: &Path) -> Result<OwnedFd, CreateError> {
    let name = lock_name(name);
    for _ in 0..ATTEMPTS {
        let (lock, stat) = directory.open(&name, OFlags::RDWR | OFlags::CREATE, FileType::RegularFile, Trust::Own)?;
        Access::OWNER.apply(&lock, 0o600).map_err(|errno| directory.fault(&name, "set the mode of", errno))?;
        let taken = try_lock(&lock).map_err(|source| CreateError::Io {
            doing: "lock",
            path: directory.path.join(&name),
            source,
        })?;
        if !taken {
            return Err(CreateError::AlreadyPublished { path: path.to_owned() });
        }
        // A publisher that ends removes the lock while it holds it.
        if directory.holds(&name, &stat)? {
            return Ok(lock);
        }
    }
    Err(directory.fault(&name, "take the place, which is taken and given up again and again", Errno::AGAIN).into())
}
