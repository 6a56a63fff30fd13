//! The limits: what no mechanism between two cores can beat, measured in the same way as everything else.

mod flags;
mod rows;
mod seqlock;

pub use flags::{Flags, Mapping, Pause, Poll, ReadOnly, ReadWrite, Tight, WriteDenied};
pub use rows::rows;
pub use seqlock::Seqlock;
