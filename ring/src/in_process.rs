//! A ring for threads of one process.

use crate::error::{CreateError, OpenError};
use crate::format::layout::{Layout, slot_words};
use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::protocol::join::Join;
use crate::protocol::takeover;
use crate::protocol::wait::WaitStrategy;
use crate::protocol::wake::Wake;
use crate::publisher::handle::Publisher;
use crate::publisher::options::{check_capacity, check_message};
use crate::segment::room;
use crate::subscriber::handle::Subscriber;
use crate::transport::heap::Heap;

/// Makes a ring on the heap, of `capacity` slots (a power of two, at least 2). Returns its publisher, and the handle
/// that subscribers join with.
///
/// ```
/// use feed_ring::{Join, in_process};
///
/// fn main() -> Result<(), feed_ring::CreateError> {
///     let (mut publisher, ring) = in_process::<u64>(64)?;
///     let mut subscriber = ring.subscribe(Join::Oldest);
///     let reading = std::thread::spawn(move || subscriber.recv());
///     publisher.publish(&42);
///     assert_eq!(reading.join().unwrap(), Ok(42));
///     Ok(())
/// }
/// ```
///
/// # Errors
/// [`CreateError::Capacity`] if there is no ring of that many slots, [`CreateError::Message`] if `T` cannot be a
/// message. [`CreateError::NoMemory`] and [`CreateError::MemoryLimit`] if a ring of 64 MiB or
/// more finds too little memory.
pub fn in_process<T: Payload>(capacity: usize) -> Result<(Publisher<T>, InProcess<T>), CreateError> {
    check_message(&MessageFormat::of::<T>())?;
    check_capacity(capacity as u64)?;
    room::check_heap(
        "a ring within the process",
        (capacity as u64).saturating_mul(8 * slot_words(size_of::<T>()) as u64),
    )?;
    let heap = Heap::new(Layout::in_process(slot_words(size_of::<T>()), capacity as u64));
    let ring = InProcess { heap, message: std::marker::PhantomData };
    let publisher = ring.take_over().expect("nobody else can have this ring yet");
    Ok((publisher, ring))
}

/// A ring within the process. Subscribers join with it, and a new publisher takes over with it.
#[derive(Clone)]
pub struct InProcess<T> {
    heap: Heap,
    message: std::marker::PhantomData<fn() -> T>,
}

impl<T: Payload> InProcess<T> {
    /// Joins with the default, [`WaitStrategy::Block`].
    ///
    /// # Panics
    /// As [`subscribe_with`](Self::subscribe_with).
    pub fn subscribe(&self, join: Join) -> Subscriber<T> {
        self.subscribe_with(join, WaitStrategy::default())
    }

    /// Joins with the given [`WaitStrategy`].
    ///
    /// # Panics
    /// If the sequence to join at is one that no ring can reach: 2^62 or more. [`try_subscribe`](Self::try_subscribe)
    /// returns an error instead.
    pub fn subscribe_with(&self, join: Join, wait: WaitStrategy) -> Subscriber<T> {
        self.try_subscribe(join, wait).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Joins with the given [`WaitStrategy`].
    ///
    /// # Errors
    /// [`OpenError::Sequence`] if the sequence to join at is one that no ring can reach: 2^62 or more.
    pub fn try_subscribe(&self, join: Join, wait: WaitStrategy) -> Result<Subscriber<T>, OpenError> {
        join.check()?;
        Ok(Subscriber::new(self.heap.open(), join, wait))
    }

    /// Takes over the ring after its publisher ended, as [`PublisherOptions::create`](crate::PublisherOptions::create)
    /// does. `None` while it has a publisher.
    pub fn take_over(&self) -> Option<Publisher<T>> {
        self.heap.take_over().map(|made| Publisher::new(made, Wake::default()))
    }

    /// Takes it over and goes on in its epoch, as a [relay](crate::raw::RelayPublisher) does.
    #[doc(hidden)]
    pub fn go_on(&self) -> Option<Publisher<T>> {
        self.heap.take_over_and(takeover::go_on).map(|made| Publisher::new(made, Wake::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TryRecvError;

    /// Mainly for Miri, which detects data races and other undefined behaviour.
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
    fn a_new_publisher_takes_over_after_a_close() {
        let (mut publisher, ring) = in_process::<u64>(4).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        assert!(ring.take_over().is_none(), "the ring has a publisher");
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
