//! A ring on the heap, for threads of one process: the same protocol without files.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use super::attachment::{Attachment, Opened};
use super::host::{Host, Made};
use crate::error::CloseError;
use crate::format::layout::Layout;
use crate::memory::{Memory, Pinned};
use crate::presence::liveness::Liveness;
use crate::protocol::takeover::{Next, begin_epoch, next_sequence};
use crate::sync::{Ordering, WriteWord, wake};

/// A ring for the subscribers and publishers of one process.
#[derive(Clone)]
pub(crate) struct Heap {
    memory: Memory<WriteWord>,
    layout: Layout,
    /// Index of the word that is 0 while there is a publisher and 1 otherwise. The sleepers' flag is the next word.
    gone: usize,
    attached: Arc<Attached>,
    /// Held during a takeover. Without it two publishers could take the ring over at once.
    takeover_lock: Arc<Mutex<()>>,
}

/// Counts the attached subscribers: each holds a reference to the inner value, and this holds one more.
#[derive(Default)]
struct Attached(Arc<()>);

impl Heap {
    /// A ring without a publisher.
    pub(crate) fn new(layout: Layout) -> Self {
        let gone = layout.slots + layout.words_of_slots();
        let memory = Memory::heap(gone + 2);
        memory[gone].store(1);
        Heap { memory, layout, gone, attached: Arc::default(), takeover_lock: Arc::default() }
    }

    fn sleepers(&self) -> Pinned<WriteWord> {
        Pinned::new(&self.memory, self.gone + 1)
    }

    /// Opens the ring for a subscriber.
    pub(crate) fn open(&self) -> Opened {
        let memory = self.memory.reader();
        let liveness = Liveness::Word(Pinned::new(&memory, self.gone));
        let no_entries = Err("a ring within the process has no entries".to_owned());
        let attachment = Attachment::new(liveness, no_entries, Arc::clone(&self.attached.0));
        Opened { memory, layout: self.layout, sleepers: Some(self.sleepers()), attachment, found: None }
    }

    /// Takes the ring over for a publisher, in a new epoch. `None` if there is one already, or if no next sequence can be found.
    pub(crate) fn take_over(&self) -> Option<Made> {
        self.take_over_and(begin_epoch)
    }

    /// The same for one that `begin`s otherwise.
    pub(crate) fn take_over_and(&self, begin: fn(&Memory<WriteWord>, &Layout, Next)) -> Option<Made> {
        let _one = self.takeover_lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.memory[self.gone].load() == 0 {
            return None;
        }
        let next = next_sequence(&self.memory.reader(), &self.layout)?;
        self.memory[self.gone].store(0);
        begin(&self.memory, &self.layout, next);
        let host = HeapHost { gone: Pinned::new(&self.memory, self.gone), attached: Arc::clone(&self.attached) };
        let (memory, sleepers) = (self.memory.clone(), self.sleepers());
        Some(Made { memory, layout: self.layout, next, sleepers, host: Box::new(host) })
    }
}

/// A publisher's resources of a ring on the heap.
struct HeapHost {
    gone: Pinned<WriteWord>,
    attached: Arc<Attached>,
}

impl HeapHost {
    /// Marks the publisher as gone. It stores nothing after this.
    fn mark_gone(&self) {
        // C2. Pairs with E2 and T1: a thread that finds the publisher gone sees all its stores. For files the kernel
        // ensures it.
        self.gone.store_ordered("C2", Ordering::Release, 1);
    }
}

impl Host for HeapHost {
    fn path(&self) -> Option<&Path> {
        None
    }

    /// A fork copies the heap, so a child's ring is its own.
    fn is_inherited(&self) -> bool {
        false
    }

    fn subscribers(&self) -> io::Result<usize> {
        Ok(Arc::strong_count(&self.attached.0) - 1)
    }

    fn end(&mut self) -> Result<(), CloseError> {
        self.mark_gone();
        Ok(())
    }

    fn abandon(&mut self) {
        self.mark_gone();
        // Sleepers also wait on this word, so they must be woken. Nothing may be stored here, because the ring may already
        // have another publisher.
        wake(&self.gone);
    }
}
