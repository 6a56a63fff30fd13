//! A private root: a directory in memory that a test's rings stand in, gone when the test is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::identity::ProcessIdentity;

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
        let owner = ProcessIdentity::current().expect("/proc tells who this process is");
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
        // Its id was used before, is of nobody, or is of somebody elsewhere, who may live.
        let before = make(ProcessIdentity { began: current.began - 1, ..current });
        let nobody = make(ProcessIdentity { pid: u32::MAX, ..current });
        let elsewhere = make(ProcessIdentity { namespace: current.namespace + 1, pid: u32::MAX, ..current });
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
