//! Market data for `feed-ring`: the message, its sources, pacing and summaries.
//!
//! - [`Message`]: the one message type, 56 bytes of plain data.
//! - [`board`]: a row for each instrument, for subscribers that come late.
//! - [`source`]: decoders and the synthetic market: Databento DBN, NASDAQ ITCH 5.0, CSV.
//! - [`records`]: an input's own bytes instead of messages: DBN and ITCH as they are.
//! - [`pacing`]: when each message is published.
//! - [`summary`]: counts, sums and a digest that two programs can compare.
//! - [`explained`]: what each field of a summary is.
//! - [`reception`]: latency, backlog and lag of a subscriber.
//! - [`decimal`]: exact decimals in units of 1e-9.
//! - [`mod@line`]: a message as a line of text for people.
//! - [`shown`]: a DBN record or an ITCH message as its fields.
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

pub mod board;
pub mod clock;
pub mod decimal;
pub mod explained;
pub mod line;
pub mod message;
pub mod pacing;
pub mod reception;
mod record;
pub mod records;
#[cfg(any(test, feature = "sample"))]
pub mod sample;
pub mod shown;
pub mod source;
pub mod summary;

pub use message::{Flags, Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, UNDEFINED_TIME};
