//! The report: rounds interleaved over all contenders, medians of ratios, and where they are written.

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
