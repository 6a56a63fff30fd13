//! The private directory of one run, and the certainty that nothing outlives it.
//!
//! Everything a contender puts into a file system goes into this directory. What has a name elsewhere (message queues,
//! the shared memory of a peer) is noted here, as an empty file whose name says what it is, so that
//! whoever removes the directory can remove that too: the run itself, or the next run after a crash.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::sys::{posix_mq, sysv_mq};

const PREFIX: &str = "feed-ring-report";

/// What has a name outside the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// A POSIX message queue, by its name.
    PosixQueue,
    /// A System V message queue, by its number.
    SystemVQueue,
    /// Files in `/dev/shm` that begin with a prefix.
    SharedMemory,
}

impl Outside {
    const ALL: [(Self, &'static str); 3] =
        [(Self::PosixQueue, "posix-mq."), (Self::SystemVQueue, "sysv-mq."), (Self::SharedMemory, "shm-prefix.")];

    fn mark(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// A directory for one run or one visit.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    owned: bool,
}

impl Place {
    /// A new private directory under `root`, removed on drop; first removes what dead runs left there.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(root: &Path) -> anyhow::Result<Self> {
        sweep(root)?;
        let path = root.join(format!("{PREFIX}.{}", Owner::current()?));
        Self::create_at(path)
    }

    /// A new directory within this one, removed on drop.
    ///
    /// # Errors
    /// The file system's.
    pub fn within(&self, name: &str) -> anyhow::Result<Self> {
        Self::create_at(self.path.join(name))
    }

    /// A directory that another process made and will remove.
    pub fn existing(path: PathBuf) -> Self {
        Self { path, owned: false }
    }

    fn create_at(path: PathBuf) -> anyhow::Result<Self> {
        fs::create_dir(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(Self { path, owned: true })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A path in it.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A name that no other visit of any run uses at the same time, for things that live outside the directory.
    pub fn unique(&self, suffix: &str) -> String {
        let tail: Vec<_> = self.path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        format!("{}.{suffix}", tail.into_iter().rev().collect::<Vec<_>>().join("."))
    }

    /// Notes what has a name elsewhere: before it is made, or at once after it where the kernel chooses the name.
    ///
    /// # Errors
    /// The file system's.
    pub fn note(&self, outside: Outside, name: &str) -> anyhow::Result<()> {
        let path = self.path.join(format!("{}{name}", outside.mark()));
        File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.owned
            && let Err(error) = remove(&self.path)
        {
            eprintln!("{}: {error:#}: remove it by hand", self.path.display());
        }
    }
}

/// Where runs put their directory: shared memory, or the usual place for temporary files where there is none.
pub fn default_root() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}

/// Removes the directories of dead runs under `root`, and what they note; how many there were.
///
/// # Errors
/// The file system's.
pub fn sweep(root: &Path) -> anyhow::Result<usize> {
    let mut swept = 0;
    for entry in fs::read_dir(root).with_context(|| format!("reading {}", root.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_prefix('.')?.parse::<Owner>().ok());
        if let Some(owner) = owner
            && owner.is_dead()?
        {
            remove(&entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes a directory with all it holds and notes; what is gone already is as good.
fn remove(path: &Path) -> anyhow::Result<()> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.with_context(|| format!("reading {}", path.display()))?,
    };
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        } else if let Some(name) = entry.file_name().to_str() {
            for (outside, mark) in Outside::ALL {
                if let Some(named) = name.strip_prefix(mark) {
                    remove_outside(outside, named).with_context(|| format!("removing {name}"))?;
                }
            }
        }
    }
    fs::remove_dir_all(path).with_context(|| format!("removing {}", path.display()))
}

fn remove_outside(outside: Outside, name: &str) -> anyhow::Result<()> {
    let result = match outside {
        Outside::PosixQueue => posix_mq::unlink(name),
        Outside::SystemVQueue => match sysv_mq::Queue::of(name.parse()?).remove() {
            // Removed already.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIDRM)) => Ok(()),
            result => result,
        },
        Outside::SharedMemory => remove_prefixed(Path::new("/dev/shm"), name),
    };
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => Ok(result?),
    }
}

fn remove_prefixed(root: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(prefix)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Who made a directory: a process id means something only within its namespace, and only together with when the
/// process began.
#[derive(Debug, PartialEq, Eq)]
struct Owner {
    namespace: u64,
    pid: u32,
    began: u64,
}

impl Owner {
    fn current() -> anyhow::Result<Self> {
        let pid = std::process::id();
        let began = began(pid)?.context("/proc/self/stat: this process is not there")?;
        Ok(Self { namespace: namespace()?, pid, began })
    }

    /// A process of another namespace may be alive for all we can see.
    fn is_dead(&self) -> anyhow::Result<bool> {
        Ok(self.namespace == namespace()? && began(self.pid)? != Some(self.began))
    }
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.namespace, self.pid, self.began)
    }
}

impl std::str::FromStr for Owner {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut parts = text.splitn(3, '.');
        let mut next = || parts.next().context("three numbers");
        Ok(Self { namespace: next()?.parse()?, pid: next()?.parse()?, began: next()?.parse()? })
    }
}

/// The inode of this process's pid namespace.
fn namespace() -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(fs::metadata("/proc/self/ns/pid").context("/proc/self/ns/pid")?.ino())
}

/// When a process began, in clock ticks since boot; `None` if there is no such process, or only its zombie.
fn began(pid: u32) -> anyhow::Result<Option<u64>> {
    let stat = match fs::read_to_string(format!("/proc/{pid}/stat")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        stat => stat?,
    };
    // The command name may hold anything: the fields are counted from its closing parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')').context("/proc/PID/stat")?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) {
        return Ok(None);
    }
    Ok(Some(fields.get(19).context("/proc/PID/stat: too few fields")?.parse()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_run_is_left_alone_and_a_dead_one_is_swept() {
        let root = tempfile::tempdir().unwrap();
        let mine = Place::create(root.path()).unwrap();
        let dead = Owner { began: Owner::current().unwrap().began + 1, ..Owner::current().unwrap() };
        let stale = root.path().join(format!("{PREFIX}.{dead}"));
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("segment"), b"left behind").unwrap();
        fs::write(root.path().join("somebody-elses"), b"").unwrap();

        assert_eq!(sweep(root.path()).unwrap(), 1);
        assert!(!stale.exists() && mine.path().exists() && root.path().join("somebody-elses").exists());
        drop(mine);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_another_namespace_owns_is_left_alone() {
        let current = Owner::current().unwrap();
        let foreign = Owner { namespace: current.namespace + 1, pid: u32::MAX, began: 0 };
        assert!(!foreign.is_dead().unwrap());
        assert!(Owner { pid: u32::MAX, ..current }.is_dead().unwrap());
        assert_eq!(foreign.to_string().parse::<Owner>().unwrap(), foreign);
    }
}
