//! Sources of messages: a decoder for each format, and a synthetic market.
//!
//! Every source streams, so memory stays flat whatever the size of the input.
//!
//! [`input::open`] opens a file or standard input, and recognises compression and format by content.

pub mod csv;
pub mod dbn;
mod error;
pub mod input;
mod interruptible;
pub mod itch;
mod stream;
pub mod synthetic;

pub use error::{Position, Reason, SourceError};
pub use input::{Format, Input};
pub use stream::Source;
