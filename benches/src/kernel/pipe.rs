//! An anonymous pipe, inherited by both sides: 64 KiB, blocking.

use std::io::{PipeReader, PipeWriter};

use crate::harness::contender::{Contender, Direction};
use crate::harness::private_dir::PrivateDir;

use super::stream::{Ends, StreamReceiver, StreamSender};

/// `pipe(2)`, `write(2)`, `read(2)`.
#[derive(Debug)]
pub struct Pipe;

impl<const W: usize> Contender<W> for Pipe {
    type Link = Ends<PipeWriter, PipeReader>;
    type Sender = StreamSender<PipeWriter>;
    type Receiver = StreamReceiver<PipeReader, W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Self::Link> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Ends::new(writer, reader))
    }

    fn sender(&self, link: &Self::Link) -> anyhow::Result<Self::Sender> {
        Ok(StreamSender(link.sender()?))
    }

    fn receiver(&self, link: &Self::Link) -> anyhow::Result<Self::Receiver> {
        Ok(StreamReceiver::new(link.receiver()?))
    }
}
