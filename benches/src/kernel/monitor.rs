//! A queue in shared memory under a robust, process-shared mutex with two condition variables.
//!
//! A message is counted only after it is written. If a process dies while it holds the mutex, the queue is therefore
//! intact: the next process gets `EOWNERDEAD`, marks the mutex consistent and continues. Waiting has a deadline,
//! because a condition variable does not report that the other side died.

use std::sync::atomic::Ordering;

use anyhow::Context as _;

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::patience::PATIENCE;
use crate::harness::private_dir::PrivateDir;
use crate::sys::robust::{Condition, MonitorMemory, PreviousOwner, SharedMonitor, Sharing};
use crate::sys::words::{Memory, Words};

use super::stream::explain;

const PUT: usize = 0;
const TAKEN: usize = 1;
const SLOTS: usize = 8;

/// A bounded queue.
#[derive(Debug)]
pub struct MutexCondvar {
    /// Number of messages that the queue holds.
    pub capacity: usize,
}

/// The mutex with its condition variables, and the memory of the queue.
#[derive(Debug)]
pub struct Link {
    monitor: MonitorMemory,
    memory: Memory,
}

/// One end of the queue. Sender and receiver have the same type.
#[derive(Debug)]
pub struct End<const W: usize> {
    monitor: SharedMonitor,
    words: Words,
    capacity: u64,
    message: Message<W>,
}

impl<const W: usize> Contender<W> for MutexCondvar {
    type Link = Link;
    type Sender = End<W>;
    type Receiver = End<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Link> {
        let monitor = MonitorMemory::new(Sharing::ProcessesRobust).context("initialising the mutex")?;
        Ok(Link { monitor, memory: Memory::new(SLOTS + self.capacity * W).context("memfd")? })
    }

    fn sender(&self, link: &Link) -> anyhow::Result<End<W>> {
        self.end(link)
    }

    fn receiver(&self, link: &Link) -> anyhow::Result<End<W>> {
        self.end(link)
    }
}

impl MutexCondvar {
    fn end<const W: usize>(&self, link: &Link) -> anyhow::Result<End<W>> {
        let (monitor, words) = (link.monitor.map()?, link.memory.read_write()?);
        Ok(End { monitor, words, capacity: self.capacity as u64, message: [0; W] })
    }
}

impl<const W: usize> End<W> {
    /// How many messages were ever put in (`PUT`) or taken out (`TAKEN`). Relaxed, because the mutex orders everything.
    fn count(&self, which: usize) -> u64 {
        self.words.word(which).load(Ordering::Relaxed)
    }

    fn slot(&self, count: u64) -> usize {
        SLOTS + (count % self.capacity) as usize * W
    }

    /// Locks the mutex and waits until `ready`. The mutex is held on return.
    fn lock_when(&self, condition: Condition, ready: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        self.repair(self.monitor.lock().map_err(explain)?)?;
        while !ready(self) {
            match self.monitor.wait(condition, PATIENCE) {
                Ok(previous) => self.repair(previous)?,
                Err(error) => {
                    self.monitor.unlock().map_err(explain)?;
                    return Err(explain(error));
                }
            }
        }
        Ok(())
    }

    fn repair(&self, previous: PreviousOwner) -> anyhow::Result<()> {
        match previous {
            PreviousOwner::Unlocked => Ok(()),
            // There is nothing to repair: the count is raised after the message is written.
            PreviousOwner::Died => self.monitor.make_consistent().context("the other side died holding the mutex"),
        }
    }
}

impl<const W: usize> Sender<W> for End<W> {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.lock_when(Condition::NotFull, |end| end.count(PUT) - end.count(TAKEN) < end.capacity)?;
        let put = self.count(PUT);
        let slot = self.slot(put);
        for (index, word) in message.iter().enumerate() {
            self.words.word(slot + index).store(*word, Ordering::Relaxed);
        }
        self.words.word(PUT).store(put + 1, Ordering::Relaxed);
        self.monitor.unlock().map_err(explain)?;
        self.monitor.signal(Condition::NotEmpty).map_err(explain)
    }
}

impl<const W: usize> Receiver<W> for End<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        self.lock_when(Condition::NotEmpty, |end| end.count(PUT) != end.count(TAKEN))?;
        let taken = self.count(TAKEN);
        let slot = self.slot(taken);
        for index in 0..W {
            self.message[index] = self.words.word(slot + index).load(Ordering::Relaxed);
        }
        self.words.word(TAKEN).store(taken + 1, Ordering::Relaxed);
        self.monitor.unlock().map_err(explain)?;
        self.monitor.signal(Condition::NotFull).map_err(explain)?;
        Ok(look(&self.message))
    }
}
