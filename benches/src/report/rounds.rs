//! The rounds: sweep after sweep over all contenders, so that what the machine does hits all of them alike.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::bail;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::harness::clock::Ticks;
use crate::harness::contender::Unavailable;
use crate::harness::cores::Cores;
use crate::harness::place::Place;
use crate::harness::visit::Visit;
use crate::row::Row;

use super::options::Options;
use super::visitor;

/// Why a row has no visits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// The machine does not offer it.
    Skipped(String),
    /// It went wrong.
    Failed(String),
}

/// The visits of one row, one per sweep; a sweep in which it was not visited is `None`.
#[derive(Debug, Default)]
pub struct Visits {
    /// By sweep.
    pub by_sweep: Vec<Option<Visit>>,
    /// Why there are no more.
    pub out: Option<Out>,
}

/// All visits, a row each.
#[derive(Debug)]
pub struct Outcome {
    /// As the rows.
    pub rows: Vec<Visits>,
}

/// Visits all rows, sweep after sweep.
///
/// # Errors
/// Interrupted by SIGINT or SIGTERM.
pub fn run(rows: &[Row], place: &Place, cores: Cores, ticks: Ticks, options: &Options) -> anyhow::Result<Outcome> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let (plan, began) = (options.plan(), Instant::now());
    let mut outcome = Outcome { rows: rows.iter().map(|_| Visits::default()).collect() };
    let progress = std::io::stderr().is_terminal();
    for sweep in 0..options.rounds() {
        for visits in &mut outcome.rows {
            visits.by_sweep.push(None);
        }
        // Each sweep begins elsewhere, so that no contender always follows the same one.
        for step in 0..rows.len() {
            let index = (step + sweep * 7) % rows.len();
            let visits = &mut outcome.rows[index];
            if visits.out.is_some() {
                continue;
            }
            if options.budget().is_some_and(|budget| began.elapsed() > budget) {
                return Ok(outcome);
            }
            if progress {
                eprint!("\r\x1b[Kround {} of {}: {}", sweep + 1, options.rounds(), rows[index].name);
                let _ = std::io::stderr().flush();
            }
            let own = place.within(&format!("{sweep}-{index}"))?;
            match visitor::visit(&rows[index], &own, cores, &plan, ticks, &interrupted) {
                Ok(visit) => visits.by_sweep[sweep] = Some(visit),
                Err(_) if interrupted.load(Ordering::SeqCst) => bail!("interrupted"),
                Err(error) => {
                    visits.out = Some(match error.downcast::<Unavailable>() {
                        Ok(unavailable) => Out::Skipped(unavailable.0),
                        Err(error) => Out::Failed(format!("{error:#}")),
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
