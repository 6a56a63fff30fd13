//! rtrb, a queue from one thread to one other; within one process only, no broadcast, the producer waits when it is
//! full.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::place::Place;

use super::capacity::CAPACITY;

/// Its queue.
#[derive(Debug)]
pub(super) struct Rtrb;

/// Both ends, until each side has taken its own.
pub(super) struct Link<const W: usize> {
    producer: Mutex<Option<Producer<Message<W>>>>,
    consumer: Mutex<Option<Consumer<Message<W>>>>,
}

impl<const W: usize> Contender<W> for Rtrb {
    type Link = Link<W>;
    type Sender = Producer<Message<W>>;
    type Receiver = Consumer<Message<W>>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &Place, _: Direction) -> anyhow::Result<Link<W>> {
        let (producer, consumer) = RingBuffer::new(CAPACITY);
        Ok(Link { producer: Mutex::new(Some(producer)), consumer: Mutex::new(Some(consumer)) })
    }

    fn sender(&self, link: &Link<W>) -> anyhow::Result<Self::Sender> {
        link.producer.lock().unwrap_or_else(PoisonError::into_inner).take().context("taken already")
    }

    fn receiver(&self, link: &Link<W>) -> anyhow::Result<Self::Receiver> {
        link.consumer.lock().unwrap_or_else(PoisonError::into_inner).take().context("taken already")
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
