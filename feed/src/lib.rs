//! Market data for `feed-ring`: what the programs `feed-publisher` and `feed-subscriber` share.
//!
//! - [`Message`]: the one message that every source yields, 56 bytes of plain data.
//! - [`source`]: where messages come from: Databento DBN, NASDAQ ITCH 5.0, CSV, and a synthetic market.
//! - [`pacing`]: when each message should be published.
//! - [`summary`]: what was published or received, in numbers that two programs can compare.
//! - [`reception`]: what a subscriber measures while it receives.
//! - [`remedy`]: what to do about what the kernel refused.
//! - [`stdout`]: standard output that a program can give up on.
//! - [`stop`]: Ctrl-C and SIGTERM as a flag.
//! - [`log`]: structured logs, for who asks for them.
//! - [`decimal`]: exact decimals in 1e-9 units.
//!
//! ```
//! use feed::source::synthetic::Synthetic;
//! use feed::summary::Tally;
//!
//! let mut market = Synthetic::new(7);
//! let mut tally = Tally::default();
//! for _ in 0..1_000 {
//!     tally.add(&market.advance());
//! }
//! assert_eq!(tally.messages(), 1_000);
//! ```

pub mod clock;
pub mod decimal;
pub mod log;
pub mod message;
pub mod pacing;
pub mod reception;
pub mod remedy;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod say;
pub mod source;
pub mod stdout;
pub mod stop;
pub mod summary;

pub use message::{Flags, Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, UNDEFINED_TIME};
