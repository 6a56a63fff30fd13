//! Records: an input's own bytes, published as they are in a ring of [records](feed_ring::records).
//!
//! - [`Encoding`]: what the records of a ring are, as the ring's header names it.
//! - [`Record`]: one of them.
//! - [`tally`]: counts and a digest of them that two programs can compare.
//! - [`mod@print`]: records as text, CSV or JSON.
//! - [`dbn_file`]: DBN records as the file that they came from.

pub mod dbn_file;
mod dbn_text;
mod form;
mod itch_text;
pub mod print;
pub mod tally;

pub use self::dbn_text::shown_metadata;
pub use self::form::hex;
pub use crate::record::{Encoding, METADATA, Record};
