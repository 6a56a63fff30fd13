//! Tables and cells: the newest value, for whoever comes late.
//!
//! A ring passes every message on and forgets it after a lap. A [`TableWriter`] keeps the last value for each key, and a
//! [`CellWriter`] keeps one value without a key. Both are in shared memory as rings are: files in
//! `/dev/shm`, or sealed, or within a process. There is one writer, and any number of readers.
//!
//! - **Never torn, never back.** A reader takes a value only if no word of it changed meanwhile. A later read never returns
//!   an older value.
//! - **Nobody waits.** The writer overwrites the older of two copies and waits for no reader. Readers only load, through
//!   read-only pages. A writer that is killed in the middle of a store leaves the other copy whole.
//! - **Keys stay.** A key is added once and keeps its [`Row`]. A reader looks it up once, and reads by row after that.
//!
//! ```no_run
//! use feed_ring::{Payload, TableReader, TableWriter, Text};
//!
//! #[derive(Clone, Copy, Debug, PartialEq, Payload)]
//! #[repr(C)]
//! struct Quote {
//!     bid: i64, // 1e-9
//!     ask: i64, // 1e-9
//! }
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // In one process.
//!     let mut quotes = TableWriter::<Text<16>, Quote>::options("quotes.table").capacity(10_000).create_table()?;
//!     let row = quotes.row(&Text::new("ESH4")?)?;
//!     quotes.store(row, &Quote { bid: 5_166_250_000_000, ask: 5_166_500_000_000 });
//!
//!     // In any number of others.
//!     let mut table = TableReader::<Text<16>, Quote>::options("quotes.table").open_table()?;
//!     let row = table.row(&Text::new("ESH4")?).ok_or("no such symbol")?;
//!     let quote = table.get(row)?.ok_or("no quote yet")?;
//!     assert_eq!((quote.number, quote.value.bid), (0, 5_166_250_000_000));
//!     Ok(())
//! }
//! ```
//!
//! Every store into a table has a number, counted from 0 over all rows. [`TableReader::changed_since`] names the rows that were
//! stored since a number, each once, however often it was stored: a reader that is too slow for every value misses none
//! of the newest.
//!
//! A program that learns the keys' and values' formats at run time, from the header, has untyped handles on the same tables and
//! cells: [`raw::TableReader`](crate::raw::TableReader) and its like.

mod cell;
mod error;
mod keys;
mod options;
pub(crate) mod raw;
pub(crate) mod raw_cell;
pub(crate) mod raw_options;
mod reader;
mod row;
mod typed;
mod writer;

pub use cell::{CellReader, CellWriter, InProcessCell, in_process_cell};
pub use error::{Full, ReadError, WaitError};
pub use options::{Cell, Table};
pub use row::{Row, Stored};
pub use typed::{InProcessTable, TableReader, TableWriter, in_process_table};
