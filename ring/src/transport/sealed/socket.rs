//! The socket's file. One publisher at a time holds its path. A dead publisher's socket is replaced, and a publisher
//! that ends removes its own.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use rustix::net::{self, AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::error::{CloseError, CreateError};
use crate::memory::CreatorPid;
use crate::presence::lock::try_lock;
use crate::transport::files::fault::kind_name;
use crate::transport::files::{Access, Directory, Fault, Trust, What, has_proc};

/// Attempts to lock a path whose lock file is removed at the same moment.
const ATTEMPTS: u32 = 500;

/// The number of connections that can wait to be accepted.
const BACKLOG: i32 = 128;

/// A publisher's hold on its socket's path.
pub(super) struct SocketFile {
    directory: Directory,
    name: String,
    pub(super) path: PathBuf,
    /// The stat of the socket's file, once it exists.
    socket: Option<Stat>,
    /// Whether the socket has its temporary name: something failed before it was put in place.
    bound: bool,
    held: bool,
    creator: CreatorPid,
    /// Dropping it frees the path for other publishers.
    lock: OwnedFd,
}

/// Makes a non-blocking packet socket.
pub(super) fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
}

/// The address of an open socket file. It fits a socket address whatever the file's path, and names this file even if
/// another one has its path by now. Without /proc it is `path`, which must be short then. Trust does not depend on it: the
/// kernel tells who is at the other end.
pub(super) fn address_of(file: &OwnedFd, path: &Path) -> Result<SocketAddrUnix, Errno> {
    if has_proc() { SocketAddrUnix::new(path_of(file)) } else { SocketAddrUnix::new(path) }
}

impl SocketFile {
    /// Takes `path`. An error if a publisher holds it or a file other than a dead publisher's socket is there.
    pub(super) fn take(path: &Path) -> Result<Self, CreateError> {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidInput, "the path must end in a name of UTF-8");
            return Err(CreateError::Io { doing: "serve at", path: path.to_owned(), source });
        };
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let directory = Directory::root(parent)?;
        let lock = lock(&directory, name, path).map_err(|error| directory.or_no_inodes(error))?;
        let (name, path) = (name.to_owned(), path.to_owned());
        let taken = SocketFile {
            directory,
            name,
            path,
            socket: None,
            bound: false,
            held: true,
            creator: CreatorPid::this(),
            lock,
        };
        taken.check_vacant()?;
        Ok(taken)
    }

    /// Checks that the path is free, or that a dead publisher's socket is there.
    fn check_vacant(&self) -> Result<(), CreateError> {
        self.check_dead(&self.name, self.path.clone()).map(|_| ())
    }

    /// Removes the socket of a publisher that was killed before it renamed it, and nothing else.
    fn remove_leftover(&self, name: &str) -> Result<(), CreateError> {
        self.make_connectable(name)?;
        if self.check_dead(name, self.directory.path.join(name))? {
            self.directory.remove(name)?;
        }
        Ok(())
    }

    /// Lets this user connect to a socket of its own, if one has this name. A publisher that was killed between bind and
    /// chmod left its socket with what the umask left of the mode, and nobody could find out whether it is dead.
    fn make_connectable(&self, name: &str) -> Result<(), CreateError> {
        let Some((file, stat)) = self.directory.look_at(name)? else { return Ok(()) };
        let socket = FileType::from_raw_mode(stat.st_mode) == FileType::Socket;
        if socket && stat.st_mode & 0o200 == 0 && Trust::Own.check(&self.path, stat.st_uid).is_ok() {
            fs::chmod(path_of(&file), Mode::RUSR | Mode::WUSR)
                .map_err(|errno| self.directory.fault(name, "set the mode of (chmod)", errno))?;
        }
        Ok(())
    }

    /// Checks that nothing of this name is there, or a socket of this user that nobody listens at. Returns whether the
    /// latter is. `path` is for the errors.
    fn check_dead(&self, name: &str, path: PathBuf) -> Result<bool, CreateError> {
        let Some((file, stat)) = self.directory.look_at(name)? else { return Ok(false) };
        let found = FileType::from_raw_mode(stat.st_mode);
        if found != FileType::Socket {
            let found = kind_name(found).to_owned();
            return Err(CreateError::NotARing { path, found, expected: "a socket, or nothing" });
        }
        Trust::Own.check(&path, stat.st_uid)?;
        let probe = socket().and_then(|socket| net::connect(socket, &address_of(&file, &path)?));
        match probe {
            Err(Errno::CONNREFUSED) => Ok(true),
            // Connected, queue full, or another socket type: in each case a process listens.
            Ok(()) | Err(Errno::AGAIN | Errno::PROTOTYPE) => Err(CreateError::AlreadyPublished { path }),
            Err(errno) => {
                Err(self.directory.fault(name, "find out whether somebody serves at (connect)", errno).into())
            }
        }
    }

    /// Makes a listening socket of exactly this mode and group, then puts it in place.
    pub(super) fn listen(&mut self, access: Access, mode: u32) -> Result<OwnedFd, CreateError> {
        let temporary = temporary(&self.name);
        let fault = |doing| {
            let path = self.path.clone();
            move |errno| CreateError::from(Fault { path, what: What::Io { doing, source: errno } })
        };
        let listener = socket().map_err(fault("make a socket for (socket)"))?;
        self.remove_leftover(&temporary)?;
        // bind gives the file the socket's mode, less the umask. With this mode only the owner can connect at first.
        fs::fchmod(&listener, Mode::RUSR | Mode::WUSR).map_err(fault("set the mode of (fchmod)"))?;
        let address = SocketAddrUnix::new(self.directory.short_path(&temporary)).map_err(fault("name"))?;
        net::bind(&listener, &address).map_err(|errno| self.directory.or_no_inodes(fault("bind")(errno)))?;
        self.bound = true;
        let Some((file, _)) = self.directory.look_at(&temporary)? else {
            return Err(fault("find what was bound:")(Errno::NOENT));
        };
        let path_of_fd = path_of(&file);
        if let Some(group) = access.group {
            fs::chownat(fs::CWD, &*path_of_fd, None, Some(fs::Gid::from_raw(group)), AtFlags::empty())
                .map_err(fault("set the group of (chown)"))?;
        }
        fs::chmod(&*path_of_fd, Mode::from_raw_mode(mode)).map_err(fault("set the mode of (chmod)"))?;
        net::listen(&listener, BACKLOG).map_err(fault("listen at (listen)"))?;
        self.directory.rename(&temporary, &self.name)?;
        self.bound = false;
        self.socket = Some(fs::fstat(&file).map_err(fault("look at"))?);
        Ok(listener)
    }

    /// Whether this process took the path. False in a forked child.
    pub(super) fn is_own(&self) -> bool {
        self.creator.is_this()
    }

    /// Removes the lock, and the socket if it is still this publisher's.
    pub(super) fn remove(&mut self) -> Result<(), CloseError> {
        // Only once: afterwards files of these names may belong to another publisher.
        if !std::mem::take(&mut self.held) || !self.is_own() {
            return Ok(());
        }
        let mut remove = || {
            if let Some(socket) = self.socket.take()
                && self.directory.holds(&self.name, &socket)?
            {
                self.directory.remove(&self.name)?;
            }
            if self.bound {
                self.directory.remove(&temporary(&self.name))?;
            }
            // If the lock was removed by hand, a file of its name may be another publisher's.
            let lock = fs::fstat(&self.lock)
                .map_err(|errno| self.directory.fault(&self.name, "look at the lock of", errno))?;
            // The lock last: while it exists and is held, no other publisher can begin.
            if self.directory.holds(&lock_name(&self.name), &lock)? {
                self.directory.remove(&lock_name(&self.name))?;
            }
            Ok(())
        };
        remove().map_err(|fault: Fault| fault.into())
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _ = self.remove(); // drop cannot return the error
    }
}

