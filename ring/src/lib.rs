//! A broadcast ring in shared memory for trading feeds: one publisher process, any number of subscriber processes.
//!
//! - **Never torn.** A message is accepted only if no word of it changed while it was copied; the protocol is model-checked
//!   in this very source, and every ordering in it has a test that fails without it (docs/protocol.md).
//! - **Never silently lost.** The publisher waits for nobody. A subscriber that falls behind is told exactly how many
//!   messages it lost: at every moment `first + received + lost + skipped = sequence`.
//! - **Nothing in the way.** Publishing 56 bytes is some forty instructions into one cache line. Once the ring is open,
//!   neither side allocates or makes a system call for a message; a publisher makes one where a subscriber sleeps
//!   ([`WaitStrategy::Block`], or a [`Notifier`]), to wake it, and a subscriber that finds nothing asks the kernel now and
//!   then whether its publisher lives, and sleeps if it was told to.
//! - **Death is survived.** A publisher that is killed at any store leaves a ring that a new one goes on with, under the
//!   next sequence number; its subscribers stay attached and are told.
//! - **Nobody is let in.** Subscribers map the ring read-only, which the kernel enforces, and believe nothing in it that
//!   was not checked.
//!
//! # A publisher and a subscriber
//!
//! ```
//! # let root = tempfile::tempdir()?;
//! use feed_ring::{Join, Payload, Publisher, Subscriber, TryRecvError};
//! use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
//! #[repr(C)]
//! struct Tick {
//!     time: u64,  // ns since 1970
//!     price: i64, // 1e-9
//!     size: u64,
//! }
//!
//! // In one process. Without `root`, the ring stands in /dev/shm/ticks.ring.
//! let mut publisher = Publisher::<Tick>::options("ticks").capacity(4096).root(root.path()).create()?;
//!
//! // In any number of others.
//! let mut subscriber = Subscriber::<Tick>::options("ticks").root(root.path()).join(Join::Latest).open()?;
//!
//! let tick = Tick { time: 1_723_161_255_030_314_667, price: 58_710_200_000_000, size: 14 };
//! publisher.publish(&tick);
//! publisher.close()?;
//! loop {
//!     match subscriber.try_recv() {
//!         Ok(received) => assert_eq!(received, tick),
//!         Err(TryRecvError::Empty) => std::hint::spin_loop(),
//!         Err(TryRecvError::Lagged { missed }) => eprintln!("{missed} messages lost"),
//!         Err(TryRecvError::Restarted { .. }) => eprintln!("a new publisher: rebuild what was built from messages"),
//!         Err(end) => break assert_eq!(end, TryRecvError::Closed),
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Between threads of one process, [`in_process()`] makes the same ring on the heap.
//!
//! # The segment
//!
//! ```text
//!  /dev/shm/ticks.ring/     segment   header and slots       publisher read-write, subscribers read-only
//!                           control   who sleeps, how far each subscriber is
//!                           lock      who publishes          held by the publisher
//!                           live      a FIFO                 open while the publisher lives
//!
//!  slot n & mask            one cache line for messages of up to 56 bytes, whole lines for longer ones
//!  ┌──────────┬─────────────────────────────────────┐
//!  │ sequence │ payload                             │    2n + 1 while message n is being written,
//!  └──────────┴─────────────────────────────────────┘    2n + 2 once it is published
//!   0        8                                      64
//! ```
//!
//! A ring of `capacity` slots holds the last `capacity - 1` messages: one slot is always marked for the next.
//!
//! # What it is not
//!
//! It keeps nothing: a subscriber that is not there misses what is overwritten meanwhile. It does not hold the publisher
//! back, so it is no queue for work that must be done by somebody. It does not leave the machine. It runs on 64-bit Linux.

#[cfg(not(all(target_pointer_width = "64", target_os = "linux")))]
compile_error!("feed-ring needs 64-bit Linux: its rings are read and written in words of eight bytes");

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub mod inspect;
pub mod placement;
pub mod raw;

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
pub use feed_ring_derive::Payload;
pub use format::name::{DEFAULT_ROOT, NameError, check as check_name};
pub use format::payload::{self, Field, FieldType, Payload, Schema, SchemaField};
pub use in_process::{InProcess, in_process};
pub use memory::{guard, mapping::Mapping};
pub use placement::{Placement, PlacementError};
#[doc(hidden)]
pub use protocol::copy::Alone as CopyAlone;
pub use protocol::cursor::Join;
pub use protocol::wait::{Interrupter, WaitStrategy, Wake};
pub use publisher::{ahead::Ahead, handle::Publisher, options::PublisherOptions};
pub use subscriber::{handle::Subscriber, notify::Notifier, options::SubscriberOptions};
