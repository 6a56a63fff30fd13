//! A private root: a directory in memory that a test's rings stand in, gone when the test is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Where the directories are: in memory, as rings are.
const PARENT: &str = "/dev/shm";
const PREFIX: &str = "feed-ring-test.";

/// A directory of its own under `/dev/shm`, removed with all that is in it when dropped. A test that is killed cannot
/// remove its own: the next one that runs, of whatever program, removes it, because the name carries the process id.
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
        remove_orphans();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = PathBuf::from(format!("{PARENT}/{PREFIX}{}.{count}", std::process::id()));
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
fn remove_orphans() {
    for entry in fs::read_dir(PARENT).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let owner = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split('.').next()?.parse::<i32>().ok());
        let gone = |pid| !Path::new(&format!("/proc/{pid}")).exists();
        if owner.is_some_and(gone) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
