//! The file that stands for a ring under its name, and whether another one has taken the name.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Device and inode. No other file has them while this one is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity(u64, u64);

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
        self.0.symlink_metadata().ok().map(|file| Identity(file.dev(), file.ino()))
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
