//! The file that stands for a ring under its name, and whether another one has taken the name.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Device, inode, and when it was made, where the file system tells. No other file has the first two while this one is mapped; but a
/// socket is not mapped, and ext4 gives its inode to the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64, Option<SystemTime>);

/// A ring's segment, or a sealed ring's socket: each of its publishers makes a new one.
#[derive(Debug)]
pub(super) struct RingFile(PathBuf);

impl RingFile {
    pub(super) fn new(path: PathBuf) -> Self {
        RingFile(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Which file has the name at present, if one has.
    pub(super) fn identity(&self) -> Option<Identity> {
        self.0.symlink_metadata().ok().map(|file| Identity(file.dev(), file.ino(), file.created().ok()))
    }

    /// True if no file has the name.
    pub(super) fn is_missing(&self) -> bool {
        self.0.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound)
    }

    /// Opens what has the name with `open`. Returns its identity with it; `None` if the file was removed meanwhile.
    pub(super) fn open<S, E>(&self, mut open: impl FnMut() -> Result<S, E>) -> Result<(S, Option<Identity>), E> {
        loop {
            let before = self.identity();
            let opened = open()?;
            let after = self.identity();
            // If the name had the same file before and after, that file was opened. Otherwise it was replaced
            // meanwhile: open its successor.
            if after.is_none() || before == after {
                return Ok((opened, before.filter(|_| before == after)));
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    #[test]
    fn a_socket_made_in_the_place_of_another_is_another() {
        // On the disk, if this directory is: there the inode of a removed socket is used again.
        let path = std::env::temp_dir().join(format!("feed-ring-identity-{}", std::process::id()));
        let file = RingFile::new(path.clone());
        let made = || {
            let _listener = UnixListener::bind(&path).unwrap();
            let identity = file.identity().unwrap();
            std::fs::remove_file(&path).unwrap();
            identity
        };
        let before = made();
        std::thread::sleep(Duration::from_millis(20)); // longer than the kernel's clock tick
        assert_ne!(made(), before);
    }
}
