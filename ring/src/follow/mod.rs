//! Following a ring of one name, whatever happens to it: the loop that every subscriber needs.
//!
//! A [`Subscriber`](crate::Subscriber) reads one ring. A ring ends: its publisher dies and another one takes the ring over, or makes
//! another ring of the name with another capacity; somebody removes it; a sealed ring is served anew at the same socket. A
//! [`Follow`] reads the ring that has the name, whichever that is, tells what happened as [`Event`]s in their place among the messages,
//! and accounts for every message over all rings.
//!
//! ```no_run
//! use feed_ring::follow::{Event, Next};
//! use feed_ring::{Join, Payload, Publisher, Received, Subscriber};
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
//!     // In one process.
//!     let mut publisher = Publisher::<Tick>::options("ticks").create()?;
//!
//!     // In any number of others. An open timeout of `Duration::MAX` waits for the first ring for ever.
//!     let mut ticks = Subscriber::<Tick>::options("ticks").join(Join::Oldest).follow();
//!     assert!(matches!(ticks.next()?, Next::Event(Event::Opened { .. })));
//!
//!     publisher.publish(&Tick { time: 1_723_161_255_030_314_667, price: 58_710_200_000_000, size: 14 });
//!     publisher.close()?;
//!     loop {
//!         match ticks.next()? {
//!             Next::Message(Received { number, epoch, message }) => println!("{number} of epoch {epoch}: {message:?}"),
//!             Next::Event(event) => eprintln!("{event}"), // after most, state that came from messages has to be rebuilt
//!             Next::Empty => {}                           // interrupted
//!             Next::End => break,                         // closed
//!         }
//!     }
//!     let all = ticks.overall();
//!     assert_eq!(all.first + all.received + all.lost + all.skipped, all.next);
//!     Ok(())
//! }
//! ```
//!
//! | what is followed | how |
//! |---|---|
//! | a ring of messages | [`Subscriber::options(name)`](crate::Subscriber::options)`.follow()` |
//! | a sealed ring | [`Subscriber::connect(socket)`](crate::Subscriber::connect)`.follow()` |
//! | messages as bytes | [`raw::Subscriber::options(name)`](crate::raw::Subscriber::options)`.follow_raw()` |
//! | records | [`RecordSubscriber::options(name)`](crate::RecordSubscriber::options)`.follow_records()` |
//! | a ring and its table | [`KeyedSubscriber::options(name)`](crate::KeyedSubscriber::options)`.follow_keyed(key)` |
//!
//! # What happens, and what is told
//!
//! | what happens | events | numbers |
//! |---|---|---|
//! | the ring is opened | `Opened` | it begins where the options join |
//! | this program was too slow | `Lagged` | the lost ones are counted |
//! | the publisher dies or leaves | `PublisherGone` | |
//! | another takes its ring over | `Restarted`, or `RestartsUnknown` | they go on |
//! | another makes a ring of the name in its place | `Superseded`, then `Opened` with `Continued` | they go on; a gap counts as lost |
//! | that ring is closed before it could be opened | `Superseded`, then `ClosedUnseen` | what it carried is not counted |
//! | the ring was removed, and another has the name now | `Opened` with `Renumbered` | they begin anew; [`overall`](Follow::overall) counts on, and a gap counts as lost |
//! | the publisher closes | `Closed` | |
//! | no ring is there yet, for a second | `Waiting` | |
//!
//! `Closed` and `ClosedUnseen` end it, unless [`on_close`](Follow::on_close) says otherwise. A publisher's death ends it after
//! [`publisher_timeout`](Follow::publisher_timeout), by default never.
//!
//! # Waiting
//!
//! [`next`](Follow::next) and [`next_timeout`](Follow::next_timeout) block; [`interrupter`](Follow::interrupter) ends a wait from another
//! thread or a signal handler. [`try_next`](Follow::try_next) never waits.
//!
//! In an event loop or an asynchronous runtime, wait for the descriptor of [`notifier`](Follow::notifier), which stays the same from
//! ring to ring: call `try_next` until it returns `Empty`, then [`arm`](FollowNotifier::arm); once the descriptor is readable,
//! [`clear`](FollowNotifier::clear) and call `try_next` again. Nothing is lost if the program stops in between: a message counts as received
//! only when `try_next` returns it.
//!
//! ```no_run
//! // Cargo.toml: rustix = { version = "1", features = ["event"] }
//! use feed_ring::follow::Next;
//! use feed_ring::{Join, Publisher, Subscriber};
//! use rustix::event::{PollFd, PollFlags, poll};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let mut publisher = Publisher::<u64>::options("numbers").keep(true).create()?;
//!     publisher.publish(&42);
//!     publisher.close()?;
//!     let mut numbers = Subscriber::<u64>::options("numbers").join(Join::Oldest).follow();
//!     let mut notifier = numbers.notifier()?;
//!     loop {
//!         match numbers.try_next()? {
//!             Next::Message(received) => println!("{received:?}"),
//!             Next::Event(event) => eprintln!("{event}"),
//!             Next::Empty => {
//!                 notifier.arm(&numbers)?;
//!                 poll(&mut [PollFd::new(&notifier, PollFlags::IN)], None)?; // and whatever else the program waits for
//!                 notifier.clear();
//!             }
//!             Next::End => return Ok(()),
//!         }
//!     }
//! }
//! ```
//!
//! # Batches
//!
//! [`ring_mut`](Follow::ring_mut) gives the subscriber of the present ring, to receive from it in any other way. What it returns instead of
//! messages goes to [`handle`](Follow::handle), which tells the event and goes on to the next ring when it is time.

mod account;
mod event;
mod file;
#[expect(clippy::module_inception, reason = "the module's one type")]
mod follow;
mod followed;
mod notifier;
mod options;
mod phase;
mod rings;

pub use account::Overall;
pub use event::{Continuation, Event, FollowError, Next};
pub use follow::Follow;
pub use followed::Followed;
pub use notifier::FollowNotifier;
pub use phase::OnClose;
