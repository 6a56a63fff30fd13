//! crossbeam-channel, bounded: within one process, no broadcast, the sender waits while it is full.

use crossbeam_channel::{TryRecvError, TrySendError, bounded};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;

use super::capacity::CAPACITY;

/// A bounded channel. Both ends spin.
#[derive(Debug)]
pub(super) struct Crossbeam;

type Ends<const W: usize> = (crossbeam_channel::Sender<Message<W>>, crossbeam_channel::Receiver<Message<W>>);

impl<const W: usize> Contender<W> for Crossbeam {
    type Link = Ends<W>;
    type Sender = crossbeam_channel::Sender<Message<W>>;
    type Receiver = crossbeam_channel::Receiver<Message<W>>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Ends<W>> {
        Ok(bounded(CAPACITY))
    }

    fn sender(&self, (sender, _): &Ends<W>) -> anyhow::Result<Self::Sender> {
        Ok(sender.clone())
    }

    fn receiver(&self, (_, receiver): &Ends<W>) -> anyhow::Result<Self::Receiver> {
        Ok(receiver.clone())
    }
}

impl<const W: usize> Sender<W> for crossbeam_channel::Sender<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let mut message = *message;
        loop {
            match self.try_send(message) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) => message = back,
                Err(TrySendError::Disconnected(_)) => anyhow::bail!("the receiver is gone"),
            }
            std::hint::spin_loop();
        }
    }
}

impl<const W: usize> Receiver<W> for crossbeam_channel::Receiver<Message<W>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.try_recv() {
                Ok(message) => return Ok(look(&message)),
                Err(TryRecvError::Empty) => std::hint::spin_loop(),
                Err(TryRecvError::Disconnected) => anyhow::bail!("the sender is gone"),
            }
        }
    }
}