/// A path to an open file. A socket's file can only be opened with O_PATH, which fchmod refuses.
fn path_of(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn temporary(name: &str) -> String {
    format!(".{name}.new")
}

fn lock_name(name: &str) -> String {
    format!("{name}.lock")
}

/// Takes the lock file beside the socket. While it is held, nobody else can serve at `path`.
fn lock(directory: &Directory, name: &str, path: &Path) -> Result<OwnedFd, CreateError> {
    let name = lock_name(name);
    directory.check_locks()?;
    for _ in 0..ATTEMPTS {
        let (lock, stat) = directory.open(&name, OFlags::RDWR | OFlags::CREATE, FileType::RegularFile, Trust::Own)?;
        // It is removed at the end: a file that holds anything, or that others may open, is no lock of ours.
        let mode = stat.st_mode & 0o7777;
        if stat.st_size != 0 || mode & !0o600 != 0 {
            return Err(CreateError::NotARing {
                path: directory.path.join(&name),
                found: format!("a file of {} bytes and mode {mode:04o}", stat.st_size),
                expected: "an empty lock file of mode 0600, or nothing",
            });
        }
        Access::OWNER.apply(&lock, 0o600).map_err(|errno| directory.fault(&name, "set the mode of (chmod)", errno))?;
        let taken = try_lock(&lock).map_err(|source| CreateError::Io {
            doing: "lock (fcntl)",
            path: directory.path.join(&name),
            source,
        })?;
        if !taken {
            return Err(CreateError::AlreadyPublished { path: path.to_owned() });
        }
        // An ending publisher removes the lock file while it holds it. A lock on a removed file excludes nobody: try
        // again.
        if directory.holds(&name, &stat)? {
            return Ok(lock);
        }
    }
    Err(directory.fault(&name, "take the place, which is taken and given up again and again", Errno::AGAIN).into())
}
