//! rtrb, a queue from one thread to one other: within one process, the producer waits while it is full.

use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;

use super::capacity::CAPACITY;
use super::halves::Halves;

/// A queue.
#[derive(Debug)]
pub(super) struct Rtrb;

impl<const W: usize> Contender<W> for Rtrb {
    type Link = Halves<Producer<Message<W>>, Consumer<Message<W>>>;
    type Sender = Producer<Message<W>>;
    type Receiver = Consumer<Message<W>>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Self::Link> {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        Ok(Halves::new(producer, consumer))
    }

    fn sender(&self, halves: &Self::Link) -> anyhow::Result<Self::Sender> {
        halves.sender()
    }

    fn receiver(&self, halves: &Self::Link) -> anyhow::Result<Self::Receiver> {
        halves.receiver()
    }
}

impl<const W: usize> Sender<W> for Producer<Message<W>> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let mut message = *message;
        while let Err(PushError::Full(back)) = self.push(message) {
            message = back;
            std::hint::spin_loop();
        }
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for Consumer<Message<W>> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            if let Ok(message) = self.pop() {
                return Ok(look(&message));
            }
            std::hint::spin_loop();
        }
    }
}
