//! A FIFO: a pipe with a name, for unrelated processes. Opening it waits for the other side.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use anyhow::Context as _;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::harness::contender::{Contender, Direction};
use crate::harness::private_dir::PrivateDir;

use super::stream::{StreamReceiver, StreamSender};

/// `mkfifo(3)`, then `write(2)` and `read(2)` as with a pipe.
#[derive(Debug)]
pub struct Fifo;

impl<const W: usize> Contender<W> for Fifo {
    type Link = PathBuf;
    type Sender = StreamSender<File>;
    type Receiver = StreamReceiver<File, W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        let path = dir.join(&format!("{}.fifo", direction.name()));
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).with_context(|| path.display().to_string())?;
        Ok(path)
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        Ok(StreamSender(OpenOptions::new().write(true).open(path).with_context(|| path.display().to_string())?))
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        Ok(StreamReceiver::new(File::open(path).with_context(|| path.display().to_string())?))
    }
}
