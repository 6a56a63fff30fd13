//! Measures every way to move a feed message between two processes of one machine, side by side.
//!
//! [`harness`] measures one contender. [`ring`], [`records`], [`table`], [`limits`], [`kernel`] and, with the feature `peers`, `peers` are the
//! contenders; [`contenders`] lists them. [`report`] interleaves the rounds of all contenders, drops unsteady rounds,
//! and writes the table, the JSON file and the plots. [`hostile`] measures a publisher beside attacks.

pub mod contenders;
pub mod harness;
pub mod hostile;
pub mod kernel;
pub mod limits;
#[cfg(feature = "peers")]
pub mod peers;
pub mod records;
pub mod report;
pub mod ring;
pub mod row;
pub mod sys;
pub mod table;
