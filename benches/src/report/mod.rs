//! The report: interleaves rounds over all contenders, summarises them as medians of ratios, and writes the results.

pub mod contender;
pub mod copies;
mod figure;
pub mod filter;
pub mod jitter;
pub mod load;
pub mod machine;
pub mod missing;
pub mod newest;
pub mod newest_table;
pub mod options;
pub mod outcome;
pub mod plot;
pub mod rounds;
mod run;
pub mod schedule;
pub mod subprocess;
pub mod summary;
pub mod table;
pub mod verdict;

pub use run::run;
