//! The subscribers that can be awaited: the three of the core crate, each through the calls that it has.

use std::time::Duration;

use feed_ring::raw;
use feed_ring::records::Record;
use feed_ring::{Notifier, Payload, RecordSubscriber, Subscriber, TryRecvError};

use crate::records::{OwnedRecord, RecordBatch};

/// Implemented for the core crate's subscribers, and for nothing else.
pub trait Sealed {
    /// What a receive returns beside the bytes that it put into the buffer.
    type Taken;

    /// A buffer that every message fits into, or that grows.
    fn buffer(&self) -> Vec<u8>;

    fn take(&mut self, buffer: &mut Vec<u8>) -> Result<Self::Taken, TryRecvError>;

    fn arm(&self, notifier: &Notifier);

    fn arm_for_publisher(&self, notifier: &Notifier);

    fn notifier(&self) -> std::io::Result<Notifier>;

    /// Whether it is worth receiving again after the publisher was gone. Does not wait.
    fn publisher_wait_is_over(&mut self) -> bool;
}

/// A subscriber of the core crate that [`AsyncSubscriber`](crate::AsyncSubscriber) wraps.
///
/// | subscriber | `recv` lends or returns | the stream's messages | `recv_batch` takes |
/// |---|---|---|---|
/// | [`Subscriber<T>`](Subscriber) | `T` | `T` | `&mut [T]` |
/// | [`raw::Subscriber`](raw::Subscriber) | `&[u8]`, as long as its [format](raw::Subscriber::format) says | `Vec<u8>` | `&mut [u8]`, a multiple of that |
/// | [`RecordSubscriber`] | [`Record`] | [`OwnedRecord`] | `&mut` [`RecordBatch`] |
///
/// It cannot be implemented outside this crate.
pub trait Source: Sealed {
    /// A message as [`recv`](crate::AsyncSubscriber::recv) returns it.
    type Message<'a>;
    /// A message as the stream returns it: it owns its bytes.
    type Owned;
    /// Room for several messages.
    type Batch: ?Sized;

    /// The message that was taken.
    #[doc(hidden)]
    fn lend(taken: Self::Taken, buffer: &[u8]) -> Self::Message<'_>;

    /// The same, on its own.
    #[doc(hidden)]
    fn own(taken: Self::Taken, buffer: &[u8]) -> Self::Owned;

    /// Takes as many messages as there are and fit. Returns how many.
    #[doc(hidden)]
    fn take_batch(&mut self, batch: &mut Self::Batch) -> Result<usize, TryRecvError>;
}

impl<T: Payload> Sealed for Subscriber<T> {
    type Taken = T;

    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    #[inline]
    fn take(&mut self, _: &mut Vec<u8>) -> Result<T, TryRecvError> {
        self.try_recv()
    }

    fn arm(&self, notifier: &Notifier) {
        notifier.arm(self);
    }

    fn arm_for_publisher(&self, notifier: &Notifier) {
        notifier.arm_for_publisher(self);
    }

    fn notifier(&self) -> std::io::Result<Notifier> {
        Subscriber::notifier(self)
    }

    fn publisher_wait_is_over(&mut self) -> bool {
        self.wait_for_publisher(Duration::ZERO)
    }
}

impl<T: Payload> Source for Subscriber<T> {
    type Message<'a> = T;
    type Owned = T;
    type Batch = [T];

    #[inline]
    fn lend(taken: T, _: &[u8]) -> T {
        taken
    }

    #[inline]
    fn own(taken: T, _: &[u8]) -> T {
        taken
    }

    fn take_batch(&mut self, batch: &mut [T]) -> Result<usize, TryRecvError> {
        self.recv_batch(batch)
    }
}

impl Sealed for raw::Subscriber {
    type Taken = ();

    fn buffer(&self) -> Vec<u8> {
        vec![0; self.format().size()]
    }

    #[inline]
    fn take(&mut self, buffer: &mut Vec<u8>) -> Result<(), TryRecvError> {
        self.try_recv_into(buffer)
    }

    fn arm(&self, notifier: &Notifier) {
        notifier.arm_raw(self);
    }

    fn arm_for_publisher(&self, notifier: &Notifier) {
        notifier.arm_raw_for_publisher(self);
    }

    fn notifier(&self) -> std::io::Result<Notifier> {
        raw::Subscriber::notifier(self)
    }

    fn publisher_wait_is_over(&mut self) -> bool {
        self.wait_for_publisher(Duration::ZERO)
    }
}

impl Source for raw::Subscriber {
    type Message<'a> = &'a [u8];
    type Owned = Vec<u8>;
    type Batch = [u8];

    #[inline]
    fn lend((): (), buffer: &[u8]) -> &[u8] {
        buffer
    }

    fn own((): (), buffer: &[u8]) -> Vec<u8> {
        buffer.to_vec()
    }

    fn take_batch(&mut self, batch: &mut [u8]) -> Result<usize, TryRecvError> {
        self.recv_batch_into(batch)
    }
}

impl Sealed for RecordSubscriber {
    /// The record's number and its kind.
    type Taken = (u64, u8);

    fn buffer(&self) -> Vec<u8> {
        Vec::new()
    }

    #[inline]
    fn take(&mut self, buffer: &mut Vec<u8>) -> Result<(u64, u8), TryRecvError> {
        self.try_recv_into(buffer)
    }

    fn arm(&self, notifier: &Notifier) {
        notifier.arm_records(self);
    }

    fn arm_for_publisher(&self, notifier: &Notifier) {
        notifier.arm_records_for_publisher(self);
    }

    fn notifier(&self) -> std::io::Result<Notifier> {
        RecordSubscriber::notifier(self)
    }

    fn publisher_wait_is_over(&mut self) -> bool {
        self.wait_for_publisher(Duration::ZERO)
    }
}

impl Source for RecordSubscriber {
    type Message<'a> = Record<'a>;
    type Owned = OwnedRecord;
    type Batch = RecordBatch;

    #[inline]
    fn lend((number, kind): (u64, u8), bytes: &[u8]) -> Record<'_> {
        Record { number, kind, bytes }
    }

    fn own((number, kind): (u64, u8), bytes: &[u8]) -> OwnedRecord {
        OwnedRecord { number, kind, bytes: bytes.to_vec() }
    }

    fn take_batch(&mut self, batch: &mut RecordBatch) -> Result<usize, TryRecvError> {
        batch.fill(self)
    }
}
