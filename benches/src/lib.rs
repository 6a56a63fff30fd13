//! Every way to move a feed message between two processes on one machine, measured side by side.
//!
//! The report's parts: [`harness`] runs one contender between two processes pinned to two cores and measures it,
//! [`limits`], [`kernel`] and (feature `peers`) `peers` are the contenders, [`contenders`] lists them, and [`report`]
//! runs the rounds interleaved, drops the unsteady ones and writes table, JSON and plots.

pub mod contenders;
pub mod harness;
pub mod kernel;
pub mod limits;
#[cfg(feature = "peers")]
pub mod peers;
pub mod report;
pub mod ring;
pub mod row;
pub mod sys;
