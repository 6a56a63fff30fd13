//! Measures all contenders, sweep after sweep. A change of the machine's speed thus affects all of them alike.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::bail;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::harness::clock::Ticks;
use crate::harness::contender::Unavailable;
use crate::harness::cores::Cores;
use crate::harness::measurement::Measurement;
use crate::harness::private_dir::PrivateDir;
use crate::row::Row;

use super::options::Options;
use super::subprocess;

/// Why a row has no measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Excluded {
    /// The machine does not offer the mechanism.
    Skipped(String),
    /// A measurement failed.
    Failed(String),
}

/// The measurements of one row.
#[derive(Debug, Default)]
pub struct Measurements {
    /// One for each sweep; `None` if the sweep ended before the row's turn.
    pub by_sweep: Vec<Option<Measurement>>,
    /// Why the row has no more measurements.
    pub excluded: Option<Excluded>,
}

/// The measurements of all rows.
#[derive(Debug)]
pub struct Outcome {
    /// In the order of the rows.
    pub rows: Vec<Measurements>,
}

/// Measures all rows, sweep after sweep.
///
/// # Errors
/// Interrupted by SIGINT or SIGTERM.
pub fn run(rows: &[Row], dir: &PrivateDir, cores: Cores, ticks: Ticks, options: &Options) -> anyhow::Result<Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let (plan, began) = (options.plan(), Instant::now());
    let mut outcome = Outcome { rows: rows.iter().map(|_| Measurements::default()).collect() };
    let progress = std::io::stderr().is_terminal();
    for sweep in 0..options.rounds() {
        for measurements in &mut outcome.rows {
            measurements.by_sweep.push(None);
        }
        // Each sweep begins with another row, so that no contender always follows the same one.
        for step in 0..rows.len() {
            let index = (step + sweep * 7) % rows.len();
            let measurements = &mut outcome.rows[index];
            if measurements.excluded.is_some() {
                continue;
            }
            if options.budget().is_some_and(|budget| began.elapsed() > budget) {
                return Ok(outcome);
            }
            if progress {
                eprint!("\r\x1b[Kround {} of {}: {}", sweep + 1, options.rounds(), rows[index].name);
                let _ = std::io::stderr().flush();
            }
            let own = dir.subdir(&format!("{sweep}-{index}"))?;
            match subprocess::measure(&rows[index], &own, cores, &plan, ticks, &interrupted) {
                Ok(measurement) => measurements.by_sweep[sweep] = Some(measurement),
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
    if progress {
        eprint!("\r\x1b[K");
    }
    Ok(outcome)
}
