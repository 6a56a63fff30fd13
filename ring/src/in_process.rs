//! A ring over heap memory, for threads of one process: the same protocol, without files.

use std::sync::{Arc, Mutex};

use crate::error::CreateError;
use crate::layout::Layout;
use crate::memory::{Memory, Pinned, Slots};
use crate::payload::Payload;
use crate::presence::{Attached, Liveness, Roster, Seats};
use crate::publisher::{End, Publisher, check_capacity, check_message};
use crate::subscriber::{Join, Subscriber};
use crate::sync::WriteWord;
use crate::takeover::{begin_epoch, next_sequence};
use crate::wait::{WaitStrategy, Wake, Waker};

/// Makes a ring of `capacity` slots (a power of two from 2) on the heap: its publisher, and what subscribers join by.
///
/// ```
/// use feed_ring::{Join, in_process};
///
/// let (mut publisher, ring) = in_process::<u64>(64)?;
/// let mut subscriber = ring.subscribe(Join::Oldest);
/// let reading = std::thread::spawn(move || subscriber.recv());
/// publisher.publish(&42);
/// assert_eq!(reading.join().unwrap(), Ok(42));
/// # Ok::<(), feed_ring::CreateError>(())
/// ```
///
/// # Errors
/// [`CreateError::Capacity`] and [`CreateError::Message`].
pub fn in_process<T: Payload>(capacity: usize) -> Result<(Publisher<T>, InProcess<T>), CreateError> {
    check_message::<T>()?;
    check_capacity(capacity as u64)?;
    let layout = Layout::in_process(capacity as u64);
    let dead = layout.slots + capacity * Slots::<WriteWord, T>::WORDS;
    let memory = Memory::heap(dead + 2);
    memory[dead].store(1);
    let (seats, taking) = (Arc::new(Seats::default()), Arc::default());
    let ring = InProcess { memory, layout, dead, seats, taking, message: std::marker::PhantomData };
    let publisher = ring.take_over().expect("nobody else can have this ring yet");
    Ok((publisher, ring))
}

/// A ring within the process: what subscribers join by, and what another publisher takes over by.
#[derive(Clone)]
pub struct InProcess<T> {
    memory: Memory<WriteWord>,
    layout: Layout,
    /// Index of the word that is 0 while there is a publisher.
    dead: usize,
    seats: Arc<Seats>,
    /// Held by whoever is taking the ring over: one at a time.
    taking: Arc<Mutex<()>>,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T: Payload> InProcess<T> {
    /// Joins with [`WaitStrategy::Spin`].
    pub fn subscribe(&self, join: Join) -> Subscriber<T> {
        self.subscribe_with(join, WaitStrategy::Spin)
    }

    /// Joins with another way to wait.
    pub fn subscribe_with(&self, join: Join, wait: WaitStrategy) -> Subscriber<T> {
        let memory = self.memory.reader();
        let liveness = Liveness::Word(Pinned::new(&memory, self.dead));
        let sleepers = Pinned::new(&self.memory, self.dead + 1);
        let mut subscriber = Subscriber::new(memory, self.layout, liveness, sleepers, join, wait);
        subscriber.attached = Attached::Counted { _reference: Arc::clone(&self.seats.0) };
        subscriber
    }

    /// Goes on with a ring whose publisher is gone, as [`PublisherOptions::create`](crate::PublisherOptions::create) does;
    /// `None` while there is one.
    pub fn take_over(&self) -> Option<Publisher<T>> {
        let _one = self.taking.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if self.memory[self.dead].load() == 0 {
            return None;
        }
        let next = next_sequence(&self.memory.reader(), &self.layout, Slots::<WriteWord, T>::WORDS)?;
        self.memory[self.dead].store(0);
        begin_epoch(&self.memory, &self.layout, Slots::<WriteWord, T>::WORDS, next);
        let end = End::Word(Pinned::new(&self.memory, self.dead));
        let roster = Roster::References(Arc::clone(&self.seats));
        let waker = Waker::new(&self.memory, &self.layout, Pinned::new(&self.memory, self.dead + 1), Wake::default());
        Some(Publisher::new(self.memory.clone(), self.layout, next, roster, waker, end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TryRecvError;

    /// For Miri above all, which sees a data race and whatever else is undefined.
    #[test]
    fn two_subscribers_read_a_running_ring() {
        let (mut publisher, ring) = in_process::<[u64; 9]>(4).unwrap();
        let read = |mut subscriber: Subscriber<[u64; 9]>| {
            move || {
                loop {
                    match subscriber.try_recv() {
                        Ok(message) => assert_eq!(message, [subscriber.sequence(); 9]),
                        Err(TryRecvError::Empty) => std::thread::yield_now(),
                        Err(TryRecvError::Lagged { .. }) => {}
                        Err(end) => break assert_eq!(end, TryRecvError::Closed),
                    }
                }
                let s = &subscriber;
                assert_eq!((s.first(), s.sequence(), s.received() + s.lost()), (0, 100, 100));
            }
        };
        let readers = [0; 2].map(|_| std::thread::spawn(read(ring.subscribe(Join::Oldest))));
        for sequence in 0..100 {
            publisher.publish(&[sequence + 1; 9]);
            if sequence % 8 == 0 {
                std::thread::yield_now();
            }
        }
        publisher.close().unwrap();
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    }

    #[test]
    fn a_ring_is_handed_over() {
        let (mut publisher, ring) = in_process::<u64>(4).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        assert!(ring.take_over().is_none(), "there is a publisher");
        publisher.publish(&1);
        publisher.close().unwrap();
        assert_eq!(subscriber.try_recv(), Ok(1));
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
        assert!(!subscriber.publisher_is_alive());
        let mut publisher = std::thread::spawn(move || ring.take_over().unwrap()).join().unwrap();
        assert_eq!(publisher.publish(&2), 1);
        assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 1 }));
        assert_eq!(subscriber.try_recv(), Ok(2));
    }
}
