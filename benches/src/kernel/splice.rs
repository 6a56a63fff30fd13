//! A pipe filled with `splice(2)`: the kernel passes pages of the sender's file to the reader's end, without a copy.
//!
//! The sender writes a message into a slot of its memfd and splices the slot into the pipe. From then on the pipe
//! refers to the page itself: a write to the slot would change a message that was not read yet. Each splice takes one
//! buffer of the pipe. Hence there are more slots than the pipe has buffers, and a slot is reused only after its buffer
//! has left the pipe.

use std::io::{PipeReader, PipeWriter};
use std::sync::atomic::Ordering;

use anyhow::{Context as _, ensure};
use rustix::pipe::{SpliceFlags, fcntl_getpipe_size, splice};

use crate::harness::contender::{Contender, Direction, Sender};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::sys::words::{Memory, Words};

use super::stream::{Ends, StreamReceiver, explain};

const PAGE: usize = 4096;

/// `splice(2)` from a memfd into a pipe, `read(2)` from it.
#[derive(Debug)]
pub struct Splice;

impl<const W: usize> Contender<W> for Splice {
    type Link = Ends<PipeWriter, PipeReader>;
    type Sender = SpliceSender;
    type Receiver = StreamReceiver<PipeReader, W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<Self::Link> {
        let (reader, writer) = std::io::pipe()?;
        Ok(Ends::new(writer, reader))
    }

    fn sender(&self, link: &Self::Link) -> anyhow::Result<SpliceSender> {
        ensure!(W * 8 <= PAGE, "a message of {} bytes does not fit a page, and one splice would be two buffers", W * 8);
        let pipe = link.sender()?;
        let buffers = fcntl_getpipe_size(&pipe).context("F_GETPIPE_SZ")? / PAGE;
        // A slot for each buffer in the pipe and one for the message being written; twice as many, for safety.
        let slots = 2 * (buffers + 1);
        let memory = Memory::new(slots * PAGE / 8).context("memfd")?;
        let words = memory.read_write().context("memfd")?;
        Ok(SpliceSender { pipe, memory, words, slots, next: 0 })
    }

    fn receiver(&self, link: &Self::Link) -> anyhow::Result<Self::Receiver> {
        Ok(StreamReceiver::new(link.receiver()?))
    }
}

/// Writes each message into the next slot and splices the slot.
#[derive(Debug)]
pub struct SpliceSender {
    pipe: PipeWriter,
    memory: Memory,
    words: Words,
    slots: usize,
    next: usize,
}

impl<const W: usize> Sender<W> for SpliceSender {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let slot = self.next % self.slots * PAGE;
        self.next += 1;
        for (index, word) in message.iter().enumerate() {
            self.words.word(slot / 8 + index).store(*word, Ordering::Relaxed);
        }
        let (mut offset, end) = (slot as u64, (slot + W * 8) as u64);
        while offset < end {
            // `splice` advances `offset` by the bytes that it took.
            let left = (end - offset) as usize;
            match splice(&self.memory, Some(&mut offset), &self.pipe, None, left, SpliceFlags::empty()) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(explain(error.into())),
            }
        }
        Ok(())
    }
}
