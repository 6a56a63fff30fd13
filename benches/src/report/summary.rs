//! The report as a whole: the machine, the figures of every row, and what follows from them.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::harness::clock::Ticks;
use crate::harness::cores::Cores;
use crate::harness::newest::measurement::Newest;
use crate::row::Row;

use super::contender::Contender;
use super::copies::{self, Copies};
use super::jitter::Jitter;
use super::load::Load;
use super::machine::{self, Machine};
use super::missing::{Cause, Circumstances};
use super::newest::{self, NewestRow};
use super::options::{Extent, Options};
use super::outcome::{Excluded, Measurements, Outcome};
use super::verdict::{self, Verdict, Void};

/// The row to which the paced latencies "over line" refer.
pub const LINE: &str = "line rw";

/// The content of `report.json`.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The machine.
    pub machine: Machine,
    /// The kernel's name and release.
    pub kernel: String,
    /// The date.
    pub date: String,
    /// The extent of the report.
    pub extent: Extent,
    /// The publisher's and the subscriber's core.
    pub cores: String,
    /// The scheduling policy: `real-time` if this user may take it, else `other`.
    pub scheduling: &'static str,
    /// The version of this project, and whether the build was optimised.
    pub build: String,
    /// c2c over all rounds, in ns.
    pub c2c_ns: Spread,
    /// Rounds that count.
    pub rounds_kept: usize,
    /// Rounds that do not count: the calibrations differed too much, or a side lost its core.
    pub rounds_dropped: usize,
    /// Rounds without which a figure is not stated.
    pub rounds_needed: usize,
    /// What else wanted the cores.
    pub load: Load,
    /// How this ring stands.
    pub verdict: Verdict,
    /// The rows with figures.
    pub contenders: Vec<Contender>,
    /// The rows of the newest value with figures.
    pub newest: Vec<NewestRow>,
    /// Time of a store into a row, divided by that of publishing as many bytes without a reader.
    pub store_over_publish: Option<f64>,
    /// The cost of copying, compared with memcpy.
    pub copies: Vec<Copies>,
    /// How a sleeping subscriber disturbs its publisher.
    pub wake_jitter: Vec<Jitter>,
    /// Rows that this machine does not offer.
    pub skipped: Vec<Missing>,
    /// Rows that failed.
    pub failed: Vec<Missing>,
}

/// A row without figures.
#[derive(Debug, Serialize)]
pub struct Missing {
    /// The row's name.
    pub name: String,
    /// The reason.
    pub reason: String,
}

/// The distribution of a figure.
#[derive(Debug, Serialize)]
pub struct Spread {
    /// A tenth of the values are below.
    pub p10: f64,
    /// Half of the values are below.
    pub median: f64,
    /// Nine tenths of the values are below.
    pub p90: f64,
}

impl Report {
    /// Summarises all measurements: those of messages, and those of the newest value.
    ///
    /// # Errors
    /// There is no measurement.
    pub fn new(
        (rows, outcome): (&[Row], &Outcome),
        (newest_rows, newest_outcome): (&[Row<Newest>], &Outcome<Newest>),
        wake_jitter: Vec<Jitter>,
        options: &Options,
        cores: Cores,
        ticks: Ticks,
    ) -> anyhow::Result<Self> {
        let filter = options.filter();
        let find = |name: &str| rows.iter().position(|row| row.name == name).map(|index| &outcome.rows[index]);
        let (ring, line) = (find(verdict::RING), find(LINE));
        let messages = outcome.rows.iter().flat_map(Measurements::present).map(|measured| measured.ping.c2c());
        let newest = newest_outcome.rows.iter().flat_map(Measurements::present).map(|measured| measured.store.c2c());
        let mut report = Self {
            machine: Machine::current(),
            kernel: machine::kernel(),
            date: machine::date(),
            extent: options.extent(),
            cores: cores.to_string(),
            scheduling: machine::scheduling(),
            build: format!(
                "{} {}",
                env!("CARGO_PKG_VERSION"),
                if cfg!(debug_assertions) { "debug" } else { "release" }
            ),
            c2c_ns: spread(messages.chain(newest)),
            rounds_kept: 0,
            rounds_dropped: 0,
            rounds_needed: filter.needed,
            load: if rows.is_empty() { newest_outcome.load.clone() } else { outcome.load.clone() },
            verdict: Verdict::of(&[]),
            contenders: Vec::new(),
            newest: Vec::new(),
            store_over_publish: None,
            copies: copies::measure(ticks),
            wake_jitter,
            skipped: Vec::new(),
            failed: Vec::new(),
        };
        for (row, measurements) in rows.iter().zip(&outcome.rows) {
            if !report.notes_excluded(row, measurements) {
                let contender = Contender::new(row, measurements, &filter, ring, line);
                report.rounds_kept += contender.rounds_kept;
                report.rounds_dropped += contender.rounds_dropped;
                report.contenders.push(contender);
            }
        }
        for (row, measurements) in newest_rows.iter().zip(&newest_outcome.rows) {
            if !report.notes_excluded(row, measurements) {
                let table = newest::reference(newest_rows, row).map(|index| &newest_outcome.rows[index]);
                let row = NewestRow::new(row, measurements, &filter, table);
                report.rounds_kept += row.rounds_kept;
                report.rounds_dropped += row.rounds_dropped;
                report.newest.push(row);
            }
        }
        report.verdict = Verdict::of(&report.contenders);
        report.store_over_publish = newest::store_over_publish(&report.newest, &report.contenders);
        Ok(report)
    }

    /// Whether the row has no figures because it was skipped or failed. Notes that then.
    fn notes_excluded<M>(&mut self, row: &Row<M>, measurements: &Measurements<M>) -> bool {
        let missing = |reason: &str| Missing { name: row.name.clone(), reason: reason.to_owned() };
        match &measurements.excluded {
            Some(Excluded::Skipped(reason)) => self.skipped.push(missing(reason)),
            Some(Excluded::Failed(reason)) => self.failed.push(missing(reason)),
            None => return false,
        }
        true
    }

    /// The last sentence.
    pub fn sentence(&self) -> String {
        let void = if self.extent == Extent::Smoke {
            Some(Void::Smoke)
        } else {
            cfg!(debug_assertions).then_some(Void::Debug)
        };
        self.verdict.sentence(void, self.load.is_busy())
    }

    /// The causes of missing figures, each once.
    pub fn causes(&self) -> BTreeSet<Cause> {
        self.contenders.iter().flat_map(|row| &row.missing).map(|missing| missing.cause).collect()
    }

    /// What decides about the remedies.
    pub fn circumstances(&self) -> Circumstances {
        Circumstances {
            needed: self.rounds_needed,
            real_time: self.scheduling == machine::REAL_TIME,
            busy: self.load.is_busy(),
            quick: self.extent == Extent::Quick,
        }
    }
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |quantile: f64| values.get(((values.len().max(1) - 1) as f64 * quantile).round() as usize).copied();
    Spread { p10: at(0.1).unwrap_or(0.0), median: at(0.5).unwrap_or(0.0), p90: at(0.9).unwrap_or(0.0) }
}
