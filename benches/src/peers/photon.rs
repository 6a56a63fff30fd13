//! photon-ring, the lossy broadcast channel; within one process only.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use photon_ring::{Publisher, Subscriber, channel};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::place::Place;

use super::capacity::CAPACITY;

/// Its channel with its defaults.
#[derive(Debug)]
pub(super) struct Photon;

/// Both ends, until each side has taken its own.
pub(super) struct Link<const W: usize> {
    publisher: Mutex<Option<Publisher<Message<W>>>>,
    subscriber: Mutex<Option<Subscriber<Message<W>>>>,
}

impl<const W: usize> Contender<W> for Photon {
    type Link = Link<W>;
    type Sender = Publisher<Message<W>>;
    type Receiver = Subscriber<Message<W>>;

    const NEVER_WAITS: bool = true;

    fn link(&self, _: &Place, _: Direction) -> anyhow::Result<Link<W>> {
        let (publisher, subscribable) = channel(CAPACITY);
        let subscriber = subscribable.subscribe();
        Ok(Link { publisher: Mutex::new(Some(publisher)), subscriber: Mutex::new(Some(subscriber)) })
    }

    fn sender(&self, link: &Link<W>) -> anyhow::Result<Self::Sender> {
        link.publisher.lock().unwrap_or_else(PoisonError::into_inner).take().context("taken already")
    }

    fn receiver(&self, link: &Link<W>) -> anyhow::Result<Self::Receiver> {
        link.subscriber.lock().unwrap_or_else(PoisonError::into_inner).take().context("taken already")
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
        // Passes over what was overwritten.
        Ok(look(&self.recv()))
    }
}
