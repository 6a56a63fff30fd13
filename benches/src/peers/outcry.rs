//! outcry, one publisher with many subscribers that may be lapped, frames of any length: between processes.

use std::path::PathBuf;

use outcry::{Consumer, Error, Producer, Queue};
use zerocopy::IntoBytes as _;

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::records::{Padded, message_in};

use super::capacity::BYTES;
use super::reader_there::{self, until_reader};

/// A queue whose frames have `extra` bytes beyond the message's words.
#[derive(Debug)]
pub(super) struct Outcry {
    pub(super) extra: usize,
}

impl<const W: usize> Contender<W> for Outcry {
    type Link = PathBuf;
    type Sender = OutcrySender<W>;
    type Receiver = OutcryReceiver;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        let path = dir.join(&format!("{}.outcry", direction.name()));
        Queue::create(&path, BYTES as u64)?;
        Ok(path)
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        // What is written before a consumer exists never reaches it.
        until_reader(path)?;
        Ok(OutcrySender { producer: Queue::open(path)?.producer()?, frame: Padded::new(self.extra) })
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let receiver =
            OutcryReceiver { consumer: Queue::open(path)?.consumer(), words: vec![0; W + self.extra.div_ceil(8)] };
        reader_there::tell(path)?;
        Ok(receiver)
    }
}

/// The sending end.
pub(super) struct OutcrySender<const W: usize> {
    producer: Producer,
    frame: Padded<W>,
}

/// The receiving end, with the buffer that it reads into.
pub(super) struct OutcryReceiver {
    consumer: Consumer,
    words: Vec<u64>,
}

impl<const W: usize> Sender<W> for OutcrySender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.producer.write(self.frame.of(message))?;
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for OutcryReceiver {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.consumer.try_read(self.words.as_mut_bytes()) {
                Ok(Some(length)) => return message_in(&self.words.as_bytes()[..length]).map(look),
                Ok(None) => std::hint::spin_loop(),
                Err(Error::Overrun { .. }) => _ = self.consumer.resync(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
