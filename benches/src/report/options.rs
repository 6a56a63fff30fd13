//! The report's command line, and the settings that follow from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::harness::cores::Cores;
use crate::harness::measurement::Plan;
use crate::row::Row;

/// Measures every way to move a feed message between two processes pinned to two cores, side by side.
///
/// Writes a table to standard output, and report.json and plots into the output directory.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// End within a minute: fewer and shorter rounds, fewer rows
    #[arg(long)]
    pub quick: bool,
    /// One short round of every contender: shows that they work, the times mean nothing
    #[arg(long, conflicts_with = "quick")]
    pub smoke: bool,
    /// Only contenders whose name contains this (may be repeated)
    #[arg(long, value_name = "PART")]
    pub only: Vec<String>,
    /// Rounds for each contender (default: 30; quick: as many as fit, at most 7; smoke: 1)
    #[arg(long)]
    pub rounds: Option<usize>,
    /// The publisher's and the subscriber's core (default: the first two allowed)
    #[arg(long, value_name = "A,B")]
    pub cores: Option<Cores>,
    /// Where the report goes
    #[arg(long, default_value = "target/report")]
    pub output: PathBuf,
    /// Print the contenders' names and end
    #[arg(long)]
    pub list: bool,
}

/// The extent of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Extent {
    /// All rows and rounds.
    Full,
    /// As many rows and rounds as fit into a minute.
    Quick,
    /// One short round of each row.
    Smoke,
}

/// The largest difference between the calibrations before and after a round, as a fraction. A round beyond it is
/// dropped.
pub const TOLERANCE: f64 = 0.15;

impl Options {
    /// The extent of the report.
    pub fn extent(&self) -> Extent {
        match (self.smoke, self.quick) {
            (true, _) => Extent::Smoke,
            (false, true) => Extent::Quick,
            (false, false) => Extent::Full,
        }
    }

    /// The length of the rounds.
    pub fn plan(&self) -> Plan {
        match self.extent() {
            Extent::Full => Plan::full(),
            Extent::Quick => Plan::quick(),
            Extent::Smoke => Plan::smoke(),
        }
    }

    /// The number of sweeps at most.
    pub fn rounds(&self) -> usize {
        self.rounds.unwrap_or(match self.extent() {
            Extent::Full => 30,
            Extent::Quick => 7,
            Extent::Smoke => 1,
        })
    }

    /// The number of rounds without which a figure is not stated.
    pub fn rounds_needed(&self) -> usize {
        match self.extent() {
            Extent::Full => (self.rounds() / 3).max(3),
            Extent::Quick => 3,
            Extent::Smoke => 1,
        }
    }

    /// The number of messages for measuring the jitter.
    pub fn jitter_messages(&self) -> u64 {
        match self.extent() {
            Extent::Full => 20_000,
            Extent::Quick => 4_000,
            Extent::Smoke => 100,
        }
    }

    /// The time after which no new measurement begins.
    pub fn budget(&self) -> Option<Duration> {
        (self.extent() == Extent::Quick).then_some(Duration::from_secs(50))
    }

    /// The cores of a pair.
    ///
    /// # Errors
    /// No cores were given, and this process may run on one core only.
    pub fn cores(&self) -> anyhow::Result<Cores> {
        self.cores.map_or_else(Cores::first_two, Ok)
    }

    /// The rows that were asked for.
    pub fn select(&self, rows: Vec<Row>) -> Vec<Row> {
        let named = |row: &Row| self.only.is_empty() || self.only.iter().any(|part| row.name.contains(part.as_str()));
        rows.into_iter().filter(|row| named(row) && (self.extent() != Extent::Quick || row.quick)).collect()
    }
}
