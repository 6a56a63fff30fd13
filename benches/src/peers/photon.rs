//! photon-ring, the lossy broadcast channel: within one process.

use photon_ring::{Publisher, Subscriber, channel};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;

use super::capacity::CAPACITY;
use super::halves::Halves;

/// A channel with its defaults.
#[derive(Debug)]
pub(super) struct Photon;

impl<const W: usize> Contender<W> for Photon {
    type Link = Halves<Publisher<Message<W>>, Subscriber<Message<W>>>;
    type Sender = Publisher<Message<W>>;
    type Receiver = Subscriber<Message<W>>;

    const NEVER_WAITS: bool = true;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Self::Link> {
        let (publisher, subscribable) = channel(CAPACITY);
        let subscriber = subscribable.subscribe();
        Ok(Halves::new(publisher, subscriber))
    }

    fn sender(&self, halves: &Self::Link) -> anyhow::Result<Self::Sender> {
        halves.sender()
    }

    fn receiver(&self, halves: &Self::Link) -> anyhow::Result<Self::Receiver> {
        halves.receiver()
    }
}

impl<const W: usize> Sender<W> for Publisher<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.publish(*message);
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for Subscriber<Message<W>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        // `recv` skips messages that were overwritten.
        Ok(look(&self.recv()))
    }
}
