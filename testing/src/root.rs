//! A private root: a directory in memory that a test's rings stand in, gone when the test is.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the directories are: in memory, as rings are.
const PARENT: &str = "/dev/shm";
const PREFIX: &str = "feed-ring-test.";

/// A directory of its own under `/dev/shm`, removed with all that is in it when dropped. A test that is killed cannot
/// remove its own: the next one that runs, of whatever program, removes it, because the name says which process it is of.
#[derive(Debug)]
pub struct PrivateRoot(PathBuf);

impl PrivateRoot {
    /// Makes one.
    ///
    /// # Panics
    /// If that is not possible.
    #[expect(clippy::new_without_default, reason = "it makes a directory: not a default value")]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        remove_orphans(Path::new(PARENT));
        let owner = Owner::current().expect("/proc tells who this process is");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("{PARENT}/{PREFIX}{owner}.{count}"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        PrivateRoot(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// What is in it now, by name and sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }
}

impl AsRef<Path> for PrivateRoot {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for PrivateRoot {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Removes the roots of processes that are no more.
fn remove_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.rsplit_once('.')?.0.parse::<Owner>().ok());
        if owner.is_some_and(|owner| owner.is_dead()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Whose root it is: a process id means something only within its namespace (containers may share `/dev/shm`), and only
/// together with when the process began (ids are used again).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Owner {
    namespace: u64,
    pid: u32,
    began: u64,
}

impl Owner {
    fn current() -> Option<Self> {
        let pid = std::process::id();
        Some(Owner { namespace: namespace()?, pid, began: began(pid)? })
    }

    /// A process of another namespace may be alive for all we can see.
    fn is_dead(self) -> bool {
        namespace() == Some(self.namespace) && began(self.pid) != Some(self.began)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.namespace, self.pid, self.began)
    }
}

impl FromStr for Owner {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('.');
        let mut next = || parts.next().and_then(|part| part.parse().ok()).ok_or(());
        let (namespace, pid, began) = (next()?, next()?, next()?);
        let pid = u32::try_from(pid).map_err(|_| ())?;
        if parts.next().is_none() { Ok(Owner { namespace, pid, began }) } else { Err(()) }
    }
}

/// The inode of this process's pid namespace.
fn namespace() -> Option<u64> {
    fs::metadata("/proc/self/ns/pid").ok().map(|namespace| namespace.ino())
}

/// When a process began, in clock ticks since boot; `None` if there is none, or only its zombie.
fn began(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything: the fields are counted from its closing parenthesis.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    if matches!(fields.first(), Some(&"Z" | &"X")) { None } else { fields.get(19)?.parse().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_the_dead_are_removed_and_no_others() {
        let parent = PrivateRoot::new();
        let current = Owner::current().unwrap();
        let make = |owner: Owner| {
            let path = parent.path().join(format!("{PREFIX}{owner}.0"));
            fs::create_dir_all(path.join("feed.ring")).unwrap();
            path
        };
        let living = make(current);
        // Its id was used before, is of nobody, or is of somebody elsewhere, who may live.
        let before = make(Owner { began: current.began - 1, ..current });
        let nobody = make(Owner { pid: u32::MAX, ..current });
        let elsewhere = make(Owner { namespace: current.namespace + 1, pid: u32::MAX, ..current });
        let strange = parent.path().join(format!("{PREFIX}1.2"));
        fs::create_dir(&strange).unwrap();
        remove_orphans(parent.path());
        assert!(living.exists() && elsewhere.exists() && strange.exists());
        assert!(!before.exists() && !nobody.exists());
    }

    #[test]
    fn a_root_is_this_processs_while_it_is_there() {
        let root = PrivateRoot::new();
        let path = root.path().to_owned();
        let another = PrivateRoot::new();
        assert!(path.exists() && another.path() != path);
        drop(root);
        assert!(!path.exists());
    }
}
