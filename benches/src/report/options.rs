//! The report's command line, and the settings that follow from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::harness::cores::Cores;
use crate::harness::measurement::Plan;
use crate::row::{Kind, Row};

use super::filter::Filter;
use super::schedule::Schedule;

/// Measures every way to move a feed message between two processes pinned to two cores, side by side.
///
/// Writes a table to standard output, and report.json and plots into the output directory. Takes real-time priority where
/// it may. The last line says how this ring stands beside a bare line and the best peer.
#[derive(Clone, Debug, Parser)]
#[command(version)]
pub struct Options {
    /// End within a minute (compiling not included): fewer and shorter rounds, fewer rows
    #[arg(long)]
    pub quick: bool,
    /// One short round of every contender: shows that they work, the times mean nothing
    #[arg(long, conflicts_with = "quick")]
    pub smoke: bool,
    /// Only contenders whose name contains this (may be repeated)
    #[arg(long, value_name = "PART")]
    pub only: Vec<String>,
    /// Rounds for each contender (default: 30; quick: as many as fit, at most 7; smoke: 1). A contender that
    /// lacks a figure gets more: half as many again at most; quick: until the minute is over
    #[arg(long)]
    pub rounds: Option<usize>,
    /// Do not take real-time priority
    #[arg(long)]
    pub no_real_time: bool,
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

/// Rounds without which a quick report states no figure.
const QUICK_NEEDED: usize = 3;

impl Options {
    /// The extent of the report.
    pub fn extent(&self) -> Extent {
        match (self.smoke, self.quick) {
            (true, _) => Extent::Smoke,
            (false, true) => Extent::Quick,
            (false, false) => Extent::Full,
        }
    }

    /// The length of the rounds of a row.
    pub fn plan(&self, kind: Kind, real_time: bool) -> Plan {
        let quick = if real_time { Plan::quick() } else { Plan::quick_among_others() };
        match self.extent() {
            Extent::Full => Plan::full(),
            // The kernel's mechanisms take tens of microseconds for a round trip, and percentiles need their number.
            Extent::Quick if kind == Kind::Kernel => Plan { single: Duration::from_millis(25), ..quick },
            Extent::Quick => quick,
            Extent::Smoke => Plan::smoke(),
        }
    }

    /// The number of sweeps.
    pub fn schedule(&self) -> Schedule {
        let regular = self.rounds();
        match self.extent() {
            Extent::Full => Schedule { first: regular, regular, extra: regular.div_ceil(2) },
            // The time is the limit. Every row gets its figures first, then the figures get better.
            Extent::Quick => Schedule { first: regular.min(QUICK_NEEDED), regular, extra: usize::MAX },
            Extent::Smoke => Schedule { first: regular, regular, extra: 0 },
        }
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(match self.extent() {
            Extent::Full => 30,
            Extent::Quick => 7,
            Extent::Smoke => 1,
        })
    }

    /// The rule for which rounds count, and for how many make a figure.
    pub fn filter(&self) -> Filter {
        // A 99.9th percentile of a quick report has one sample above it, that of a full report ten.
        let tail = if self.extent() == Extent::Full { 10_000 } else { 1_000 };
        Filter { needed: self.rounds_needed(), tail, keep_all: self.extent() == Extent::Smoke }
    }

    /// Whether the report takes real-time priority. A smoke run judges no time.
    pub fn wants_real_time(&self) -> bool {
        !self.no_real_time && self.extent() != Extent::Smoke
    }

    /// The number of rounds without which a figure is not stated.
    fn rounds_needed(&self) -> usize {
        match self.extent() {
            Extent::Full => (self.rounds() / 3).max(3),
            Extent::Quick => QUICK_NEEDED,
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

    /// The same for the rows of the newest value.
    pub fn newest_budget(&self) -> Option<Duration> {
        (self.extent() == Extent::Quick).then_some(Duration::from_secs(6))
    }

    /// The cores of a pair.
    ///
    /// # Errors
    /// No cores were given, and this process may run on one core only.
    pub fn cores(&self) -> anyhow::Result<Cores> {
        self.cores.map_or_else(Cores::first_two, Ok)
    }

    /// The rows that were asked for.
    pub fn select<M>(&self, rows: Vec<Row<M>>) -> Vec<Row<M>> {
        let named =
            |row: &Row<M>| self.only.is_empty() || self.only.iter().any(|part| row.name.contains(part.as_str()));
        rows.into_iter().filter(|row| named(row) && (self.extent() != Extent::Quick || row.quick)).collect()
    }
}
