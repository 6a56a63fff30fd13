//! A ring over heap memory, for threads of one process: the same protocol, without files.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::attachment::{Attachment, Opened};
use super::host::{Host, Made};
use crate::error::CloseError;
use crate::format::layout::Layout;
use crate::memory::{Memory, Pinned};
use crate::presence::liveness::Liveness;
use crate::protocol::takeover::{begin_epoch, next_sequence};
use crate::protocol::view::View;
use crate::sync::{Ordering, WriteWord, wake};

/// A ring that subscribers of the same process join, and that another publisher takes over.
#[derive(Clone)]
pub(crate) struct Heap {
    memory: Memory<WriteWord>,
    layout: Layout,
    /// Index of the word that is 0 while there is a publisher. The sleepers' flag follows it.
    gone: usize,
    seats: Arc<Seats>,
    /// Held by whoever is taking the ring over: one at a time.
    taking: Arc<Mutex<()>>,
}

/// Each subscriber holds a reference to what is within, and this holds one.
#[derive(Default)]
struct Seats(Arc<()>);

impl Heap {
    /// A ring that no publisher has yet.
    pub(crate) fn new(layout: Layout) -> Self {
        let gone = layout.slots + layout.capacity as usize * layout.slot_words;
        let memory = Memory::heap(gone + 2);
        memory[gone].store(1);
        Heap { memory, layout, gone, seats: Arc::default(), taking: Arc::default() }
    }

    fn sleepers(&self) -> Pinned<WriteWord> {
        Pinned::new(&self.memory, self.gone + 1)
    }

    /// For a subscriber.
    pub(crate) fn open(&self) -> Opened {
        let memory = self.memory.reader();
        let liveness = Liveness::Word(Pinned::new(&memory, self.gone));
        let attachment = Attachment::without_entries(liveness, Arc::clone(&self.seats.0));
        Opened { memory, layout: self.layout, sleepers: self.sleepers(), attachment, found: None }
    }

    /// For a publisher, if there is none.
    pub(crate) fn take_over(&self) -> Option<Made> {
        let _one = self.taking.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.memory[self.gone].load() == 0 {
            return None;
        }
        let next = next_sequence(&View::new(&self.memory.reader(), self.layout))?;
        self.memory[self.gone].store(0);
        begin_epoch(&self.memory, &self.layout, next);
        let host = HeapHost { gone: Pinned::new(&self.memory, self.gone), seats: Arc::clone(&self.seats) };
        let (memory, sleepers) = (self.memory.clone(), self.sleepers());
        Some(Made { memory, layout: self.layout, next, sleepers, host: Box::new(host) })
    }
}

/// What a publisher keeps of such a ring.
struct HeapHost {
    gone: Pinned<WriteWord>,
    seats: Arc<Seats>,
}

impl HeapHost {
    /// The last store of a publisher.
    fn leave(&self) {
        // C2. Pairs with E2 and T1: who finds the publisher gone sees all that it stored. The kernel does that for files.
        self.gone.store_ordered("C2", Ordering::Release, 1);
    }
}

impl Host for HeapHost {
    fn path(&self) -> Option<&Path> {
        None
    }

    /// A fork copied the words, too: the child's ring is its own.
    fn is_inherited(&self) -> bool {
        false
    }

    fn subscribers(&self) -> io::Result<usize> {
        Ok(Arc::strong_count(&self.seats.0) - 1)
    }

    fn end(&mut self) -> Result<(), CloseError> {
        self.leave();
        Ok(())
    }

    fn abandon(&mut self) {
        self.leave();
        // Sleepers of this process sleep on that word, too. Nothing is stored any more: the ring may be another's by now.
        wake(&self.gone);
    }
}
