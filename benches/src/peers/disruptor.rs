//! disruptor, single producer with an event poller: within one process, the producer waits for its consumers.

use anyhow::Context as _;
use disruptor::{
    BusySpin, EventPoller, Polling, Producer as _, SingleConsumerBarrier, SingleProducer, SingleProducerBarrier,
    build_single_producer,
};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;

use super::capacity::CAPACITY;
use super::halves::Halves;

/// A ring that the consumer polls.
#[derive(Debug)]
pub(super) struct Disruptor;

type Producer<const W: usize> = SingleProducer<Message<W>, SingleConsumerBarrier>;
type Poller<const W: usize> = EventPoller<Message<W>, SingleProducerBarrier>;

impl<const W: usize> Contender<W> for Disruptor {
    type Link = Halves<Producer<W>, Poller<W>>;
    type Sender = DisruptorSender<W>;
    type Receiver = DisruptorReceiver<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Self::Link> {
        let (poller, builder) = build_single_producer(CAPACITY, || [0; W], BusySpin).new_event_poller();
        Ok(Halves::new(builder.build(), poller))
    }

    fn sender(&self, halves: &Self::Link) -> anyhow::Result<DisruptorSender<W>> {
        Ok(DisruptorSender(halves.sender()?))
    }

    fn receiver(&self, halves: &Self::Link) -> anyhow::Result<DisruptorReceiver<W>> {
        Ok(DisruptorReceiver(halves.receiver()?))
    }
}

/// The sending end.
pub(super) struct DisruptorSender<const W: usize>(Producer<W>);

/// The receiving end.
pub(super) struct DisruptorReceiver<const W: usize>(Poller<W>);

impl<const W: usize> Sender<W> for DisruptorSender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.0.publish(|slot| *slot = *message);
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for DisruptorReceiver<W> {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.0.take(1) {
                Ok(mut events) => {
                    let event = (&mut events).next().context("a guard without an event")?;
                    return Ok(look(event));
                }
                Err(Polling::NoEvents) => std::hint::spin_loop(),
                Err(Polling::Shutdown) => anyhow::bail!("the sender is gone"),
            }
        }
    }
}
