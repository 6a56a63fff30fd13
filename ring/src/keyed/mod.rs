//! A ring and the table of its newest values, kept together: what a subscriber needs that comes late.
//!
//! A [`KeyedPublisher`] stores each value into its row, under the number of the message that it is about to publish, and then
//! publishes the message. So when a message can be received, its row is there. A [`KeyedSubscriber`] joins the ring at its
//! end, copies the table, and from then on drops each message that is in its copy already. What it knows is at every
//! position what a subscriber knows that was there from the first message on, and the publisher never pauses for it.
//!
//! ```
//! use feed_ring::{Payload, in_process_keyed};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Payload)]
//! #[repr(C)]
//! struct Quote {
//!     instrument: u64,
//!     bid: i64, // 1e-9
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // 64 slots, 10 rows.
//!     let (mut publisher, feed) = in_process_keyed::<u64, Quote>(64, 10)?;
//!     let (seven, nine) = (publisher.row(&7)?, publisher.row(&9)?);
//!     publisher.publish(seven, &Quote { instrument: 7, bid: 100 });
//!     publisher.publish(nine, &Quote { instrument: 9, bid: 55 });
//!     publisher.publish(seven, &Quote { instrument: 7, bid: 101 });
//!
//!     // It comes late, and knows all the same.
//!     let mut subscriber = feed.join(|quote| Some(quote.instrument));
//!     let snapshot = subscriber.snapshot()?;
//!     assert_eq!(snapshot.complete_at, 3);
//!     assert_eq!(snapshot.rows[0].1.value.bid, 101);
//!     publisher.publish(nine, &Quote { instrument: 9, bid: 56 });
//!     assert_eq!(subscriber.try_recv()?.message.bid, 56);
//!     Ok(())
//! }
//! ```

mod holds;
mod in_process;
mod options;
mod publisher;
mod subscriber;

pub use holds::Holds;
pub use in_process::{InProcessKeyed, in_process_keyed};
pub use options::{Keyed, table_name, table_socket};
pub use publisher::KeyedPublisher;
pub use subscriber::{KeyedSubscriber, Snapshot, SnapshotError};
