//! Tells a sender that its receiver is there, for peers whose receivers begin at what is written next.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use crate::harness::patience::until_there;

fn mark(path: &Path) -> PathBuf {
    path.with_extension("reader")
}

/// The receiver of the link at `path` is there.
pub(super) fn tell(path: &Path) -> io::Result<()> {
    File::create(mark(path)).map(drop)
}

/// Waits until it is.
pub(super) fn until_reader(path: &Path) -> anyhow::Result<()> {
    let mark = mark(path);
    until_there("waiting for the receiver", || std::fs::metadata(&mark).map(drop))
}
