//! Records that are structs of several kinds: an enum on both sides.

use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::format::records::RecordsFormat;
use crate::protocol::copy;

/// An enum whose variants are messages: each is a kind of record. Derive it.
///
/// The kind of a variant is its discriminant: 0, 1, 2 and so on, unless the enum says otherwise, for which rustc wants `#[repr(u8)]`.
/// Make the ring with [`RecordsFormat::of`] the enum: the format of each kind is then in its header, and a tool prints the fields
/// without the type. Open it with [`open_records_of`](crate::SubscriberOptions::open_records_of) and the same: a ring of other
/// kinds, or of a kind whose fields differ, is refused. Publishing and reading do not look at the format again.
///
/// ```no_run
/// use feed_ring::records::RecordsFormat;
/// use feed_ring::{Payload, RecordPublisher, RecordSubscriber, Records};
///
/// #[derive(Clone, Copy, Payload)]
/// #[repr(C)]
/// struct Trade {
///     price: i64, // 1e-9
/// }
///
/// #[derive(Records)]
/// enum Event {
///     Trade(Trade),
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let format = RecordsFormat::of::<Event>();
///     let mut publisher = RecordPublisher::options("events", format.clone()).create_records()?;
///     let mut subscriber = RecordSubscriber::options("events").open_records_of(&format)?; // in another process
///     publisher.publish_as(&Event::Trade(Trade { price: 7 }))?;
///     let Event::Trade(trade) = subscriber.recv()?.read_as()?;
///     assert_eq!(trade.price, 7);
///     Ok(())
/// }
/// ```
///
/// Within a process:
///
/// ```
/// use feed_ring::records::RecordsFormat;
/// use feed_ring::{Join, Payload, Records, in_process_records};
///
/// #[derive(Clone, Copy, Debug, PartialEq, Payload)]
/// #[repr(C)]
/// struct Trade {
///     price: i64, // 1e-9
///     size: u64,
/// }
///
/// #[derive(Clone, Copy, Debug, PartialEq, Payload)]
/// #[repr(C)]
/// struct Halt {
///     reason: u32,
/// }
///
/// #[derive(Debug, PartialEq, Records)]
/// #[repr(u8)]
/// enum Event {
///     Trade(Trade) = 1,
///     Halt(Halt) = 7,
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     assert_eq!(RecordsFormat::of::<Event>().kinds().map(|(kind, _)| kind).collect::<Vec<_>>(), [1, 7]);
///     let (mut publisher, ring) = in_process_records(64)?; // on disk: RecordPublisher::options("events", RecordsFormat::of::<Event>())
///     let mut subscriber = ring.subscribe(Join::Oldest);
///     publisher.publish_as(&Event::Trade(Trade { price: 58_710_200_000_000, size: 14 }))?;
///     publisher.publish_as(&Event::Halt(Halt { reason: 3 }))?;
///     match subscriber.recv()?.read_as()? {
///         Event::Trade(trade) => assert_eq!(trade.size, 14),
///         Event::Halt(halt) => unreachable!("{halt:?} came later"),
///     }
///     assert_eq!(subscriber.recv()?.read_as::<Event>()?, Event::Halt(Halt { reason: 3 }));
///     Ok(())
/// }
/// ```
pub trait Records: Sized {
    /// The kinds with their formats.
    fn kinds() -> Vec<(u8, MessageFormat)>;

    /// The kind of this one.
    fn kind(&self) -> u8;

    /// Its bytes.
    fn bytes(&self) -> &[u8];

    /// The one of this kind with these bytes. `None` if there is no such kind, or it has another length.
    fn read(kind: u8, bytes: &[u8]) -> Option<Self>;
}

/// A record is of a kind that the enum does not have, or is too short or too long for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record of kind {kind} and {length} bytes is none of {expected}: open the ring with the format of that enum, or match on the kind"
)]
pub struct UnknownRecord {
    /// The record's kind.
    pub kind: u8,
    /// Its length in bytes.
    pub length: usize,
    /// The enum.
    pub expected: &'static str,
}

impl RecordsFormat {
    /// The format of the records that are this enum.
    pub fn of<E: Records>() -> Self {
        RecordsFormat::structs(E::kinds())
    }
}

/// The bytes of a message, for `derive(Records)`.
pub fn bytes_of<T: Payload>(message: &T) -> &[u8] {
    copy::bytes_of(message)
}

/// The message with these bytes, for `derive(Records)`. `None` if it has another length.
pub fn from_bytes<T: Payload>(bytes: &[u8]) -> Option<T> {
    copy::from_bytes(bytes)
}
