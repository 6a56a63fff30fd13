//! Subscribers of [`feed_ring`] for tokio.
//!
//! [`AsyncSubscriber`] wraps a subscriber of the core crate, of messages, of bytes or of records. It has
//! [`recv().await`](AsyncSubscriber::recv), [`recv_batch().await`](AsyncSubscriber::recv_batch),
//! [`wait_for_publisher().await`](AsyncSubscriber::wait_for_publisher), and is a [`Stream`](futures_core::Stream). Losses,
//! restarts and the publisher's death are items of the stream: [`AsyncSubscriber`] says what ends it.
//!
//! ```no_run
//! // Cargo.toml: tokio = { version = "1", features = ["macros", "net", "rt", "signal"] }
//! use feed_ring::{Payload, Subscriber, TryRecvError};
//! use feed_ring_tokio::{AsyncSubscriber, Error};
//!
//! #[derive(Clone, Copy, Debug, Payload)]
//! #[repr(C)]
//! struct Tick {
//!     time: u64,  // ns since 1970
//!     price: i64, // 1e-9
//!     size: u64,
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut ticks = AsyncSubscriber::new(Subscriber::<Tick>::options("ticks").open()?);
//!     let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
//!     loop {
//!         let received = tokio::select! {
//!             received = ticks.recv() => received,
//!             _ = &mut interrupted => break,
//!         };
//!         match received {
//!             Ok(tick) => println!("{tick:?}"),
//!             Err(Error::Ring(TryRecvError::Closed)) => break,
//!             Err(Error::Ring(TryRecvError::PublisherDead)) => ticks.wait_for_publisher().await?,
//!             Err(Error::Ring(event @ (TryRecvError::Lagged { .. } | TryRecvError::Restarted { .. }))) => eprintln!("{event}"),
//!             Err(error) => return Err(error.into()),
//!         }
//!     }
//!     println!("received {}, lost {}", ticks.get_ref().received(), ticks.get_ref().lost());
//!     Ok(())
//! }
//! ```
//!
//! A ring may be replaced by another of its name. [`AsyncFollow`] goes from one to the next.
//!
//! # Cancelling
//!
//! A future that is dropped before it is ready has received nothing. So `select!` with timers and other sources loses no
//! message and counts none twice.
//!
//! # Many rings on one thread
//!
//! Each receive takes one of the 128 units of its task's [budget](tokio::task::coop). A task that receives without a pause
//! yields after these, so that a busy ring does not starve other tasks. A batch takes one unit, whatever its length.
//!
//! # Threads
//!
//! A subscriber that never had to wait has none. When it waits for the first time, it gets the thread of its
//! [`Notifier`](feed_ring::Notifier), `feed-ring notify`, which sleeps on the ring. On a ring on disk and on a sealed ring there
//! is a second one, `feed-ring watch`, which sleeps until the publisher dies. So `n` rings have at most `2 n` threads, or `n`
//! within a process ([`in_process`](feed_ring::in_process())). Both end with the subscriber.
//!
//! # Cost
//!
//! A message that is there is received without a system call and without an allocation; a stream of bytes or records allocates
//! each message. A wait is one system call to arm the notifier. Waking up takes two steps, where a blocking subscriber
//! takes one: the publisher wakes the notifier's thread, and this thread wakes the runtime. In one run of `examples/wakeup.rs` on two busy
//! virtual cores (Linux 6.18), half of the messages arrived within 16.5 µs, and blocked within 9.5 µs: 1.7 times as long.
//! Whoever needs the lowest latency receives on a thread of its own, with
//! [`WaitStrategy::Spin`](feed_ring::WaitStrategy::Spin).

mod error;
mod follow;
mod notice;
mod records;
mod source;
mod subscriber;

pub use error::Error;
pub use follow::{AsyncFollow, Follows, Item};
pub use records::{OwnedRecord, RecordBatch};
pub use source::Source;
pub use subscriber::AsyncSubscriber;
