//! A private root: a directory in memory for the rings of one test, removed with the test.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::identity::ProcessIdentity;

/// The parent of the directories. It is in memory, as rings are.
const PARENT: &str = "/dev/shm";
const PREFIX: &str = "feed-ring-test.";

/// A directory under `/dev/shm`. It is removed with its content when dropped.
///
/// A killed test cannot remove its directory. The next test of any program does: the directory's name holds the
/// identity of its process.
#[derive(Debug)]
pub struct PrivateRoot(PathBuf);

impl PrivateRoot {
    /// Makes the directory.
    ///
    /// # Panics
    /// If the directory cannot be made.
    #[expect(clippy::new_without_default, reason = "it makes a directory: not a default value")]
    pub fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        remove_orphans(Path::new(PARENT));
        let owner = ProcessIdentity::current().expect("read the identity of this process from /proc");
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("{PARENT}/{PREFIX}{owner}.{count}"));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        PrivateRoot(path)
    }

    /// The path of the directory.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The names of its entries, sorted.
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

/// Removes the directories of dead processes.
fn remove_orphans(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.rsplit_once('.')?.0.parse::<ProcessIdentity>().ok());
        if owner.is_some_and(|owner| owner.is_dead().unwrap_or(false)) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_of_the_dead_are_removed_and_no_others() {
        let parent = PrivateRoot::new();
        let current = ProcessIdentity::current().unwrap();
        let make = |owner: ProcessIdentity| {
            let path = parent.path().join(format!("{PREFIX}{owner}.0"));
            fs::create_dir_all(path.join("feed.ring")).unwrap();
            path
        };
        let living = make(current);
        // The id was used before, belongs to no process, or belongs to another namespace, whose process may live.
        let before = make(ProcessIdentity { began: current.began - 1, ..current });
        let no_process = make(ProcessIdentity { pid: u32::MAX, ..current });
        let elsewhere = make(ProcessIdentity { namespace: current.namespace + 1, pid: u32::MAX, ..current });
        let strange = parent.path().join(format!("{PREFIX}1.2"));
        fs::create_dir(&strange).unwrap();
        remove_orphans(parent.path());
        assert!(living.exists() && elsewhere.exists() && strange.exists());
        assert!(!before.exists() && !no_process.exists());
    }

    #[test]
    fn a_root_exists_until_it_is_dropped() {
        let root = PrivateRoot::new();
        let path = root.path().to_owned();
        let another = PrivateRoot::new();
        assert!(path.exists() && another.path() != path);
        drop(root);
        assert!(!path.exists());
    }
}
