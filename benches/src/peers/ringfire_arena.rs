//! ringfire's arena, a ring of descriptors beside a buffer of bytes: between processes.

use std::path::PathBuf;

use ringfire::{BlobConsumer, BlobProducer, RingfireError};
use zerocopy::IntoBytes as _;

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::patience::until_there;
use crate::harness::private_dir::PrivateDir;
use crate::records::{Padded, message_in};

use super::capacity::{BYTES, CAPACITY};
use super::reader_there::{self, until_reader};

/// A ring and its arena, for messages with `extra` bytes beyond the words.
#[derive(Debug)]
pub(super) struct RingfireArena {
    pub(super) extra: usize,
}

impl<const W: usize> Contender<W> for RingfireArena {
    type Link = PathBuf;
    type Sender = ArenaSender<W>;
    type Receiver = ArenaReceiver;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        Ok(dir.join(&format!("{}.arena", direction.name())))
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        // As for ringfire's ring: it must appear whole.
        let unfinished = path.with_extension("unfinished");
        let producer = BlobProducer::create(&unfinished, CAPACITY as u64, BYTES)?;
        std::fs::rename(&unfinished, path)?;
        until_reader(path)?;
        Ok(ArenaSender { producer, payload: Padded::new(self.extra) })
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let consumer = until_there("attaching", || {
            BlobConsumer::attach(path).map_err(|error| match error {
                RingfireError::Io(error) => error,
                error => std::io::Error::other(error.to_string()),
            })
        })?;
        reader_there::tell(path)?;
        Ok(ArenaReceiver { consumer, words: vec![0; W + self.extra.div_ceil(8)] })
    }
}

/// The sending end.
pub(super) struct ArenaSender<const W: usize> {
    producer: BlobProducer<()>,
    payload: Padded<W>,
}

/// The receiving end, with the buffer that it reads into.
pub(super) struct ArenaReceiver {
    consumer: BlobConsumer<()>,
    words: Vec<u64>,
}

impl<const W: usize> Sender<W> for ArenaSender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.producer.push_payload(self.payload.of(message))?;
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for ArenaReceiver {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            if let Some(length) = self.consumer.recv_payload(self.words.as_mut_bytes())? {
                return message_in(&self.words.as_bytes()[..length]).map(look);
            }
            std::hint::spin_loop();
        }
    }
}
