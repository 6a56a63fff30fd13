//! The results of one measurement of what keeps the newest value.

use serde::{Deserialize, Serialize};

use crate::harness::measurement::{Round, Samples};

/// The results of one measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Newest {
    /// Time of one store while nobody reads, in ns.
    pub store: Round<f64>,
    /// Time of one read of a row that does not change, in ns.
    pub read: Round<f64>,
    /// Both sides at full speed.
    pub beside: Round<Beside>,
    /// The same, with each read timed on its own.
    pub single: Round<Samples>,
    /// The attempts of the read that took the most, in all rounds. `None` if the contender does not tell.
    pub most_attempts: Option<u32>,
}

/// What stores and reads at full speed cost each other.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Beside {
    /// Time of one store, in ns.
    pub store: f64,
    /// Time of one read, in ns.
    pub read: f64,
}

/// The results that only the reader knows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ReaderResults {
    /// Time of one read of a row that does not change, in ns.
    pub read: f64,
    /// Time of one read beside the writer, in ns.
    pub beside: f64,
    /// Time of each read beside the writer.
    pub single: Samples,
    /// The attempts of the read that took the most.
    pub most_attempts: Option<u32>,
}

impl Newest {
    /// Adds the reader's results.
    pub(super) fn add(&mut self, results: ReaderResults) {
        self.read.value = results.read;
        self.beside.value.read = results.beside;
        self.single.value = results.single;
        self.most_attempts = results.most_attempts;
    }
}
