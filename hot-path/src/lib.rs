//! One function for each operation on a ring, so that a disassembler and callgrind can find it by name.
//!
//! The workspace compiles this package as a release in every profile, and with it the generic code of the ring.

use feed_ring::records::{Record, TooLong};
use feed_ring::table::{ReadError, Row, Stored};
use feed_ring::{
    KeyedPublisher, Publisher, RecordPublisher, RecordSubscriber, RecvError, Subscriber, TableReader, TableWriter,
    TryRecvError, raw,
};

/// A message of 56 bytes: it fills one cache line together with its sequence word.
pub type OneLine = [u64; 7];

/// A message of 248 bytes: it fills four cache lines.
pub type FourLines = [u64; 31];

/// [`Publisher::publish`] of 56 bytes.
#[inline(never)]
pub fn publish_56(publisher: &mut Publisher<OneLine>, message: &OneLine) -> u64 {
    publisher.publish(message)
}

/// [`Subscriber::try_recv`] of 56 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn try_recv_56(subscriber: &mut Subscriber<OneLine>) -> Result<OneLine, TryRecvError> {
    subscriber.try_recv()
}

/// [`Subscriber::try_recv_into`] of 56 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn try_recv_into_56(subscriber: &mut Subscriber<OneLine>, message: &mut OneLine) -> Result<(), TryRecvError> {
    subscriber.try_recv_into(message)
}

/// [`Subscriber::recv`] of 56 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn recv_56(subscriber: &mut Subscriber<OneLine>) -> Result<OneLine, RecvError> {
    subscriber.recv()
}

/// [`Publisher::publish`] of 248 bytes.
#[inline(never)]
pub fn publish_248(publisher: &mut Publisher<FourLines>, message: &FourLines) -> u64 {
    publisher.publish(message)
}

/// [`Subscriber::try_recv_into`] of 248 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn try_recv_into_248(subscriber: &mut Subscriber<FourLines>, message: &mut FourLines) -> Result<(), TryRecvError> {
    subscriber.try_recv_into(message)
}

/// [`TableWriter::store`] of 56 bytes.
#[inline(never)]
pub fn store_56(table: &mut TableWriter<u32, OneLine>, row: Row, value: &OneLine) -> u64 {
    table.store(row, value)
}

/// [`TableReader::get_into`] of 56 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn get_into_56(
    table: &mut TableReader<u32, OneLine>,
    row: Row,
    value: &mut OneLine,
) -> Result<Option<u64>, ReadError> {
    table.get_into(row, value)
}

/// [`TableReader::get`] of 56 bytes.
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn get_56(table: &mut TableReader<u32, OneLine>, row: Row) -> Result<Option<Stored<OneLine>>, ReadError> {
    table.get(row)
}

/// [`KeyedPublisher::publish`] of 56 bytes.
#[inline(never)]
pub fn publish_keyed_56(feed: &mut KeyedPublisher<u32, OneLine>, row: Row, value: &OneLine) -> u64 {
    feed.publish(row, value)
}

/// [`RecordPublisher::publish`].
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn publish_record(publisher: &mut RecordPublisher, bytes: &[u8]) -> Result<u64, TooLong> {
    publisher.publish(1, bytes)
}

/// [`RecordSubscriber::try_recv`].
///
/// # Errors
/// Those of the called method.
#[inline(never)]
pub fn try_recv_record(subscriber: &mut RecordSubscriber) -> Result<Record<'_>, TryRecvError> {
    subscriber.try_recv()
}

/// [`raw::Publisher::publish_array`] of 56 bytes.
#[inline(never)]
pub fn publish_array_56(publisher: &mut raw::Publisher, message: &[u8; 56]) -> u64 {
    publisher.publish_array(message)
}

/// [`raw::Subscriber::take_array`] of 56 bytes.
#[inline(never)]
pub fn take_array_56(subscriber: &mut raw::Subscriber, message: &mut [u8; 56]) -> bool {
    subscriber.take_array(message)
}
