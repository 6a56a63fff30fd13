//! Market data for `feed-ring`: the message, its sources, pacing and summaries.
//!
//! - [`Message`]: the one message that every source yields, 56 bytes of plain data.
//! - [`source`]: where messages come from: Databento DBN, NASDAQ ITCH 5.0, CSV, and a synthetic market.
//! - [`pacing`]: when each message should be published.
//! - [`summary`]: what was published or received, in numbers that two programs can compare.
//! - [`reception`]: what a subscriber measures while it receives.
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
pub mod message;
pub mod pacing;
pub mod reception;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod source;
pub mod summary;

pub use message::{Flags, Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, UNDEFINED_TIME};
