//! A queue in shared memory with two eventfds: one counts messages, the other free slots.
//!
//! Both can be polled together with sockets. Neither reports that the other side died.

use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, retry_on_intr, write};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::sys::words::{Load as _, Memory, Words};

use super::stream::explain;

/// A bounded queue.
#[derive(Debug)]
pub struct EventFd {
    /// Number of messages that the queue holds.
    pub capacity: usize,
}

/// The memory and both eventfds. Unrelated processes would pass the descriptors with `SCM_RIGHTS`.
#[derive(Debug)]
pub struct Link {
    memory: Memory,
    messages: OwnedFd,
    room: OwnedFd,
}

impl<const W: usize> Contender<W> for EventFd {
    type Link = Link;
    type Sender = EventSender;
    type Receiver = EventReceiver<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Link> {
        let counter = |start| eventfd(start, EventfdFlags::CLOEXEC).context("eventfd");
        Ok(Link {
            memory: Memory::new(self.capacity * (W + 1)).context("memfd")?,
            messages: counter(0)?,
            room: counter(u32::try_from(self.capacity).context("capacity")?)?,
        })
    }

    fn sender(&self, link: &Link) -> anyhow::Result<EventSender> {
        Ok(EventSender {
            words: link.memory.read_write()?,
            messages: link.messages.try_clone()?,
            room: link.room.try_clone()?,
            capacity: self.capacity as u64,
            next: 0,
            free: 0,
        })
    }

    fn receiver(&self, link: &Link) -> anyhow::Result<EventReceiver<W>> {
        Ok(EventReceiver {
            words: link.memory.read_write()?,
            messages: link.messages.try_clone()?,
            room: link.room.try_clone()?,
            capacity: self.capacity as u64,
            next: 0,
            there: 0,
            freed: 0,
            message: [0; W],
        })
    }
}

/// The sending end.
#[derive(Debug)]
pub struct EventSender {
    words: Words,
    messages: OwnedFd,
    room: OwnedFd,
    capacity: u64,
    next: u64,
    free: u64,
}

impl<const W: usize> Sender<W> for EventSender {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        if self.free == 0 {
            self.free = take(&self.room)?;
        }
        let slot = (self.next % self.capacity) as usize * (W + 1);
        for (index, word) in message.iter().enumerate() {
            self.words.word(slot + 1 + index).store(*word, Ordering::Relaxed);
        }
        self.next += 1;
        self.free -= 1;
        // In the memory model of the language, system calls order nothing. This release store does, and the receiver
        // checks the number.
        self.words.word(slot).store(self.next, Ordering::Release);
        add(&self.messages, 1)
    }
}

/// The receiving end.
#[derive(Debug)]
pub struct EventReceiver<const W: usize> {
    words: Words,
    messages: OwnedFd,
    room: OwnedFd,
    capacity: u64,
    next: u64,
    there: u64,
    freed: u64,
    message: Message<W>,
}

impl<const W: usize> Receiver<W> for EventReceiver<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        if self.there == 0 {
            self.there = take(&self.messages)?;
        }
        let slot = (self.next % self.capacity) as usize * (W + 1);
        self.next += 1;
        self.there -= 1;
        let number = self.words.load(slot, Ordering::Acquire);
        ensure!(number == self.next, "message {number} where {} was due", self.next);
        for index in 0..W {
            self.message[index] = self.words.load(slot + 1 + index, Ordering::Relaxed);
        }
        // One system call frees a quarter of the queue, instead of one call for each message.
        self.freed += 1;
        if self.freed >= self.capacity / 4 {
            add(&self.room, self.freed)?;
            self.freed = 0;
        }
        Ok(look(&self.message))
    }
}

/// Waits until the counter is not zero, and resets it. Returns the count.
fn take(counter: &OwnedFd) -> anyhow::Result<u64> {
    let mut count = [0; 8];
    retry_on_intr(|| read(counter, &mut count[..])).map_err(|error| explain(error.into()))?;
    Ok(u64::from_ne_bytes(count))
}

/// Adds to the counter.
fn add(counter: &OwnedFd, count: u64) -> anyhow::Result<()> {
    retry_on_intr(|| write(counter, &count.to_ne_bytes())).map_err(|error| explain(error.into()))?;
    Ok(())
}
