//! bcast, one publisher with many subscribers that may be lapped, messages of any length: between processes.

use std::path::PathBuf;

use bcast::{MappedReader, MappedWriter};
use zerocopy::IntoBytes as _;

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::records::{Padded, message_in};

use super::capacity::BYTES;
use super::reader_there::{self, until_reader};

/// A buffer whose messages have `extra` bytes beyond the words.
#[derive(Debug)]
pub(super) struct Bcast {
    pub(super) extra: usize,
}

/// Bytes of its header.
const HEADER: usize = bcast::HEADER_SIZE;

impl<const W: usize> Contender<W> for Bcast {
    type Link = PathBuf;
    type Sender = BcastSender<W>;
    type Receiver = BcastReceiver;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        let path = dir.join(&format!("{}.bcast", direction.name()));
        drop(MappedWriter::new(&path, HEADER + BYTES)?);
        Ok(path)
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        until_reader(path)?;
        Ok(BcastSender { writer: MappedWriter::join(path)?, message: Padded::new(self.extra) })
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let words = vec![0; W + self.extra.div_ceil(8)];
        let receiver = BcastReceiver { reader: MappedReader::new(path)?, words };
        reader_there::tell(path)?;
        Ok(receiver)
    }
}

/// The sending end.
pub(super) struct BcastSender<const W: usize> {
    writer: MappedWriter,
    message: Padded<W>,
}

/// The receiving end, with the buffer that it reads into.
pub(super) struct BcastReceiver {
    reader: MappedReader,
    words: Vec<u64>,
}

impl<const W: usize> Sender<W> for BcastSender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let bytes = self.message.of(message);
        let mut claim = self.writer.claim(bytes.len(), true);
        claim.get_buffer_mut().copy_from_slice(bytes);
        claim.commit();
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for BcastReceiver {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            let received = self.reader.receive_next(self.words.as_mut_bytes());
            match received.map(|received| received.map(|message| message.payload.len())) {
                Some(Ok(length)) => return message_in(&self.words.as_bytes()[..length]).map(look),
                Some(Err(bcast::error::Error::Overrun(_))) => self.reader.reset(),
                Some(Err(error)) => return Err(error.into()),
                None => std::hint::spin_loop(),
            }
        }
    }
}
