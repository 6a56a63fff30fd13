//! Measures all contenders, sweep after sweep. A change of the machine's speed thus affects all of them alike.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::bail;
use serde::de::DeserializeOwned;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::harness::clock::Ticks;
use crate::harness::contender::Unavailable;
use crate::harness::cores::Cores;
use crate::harness::newest::measurement::Newest;
use crate::harness::private_dir::PrivateDir;
use crate::row::Row;

use super::filter::Filter;
use super::load::Observer;
use super::options::Options;
use super::outcome::{Excluded, Measurements, Outcome};
use super::schedule::{Progress, Sweep};
use super::{missing, newest, subprocess, summary, verdict};

/// What all visits of a report share.
pub struct Visits<'a> {
    /// The private directory of the run.
    pub dir: &'a PrivateDir,
    /// The cores of a pair.
    pub cores: Cores,
    /// The length of a tick.
    pub ticks: Ticks,
    /// The command line.
    pub options: &'a Options,
    /// Whether the report has real-time priority.
    pub real_time: bool,
    interrupted: Arc<AtomicBool>,
}

impl<'a> Visits<'a> {
    /// Visits that end when SIGINT or SIGTERM comes.
    ///
    /// # Errors
    /// The kernel's.
    pub fn new(
        dir: &'a PrivateDir,
        cores: Cores,
        ticks: Ticks,
        options: &'a Options,
        real_time: bool,
    ) -> anyhow::Result<Self> {
        let interrupted = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
        }
        Ok(Self { dir, cores, ticks, options, real_time, interrupted })
    }

    /// Measures all rows that move messages, sweep after sweep, and then those that lack a figure.
    ///
    /// # Errors
    /// Interrupted by SIGINT or SIGTERM.
    pub fn messages(&self, rows: &[Row]) -> anyhow::Result<Outcome> {
        let lacks = |measurements: &Measurements, filter: &Filter| !missing::of(measurements, filter).is_empty();
        run(self, rows, "message", &[verdict::RING, summary::LINE], lacks, self.options.budget())
    }

    /// The same for all rows that keep the newest value.
    ///
    /// # Errors
    /// Interrupted by SIGINT or SIGTERM.
    pub fn newest(&self, rows: &[Row<Newest>]) -> anyhow::Result<Outcome<Newest>> {
        run(self, rows, "newest", &[newest::TABLE], newest::lacks, self.options.newest_budget())
    }
}

/// Measures all rows. The directories of their files begin with `phase`. The rows named `references` are visited beside
/// every row that lacks a figure. No visit begins after `budget`.
fn run<M: DeserializeOwned>(
    visits: &Visits<'_>,
    rows: &[Row<M>],
    phase: &str,
    references: &[&str],
    lacks: impl Fn(&Measurements<M>, &Filter) -> bool,
    budget: Option<Duration>,
) -> anyhow::Result<Outcome<M>> {
    let Visits { dir, cores, ticks, options, real_time, interrupted } = visits;
    let (filter, began) = (options.filter(), Instant::now());
    let is_reference = |row: &Row<M>| references.contains(&row.name.as_str());
    let references: Vec<usize> = (0..rows.len()).filter(|&index| is_reference(&rows[index])).collect();
    let mut all: Vec<Measurements<M>> = rows.iter().map(|_| Measurements::none()).collect();
    let (mut progress, mut observer) = (Progress::new(options.schedule()), Observer::default());
    let status = Status(std::io::stderr().is_terminal());
    while let Some((sweep, visits)) =
        progress.next(rows.len(), &references, |index| all[index].excluded.is_none() && lacks(&all[index], &filter))
    {
        all.iter_mut().for_each(|measurements| measurements.by_sweep.push(None));
        for (step, &index) in visits.iter().enumerate() {
            let measurements = &mut all[index];
            if measurements.excluded.is_some() {
                continue;
            }
            if budget.is_some_and(|budget| began.elapsed() > budget) {
                return Ok(Outcome { rows: all, load: observer.load() });
            }
            status.show(sweep, &format!("{} of {}: {}", step + 1, visits.len(), rows[index].name));
            let own = dir.subdir(&format!("{phase}-{}-{index}", measurements.by_sweep.len()))?;
            let plan = options.plan(rows[index].kind, *real_time);
            observer.look();
            match subprocess::measure(&rows[index], &own, *cores, &plan, *ticks, interrupted) {
                Ok(measurement) => *measurements.by_sweep.last_mut().expect("this sweep's") = Some(measurement),
                Err(_) if interrupted.load(Ordering::SeqCst) => bail!("interrupted"),
                Err(error) => {
                    measurements.excluded = Some(match error.downcast::<Unavailable>() {
                        Ok(unavailable) => Excluded::Skipped(unavailable.0),
                        Err(error) => Excluded::Failed(format!("{error:#}")),
                    });
                }
            }
        }
    }
    Ok(Outcome { rows: all, load: observer.load() })
}

/// One line on a terminal, which is overwritten. Dropping this clears it.
struct Status(bool);

impl Status {
    fn show(&self, sweep: Sweep, what: &str) {
        if !self.0 {
            return;
        }
        match sweep {
            Sweep::Regular(number) => eprint!("\r\x1b[Kround {number}, {what}"),
            Sweep::Extra(number) => eprint!("\r\x1b[Kextra round {number} for rows that lack a figure, {what}"),
        }
        let _ = std::io::stderr().flush();
    }
}

impl Drop for Status {
    fn drop(&mut self) {
        if self.0 {
            eprint!("\r\x1b[K");
        }
    }
}
