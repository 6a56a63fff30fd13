//! Records: messages of any length, in a ring of their own kind.
//!
//! A ring of [messages](crate::Publisher) has one size for all. In a ring of records each message is as long as it is: it takes
//! as many slots as it needs. All else is as with messages: the publisher waits for nobody, no record is torn, what a subscriber
//! lost is counted in records, a killed publisher's ring is taken over, and sleeping, joining, sealed rings and rings within a
//! process are the same.
//!
//! ```no_run
//! use feed_ring::{Join, RecordPublisher, RecordSubscriber, records::RecordsFormat};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // In one process.
//!     let lines = RecordsFormat::encoded("text");
//!     let mut publisher = RecordPublisher::options("lines", lines).capacity(1 << 16).create_records()?;
//!     let mut subscriber = RecordSubscriber::options("lines").join(Join::Oldest).open_records()?; // in any number of others
//!
//!     publisher.publish(0, b"a record of 24 bytes ...")?;
//!     publisher.publish(7, b"and one of another kind")?;
//!     publisher.publish(0, b"")?; // an empty record is a record
//!     let record = subscriber.recv()?;
//!     assert_eq!((record.number, record.kind, record.bytes), (0, 0, &b"a record of 24 bytes ..."[..]));
//!     assert_eq!(subscriber.recv()?.kind, 7);
//!     assert_eq!(subscriber.recv()?.bytes, b"");
//!     Ok(())
//! }
//! ```
//!
//! # Slots
//!
//! A slot has 64 bytes unless [`slot_size`](crate::PublisherOptions::slot_size) says otherwise. The first slot of a record holds
//! 48 bytes of it, and each further slot 56. Larger slots waste more of the ring on short records, and are for
//! records that are longer than a quarter of a ring of small ones: docs/performance.md has figures.
//!
//! A record may take a quarter of the ring's slots, and be of at most 16 MiB less one byte: [`RecordPublisher::longest`]. A longer one
//! is refused with [`TooLong`], and nothing is published.
//!
//! # Kinds
//!
//! Each record has a kind, a number from 0 to 255 that the publisher chooses. [`RecordsFormat`] says in the ring's header what the
//! records are, so that a tool can print them. Where they are structs, an enum of them is published and received: [`Records`].

mod enums;
mod error;
mod in_process;
mod options;
mod publisher;
mod received;
pub(crate) mod relay;
mod subscriber;

pub use enums::{Records, UnknownRecord};
#[doc(hidden)]
pub use enums::{bytes_of, from_bytes};
pub use error::{TooFar, TooLong};
pub use in_process::{InProcessRecords, in_process_records};
pub use options::AnyRecords;
pub use publisher::RecordPublisher;
pub use received::Record;
pub use subscriber::RecordSubscriber;

pub use crate::format::records::RecordsFormat;
