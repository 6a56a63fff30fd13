//! A broadcast ring in shared memory for trading feeds: one publisher process, any number of subscriber processes.
//!
//! - **Never torn.** A subscriber accepts a message only if no word of it changed while it was copied. Models run this
//!   very source, and every ordering in it has a test that fails without it (docs/protocol.md).
//! - **Never silently lost.** The publisher waits for nobody. A subscriber that falls behind learns exactly how many
//!   messages it lost: at every moment `first + received + lost + skipped = sequence`.
//! - **No overhead per message.** Publishing 56 bytes takes some forty instructions and writes one cache line. Once the
//!   ring is open, neither side allocates or makes a system call for a message, with these exceptions. A publisher
//!   makes one to wake subscribers that sleep ([`WaitStrategy::Block`], or a [`Notifier`]). A subscriber that finds
//!   nothing asks the kernel now and then whether its publisher lives, and sleeps unless it was told to poll.
//! - **Death is survived.** A publisher may be killed at any store. A new publisher then continues the ring it left,
//!   with the next sequence number. Subscribers stay attached and learn of the new publisher.
//! - **Subscribers cannot write.** They map the ring read-only, which the kernel enforces. They trust no value in the
//!   ring that they have not checked.
//!
//! # A publisher and a subscriber
//!
//! Every snippet of this documentation is a complete program: `src/main.rs` of a crate that depends on `feed-ring`.
//! A line `// Cargo.toml:` in it names what else it depends on. The rings are in `/dev/shm`, as a program's are.
//!
//! ```no_run
//! use feed_ring::{Join, Payload, Publisher, Subscriber, TryRecvError};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Payload)]
//! #[repr(C)]
//! struct Tick {
//!     time: u64,  // ns since 1970
//!     price: i64, // 1e-9
//!     size: u64,
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // In one process. The ring is /dev/shm/ticks.ring.
//!     let mut publisher = Publisher::<Tick>::options("ticks").capacity(4096).create()?;
//!
//!     // In any number of others.
//!     let mut subscriber = Subscriber::<Tick>::options("ticks").join(Join::Latest).open()?;
//!
//!     let tick = Tick { time: 1_723_161_255_030_314_667, price: 58_710_200_000_000, size: 14 };
//!     publisher.publish(&tick);
//!     publisher.close()?;
//!     loop {
//!         match subscriber.try_recv() {
//!             Ok(received) => assert_eq!(received, tick),
//!             Err(TryRecvError::Empty) => std::hint::spin_loop(),
//!             Err(TryRecvError::Lagged { missed }) => eprintln!("{missed} messages lost"),
//!             Err(TryRecvError::Restarted { .. }) => eprintln!("a new publisher: rebuild all state that came from messages"),
//!             Err(TryRecvError::Closed) => return Ok(()),
//!             Err(error) => return Err(error.into()), // the publisher died, for example: `follow` goes on
//!         }
//!     }
//! }
//! ```
//!
//! Runnable programs are in `ring/examples`: a publisher, a subscriber that goes on whatever happens to its ring,
//! one that sleeps until it is woken or interrupted, and one within an event loop.
//!
//! Between threads of one process, [`in_process()`] makes the same ring on the heap.
//!
//! # Waiting for a message
//!
//! | a subscriber that | calls |
//! |---|---|
//! | has a core of its own | [`Subscriber::recv`] with [`WaitStrategy::Spin`], or [`try_recv`](Subscriber::try_recv) in a loop |
//! | shares its core | [`Subscriber::recv`] with [`WaitStrategy::Block`], the default: it sleeps until the publisher wakes it |
//! | must be able to stop | [`Subscriber::recv_timeout`], which an [`Interrupter`] ends |
//! | waits for other sources too (`poll`, `epoll`, an asynchronous runtime) | [`Subscriber::notifier`]: a file descriptor |
//! | wants only the newest message | [`Subscriber::latest`] |
//! | outlives its publisher, and follows the name to another ring | [`Follow::next`]: see [`follow`] |
//!
//! # Messages of any length
//!
//! A ring of [`records`] carries messages that are each as long as they are: lines, packets, whole records of a feed's own
//! encoding, or an enum of structs ([`derive(Records)`](Records)).
//!
//! # State for whoever comes late
//!
//! A ring forgets a message after a lap. A [`table`] keeps the last value of each key, a [cell](CellWriter) one value of any size,
//! and [`keyed`] keeps a ring and its table together, so that a subscriber that comes at noon knows what one knows that was
//! there from the morning on.
//!
//! # The segment
//!
//! ```text
//!  /dev/shm/ticks.ring/     segment   header and slots       publisher read-write, subscribers read-only
//!                           control   which subscribers sleep, how far each has read
//!                           lock      held by the publisher
//!                           live      a FIFO, open while the publisher lives
//!
//!  slot n & mask            one cache line for messages of up to 56 bytes, whole lines for longer ones
//!  ┌──────────┬─────────────────────────────────────┐
//!  │ sequence │ payload                             │    2n + 1 while message n is being written,
//!  └──────────┴─────────────────────────────────────┘    2n + 2 once it is published
//!   0        8                                      64
//! ```
//!
//! A ring of `capacity` slots holds the last `capacity - 1` messages: one slot is always marked for the next message.
//!
//! # What it is not for
//!
//! The ring keeps no history (a [`table`] keeps the newest values): an absent subscriber misses the messages that are overwritten meanwhile. The publisher
//! never waits for a subscriber, so the ring is not a queue for work that must be done. It does not leave the machine.
//! It runs on 64-bit Linux.

#[cfg(not(all(target_pointer_width = "64", target_os = "linux")))]
compile_error!("feed-ring needs 64-bit Linux: its rings are read and written in words of eight bytes");

/// What `derive(Payload)` and `derive(Records)` expand to. Not part of the interface.
#[doc(hidden)]
pub mod __private {
    pub use crate::format::padding::assert_no_padding;
    pub use crate::records::{bytes_of, from_bytes};
}

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub mod follow;
pub mod inspect;
pub mod keyed;
pub mod placement;
pub mod raw;
pub mod records;
pub mod table;

mod error;
mod format;
mod in_process;
mod memory;
mod presence;
mod protocol;
mod publisher;
mod segment;
mod subscriber;
#[doc(hidden)]
pub mod sync;
mod transport;

pub use error::{CloseError, Corrupt, CreateError, OpenError, RecvError, TryRecvError};
pub use feed_ring_derive::{Payload, Records};
pub use follow::Follow;
pub use format::name::{DEFAULT_ROOT, NameError, check as check_name};
pub use format::payload::{self, Field, FieldType, Payload, Schema, SchemaField};
pub use format::rows::SegmentKind;
pub use format::text::{Text, TextError};
pub use in_process::{InProcess, in_process};
pub use keyed::{InProcessKeyed, KeyedPublisher, KeyedSubscriber, in_process_keyed};
pub use memory::{guard, mapping::Mapping};
pub use placement::{Placement, PlacementError};
#[doc(hidden)]
pub use protocol::copy::Alone as CopyAlone;
pub use protocol::join::Join;
pub use protocol::wait::{Interrupter, WaitStrategy};
pub use protocol::wake::Wake;
pub use publisher::{ahead::Ahead, handle::Publisher, options::PublisherOptions};
pub use records::{InProcessRecords, RecordPublisher, RecordSubscriber, Records, in_process_records};
pub use subscriber::{handle::Subscriber, notify::Notifier, options::SubscriberOptions, received::Received};
pub use table::{
    CellReader, CellWriter, InProcessCell, InProcessTable, TableReader, TableWriter, in_process_cell, in_process_table,
};
