//! The private directory of one run of the report. Nothing of a run outlives it.
//!
//! All files of a contender go into this directory. Resources with a name elsewhere (message queues, the shared memory
//! of a peer) are noted in it, each as an empty file with a telling name. Removing the directory removes them too. The
//! run itself does that, or the next run after a crash.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use feed_testing::ProcessIdentity;

use crate::sys::{posix_mq, sysv_mq};

const PREFIX: &str = "feed-ring-report";

/// A kind of resource with a name outside the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum External {
    /// A POSIX message queue, by its name.
    PosixQueue,
    /// A System V message queue, by its number.
    SystemVQueue,
    /// Files in `/dev/shm` that begin with a prefix.
    SharedMemory,
}

impl External {
    const ALL: [(Self, &'static str); 3] =
        [(Self::PosixQueue, "posix-mq."), (Self::SystemVQueue, "sysv-mq."), (Self::SharedMemory, "shm-prefix.")];

    fn mark(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// The directory of one run or of one measurement.
#[derive(Debug)]
pub struct PrivateDir {
    path: PathBuf,
    owned: bool,
}

impl PrivateDir {
    /// Makes a private directory under `root` and removes it on drop. First removes the directories of dead runs there.
    ///
    /// # Errors
    /// The file system's.
    pub fn create(root: &Path) -> anyhow::Result<Self> {
        sweep(root)?;
        let path = root.join(format!("{PREFIX}.{}", ProcessIdentity::current()?));
        Self::create_at(path)
    }

    /// Makes a directory within this one and removes it on drop.
    ///
    /// # Errors
    /// The file system's.
    pub fn subdir(&self, name: &str) -> anyhow::Result<Self> {
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

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in the directory.
    pub fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A name for a resource outside the directory. No other measurement of any run uses it at the same time.
    pub fn unique_name(&self, suffix: &str) -> String {
        let tail: Vec<_> = self.path.iter().rev().take(2).map(|part| part.to_string_lossy()).collect();
        format!("{}.{suffix}", tail.into_iter().rev().collect::<Vec<_>>().join("."))
    }

    /// Notes a resource outside the directory. To be called before the resource is made, or right after it if the
    /// kernel chooses the name. A resource that is not noted outlives a crash.
    ///
    /// # Errors
    /// The file system's.
    pub fn note_external(&self, external: External, name: &str) -> anyhow::Result<()> {
        let path = self.path.join(format!("{}{name}", external.mark()));
        File::create(&path).with_context(|| format!("creating {}", path.display()))?;
        Ok(())
    }
}

impl Drop for PrivateDir {
    fn drop(&mut self) {
        if self.owned
            && let Err(error) = remove(&self.path)
        {
            eprintln!("{}: {error:#}: remove it by hand", self.path.display());
        }
    }
}

/// The parent of the runs' directories: `/dev/shm`, or the directory for temporary files if there is none.
pub fn default_root() -> PathBuf {
    let shm = Path::new("/dev/shm");
    if shm.is_dir() { shm.to_owned() } else { std::env::temp_dir() }
}

/// Removes the directories of dead runs under `root`, with all resources noted there. Returns how many there were.
///
/// # Errors
/// The file system's.
pub fn sweep(root: &Path) -> anyhow::Result<usize> {
    let mut swept = 0;
    for entry in fs::read_dir(root).with_context(|| format!("reading {}", root.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.strip_prefix('.')?.parse::<ProcessIdentity>().ok());
        if let Some(owner) = owner
            && owner.is_dead()?
        {
            remove(&entry.path())?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// Removes a directory, its content and the resources noted there. It is no error if some are gone already.
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
            for (external, mark) in External::ALL {
                if let Some(named) = name.strip_prefix(mark) {
                    remove_external(external, named).with_context(|| format!("removing {name}"))?;
                }
            }
        }
    }
    fs::remove_dir_all(path).with_context(|| format!("removing {}", path.display()))
}

fn remove_external(external: External, name: &str) -> anyhow::Result<()> {
    let result = match external {
        External::PosixQueue => posix_mq::unlink(name),
        External::SystemVQueue => match sysv_mq::Queue::from_id(name.parse()?).remove() {
            // The queue is removed already.
            Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EIDRM)) => Ok(()),
            result => result,
        },
        External::SharedMemory => remove_prefixed(Path::new("/dev/shm"), name),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_dead_runs_are_removed_and_no_others() {
        let root = tempfile::tempdir().unwrap();
        let mine = PrivateDir::create(root.path()).unwrap();
        let dead = ProcessIdentity {
            began: ProcessIdentity::current().unwrap().began + 1,
            ..ProcessIdentity::current().unwrap()
        };
        let stale = root.path().join(format!("{PREFIX}.{dead}"));
        fs::create_dir(&stale).unwrap();
        fs::write(stale.join("segment"), b"left behind").unwrap();
        fs::write(root.path().join("unrelated"), b"").unwrap();

        assert_eq!(sweep(root.path()).unwrap(), 1);
        assert!(!stale.exists() && mine.path().exists() && root.path().join("unrelated").exists());
        drop(mine);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
