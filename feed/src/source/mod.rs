//! Where messages come from: one file per format, each streamed, so that memory stays flat whatever the input's size.
//!
//! [`input::open`] opens a file or standard input and recognises compression and format by content.

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
