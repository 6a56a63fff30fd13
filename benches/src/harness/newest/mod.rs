//! The newest value: how long it takes to store one, and to read it, beside a writer at full speed and without one.
//!
//! The writer and the reader are two processes pinned to two cores. Both use one row, as a feed's quote of one
//! instrument is used.

pub mod contender;
pub mod measurement;
pub mod pair;
mod reader;
mod writer;
