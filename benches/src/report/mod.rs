//! The report: interleaves rounds over all contenders, summarises them as medians of ratios, and writes the results.

pub mod copies;
pub mod jitter;
pub mod machine;
pub mod options;
pub mod plot;
pub mod rounds;
mod run;
pub mod subprocess;
pub mod summary;
pub mod table;

pub use run::run;
