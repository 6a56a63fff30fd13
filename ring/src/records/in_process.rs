//! A ring of records for threads of one process.

use super::publisher::RecordPublisher;
use super::subscriber::RecordSubscriber;
use crate::error::{CreateError, OpenError};
use crate::format::layout::{Layout, slot_words};
use crate::protocol::join::Join;
use crate::protocol::takeover;
use crate::protocol::wait::WaitStrategy;
use crate::protocol::wake::Wake;
use crate::publisher::options::{check_capacity, check_slot_size};
use crate::segment::room;
use crate::transport::heap::Heap;

/// Makes a ring of records on the heap, of `capacity` slots of 64 bytes (a power of two, at least 2). Returns its publisher, and
/// the handle that subscribers join with.
///
/// # Errors
/// [`CreateError::Capacity`] if there is no ring of that many slots. [`CreateError::NoMemory`] and
/// [`CreateError::MemoryLimit`] if a ring of 64 MiB or more finds too little memory.
pub fn in_process_records(capacity: usize) -> Result<(RecordPublisher, InProcessRecords), CreateError> {
    of_slots(capacity, slot_words(1))
}

/// A ring of records within the process. Subscribers join with it, and a new publisher takes over with it.
#[derive(Clone)]
pub struct InProcessRecords {
    heap: Heap,
}

impl InProcessRecords {
    /// As [`in_process_records`], with slots of so many bytes: a power of two from 64 to 4,096.
    ///
    /// # Errors
    /// As [`in_process_records`], and [`CreateError::SlotSize`].
    pub fn with_slots_of(bytes: usize, capacity: usize) -> Result<(RecordPublisher, Self), CreateError> {
        check_slot_size(bytes)?;
        of_slots(capacity, bytes / 8)
    }

    /// Joins with the default, [`WaitStrategy::Block`].
    ///
    /// # Panics
    /// As [`subscribe_with`](Self::subscribe_with).
    pub fn subscribe(&self, join: Join) -> RecordSubscriber {
        self.subscribe_with(join, WaitStrategy::default())
    }

    /// Joins with the given [`WaitStrategy`].
    ///
    /// # Panics
    /// If the number to join at is one that no ring can reach: 2^62 or more. [`try_subscribe`](Self::try_subscribe) returns an
    /// error instead.
    pub fn subscribe_with(&self, join: Join, wait: WaitStrategy) -> RecordSubscriber {
        self.try_subscribe(join, wait).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Joins with the given [`WaitStrategy`].
    ///
    /// # Errors
    /// [`OpenError::Sequence`] if the number to join at is one that no ring can reach: 2^62 or more.
    pub fn try_subscribe(&self, join: Join, wait: WaitStrategy) -> Result<RecordSubscriber, OpenError> {
        join.check()?;
        Ok(RecordSubscriber::new(self.heap.open(), join, wait))
    }

    /// Takes over the ring after its publisher ended. `None` while it has one.
    pub fn take_over(&self) -> Option<RecordPublisher> {
        self.heap.take_over().map(|made| RecordPublisher::new(made, Wake::default()))
    }

    /// Takes it over and goes on in its epoch, as a [relay](crate::raw::RecordRelayPublisher) does.
    #[doc(hidden)]
    pub fn go_on(&self) -> Option<RecordPublisher> {
        self.heap.take_over_and(takeover::go_on).map(|made| RecordPublisher::new(made, Wake::default()))
    }
}

fn of_slots(capacity: usize, words: usize) -> Result<(RecordPublisher, InProcessRecords), CreateError> {
    check_capacity(capacity as u64)?;
    room::check_heap("a ring of records within the process", (capacity as u64).saturating_mul(8 * words as u64))?;
    let ring = InProcessRecords { heap: Heap::new(Layout::records_in_process(words, capacity as u64)) };
    let publisher = ring.take_over().expect("nobody else can have this ring yet");
    Ok((publisher, ring))
}
