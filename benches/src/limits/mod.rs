//! The limits: no mechanism between two cores can be faster. They are measured like every contender.

mod flags;
mod rows;
mod seqlock;

pub use flags::{Flags, Mapping, Pause, Poll, ReadOnly, ReadWrite, Tight, WriteDenied};
pub use rows::rows;
pub use seqlock::Seqlock;
