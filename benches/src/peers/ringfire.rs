//! ringfire, one publisher with many subscribers that may be lapped: between processes.
//!
//! It is the closest peer to this project's ring.

use std::path::PathBuf;

use ringfire::{RingConsumer, RingProducer, RingfireError};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::patience::until_there;
use crate::harness::private_dir::PrivateDir;

use super::capacity::CAPACITY;

/// A ring with its defaults.
#[derive(Debug)]
pub(super) struct Ringfire;

impl<const W: usize> Contender<W> for Ringfire {
    type Link = PathBuf;
    type Sender = RingProducer<Message<W>>;
    type Receiver = RingConsumer<Message<W>>;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        Ok(dir.join(&format!("{}.ringfire", direction.name())))
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        // ringfire refuses for good a consumer that attaches to an unfinished file. Renaming makes it appear whole.
        let unfinished = path.with_extension("unfinished");
        let producer = RingProducer::create(&unfinished, CAPACITY as u64)?;
        std::fs::rename(&unfinished, path)?;
        Ok(producer)
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        until_there("attaching", || {
            // The publisher may have begun already, so start at the first message.
            RingConsumer::builder().start_from_oldest().attach(path).map_err(|error| match error {
                RingfireError::Io(error) => error,
                error => std::io::Error::other(error.to_string()),
            })
        })
    }
}

impl<const W: usize> Sender<W> for RingProducer<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.push(message);
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for RingConsumer<Message<W>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            if let Some(message) = self.try_recv() {
                return Ok(look(&message));
            }
            std::hint::spin_loop();
        }
    }
}
