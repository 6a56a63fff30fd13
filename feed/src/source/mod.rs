//! Sources of messages: a decoder for each format, and a synthetic market.
//!
//! Every source streams, so memory stays flat whatever the size of the input.
//!
//! A record that cannot become a message does not end a feed: where the framing says where the next one begins, it is
//! passed over, and counted by kind ([`PassedOver`]). [`Input::strict`] ends at the first one.
//!
//! A source can also be read as [records](crate::records): then every record is carried as it is.
//!
//! [`input::open`] opens a file or standard input, and recognises compression and format by content.

mod compressed;
pub mod csv;
pub mod dbn;
mod error;
mod foreign;
pub mod input;
mod interruptible;
pub mod itch;
mod notes;
mod padding;
mod peek;
mod stream;
pub mod synthetic;
mod times;

pub use error::{Position, Reason, SourceError};
pub use input::{As, Format, Input};
pub use notes::{Notes, PassedOver};
pub use stream::{Captured, Source};
