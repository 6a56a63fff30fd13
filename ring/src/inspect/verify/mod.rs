//! Verifying: comparing a segment and the files beside it with what a publisher or a writer makes.

mod records;
mod ring;
mod table;
mod verdict;

pub use verdict::{Finding, Verdict};
