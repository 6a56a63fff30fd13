//! The measurements of all rows, before they become figures.

use crate::harness::measurement::Measurement;

use super::load::Load;

/// Why a row has no measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// The machine does not offer the mechanism.
    Skipped(String),
    /// A measurement failed.
    Failed(String),
}

/// The measurements of one row.
#[derive(Debug)]
pub struct Measurements<M = Measurement> {
    /// One for each sweep; `None` if the sweep did not visit the row.
    pub by_sweep: Vec<Option<M>>,
    /// Why the row has no more measurements.
    pub excluded: Option<Excluded>,
}

impl<M> Measurements<M> {
    /// Before the first sweep.
    pub fn none() -> Self {
        Self { by_sweep: Vec::new(), excluded: None }
    }

    /// The measurements of the sweeps that visited the row.
    pub fn present(&self) -> impl Iterator<Item = &M> {
        self.by_sweep.iter().flatten()
    }
}

/// The measurements of all rows.
#[derive(Debug)]
pub struct Outcome<M = Measurement> {
    /// In the order of the rows.
    pub rows: Vec<Measurements<M>>,
    /// What else wanted the cores meanwhile.
    pub load: Load,
}
