//! One run of the report, from its options to the files that it writes.

use std::fs::{self, File};
use std::io::Write as _;

use anyhow::{Context as _, ensure};
use rustix::fs::{Access, access};

use crate::harness::clock::Ticks;
use crate::harness::priority::{self, Priority};
use crate::harness::private_dir::{PrivateDir, default_root};
use crate::row::Row;

use super::options::{Extent, Options};
use super::{jitter, plot, rounds, summary, table};

/// Runs the report.
///
/// # Errors
/// A contender failed (the report of the others is written first), SIGINT or SIGTERM came, or the file system refuses.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let rows: Vec<Row> = options.select(crate::contenders::all());
    let newest_rows = options.select(crate::contenders::newest());
    let count = rows.len() + newest_rows.len();
    ensure!(count > 0, "no contender is named like `{}`: see --list", options.only.join("` or `"));
    if cfg!(debug_assertions) && options.extent() != Extent::Smoke {
        eprintln!("warning: the times of a debug build mean nothing: use cargo run --release");
    }
    let cores = options.cores()?;
    let output = options.output.display().to_string();
    // Before the measurement, which takes minutes.
    let writable = || Ok::<(), std::io::Error>(access(&options.output, Access::WRITE_OK | Access::EXEC_OK)?);
    fs::create_dir_all(&options.output)
        .and_then(|()| writable())
        .with_context(|| format!("{output}: the report cannot be written there: choose a directory with --output"))?;
    let priority = if options.wants_real_time() { priority::take() } else { Priority::Declined };
    if options.extent() != Extent::Smoke {
        let bound = options.budget().map_or(String::new(), |_| " within a minute".into());
        eprintln!("report: {count} rows{bound}; {priority}");
    }
    let dir = PrivateDir::create(&default_root())?;
    let ticks = Ticks::measure();
    let visits = rounds::Visits::new(&dir, cores, ticks, options, priority.is_real_time())?;
    let outcome = visits.messages(&rows)?;
    let newest = visits.newest(&newest_rows)?;
    let jitter = jitter::measure(&dir, cores, ticks, options.jitter_messages())?;
    let report = summary::Report::new((&rows, &outcome), (&newest_rows, &newest), jitter, options, cores, ticks)?;

    let mut out = std::io::stdout().lock();
    table::print(&report, &mut out)?;
    let path = options.output.join("report.json");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    serde_json::to_writer_pretty(&file, &report).with_context(|| path.display().to_string())?;
    writeln!(file).with_context(|| path.display().to_string())?;
    plot::draw_all(&report, &options.output)?;
    eprintln!("written: {output}");
    for skipped in &report.skipped {
        eprintln!("SKIPPED: {}: {}", skipped.name, skipped.reason);
    }
    writeln!(out, "{}", report.sentence())?;
    let failed: Vec<_> = report.failed.iter().map(|row| format!("{}: {}", row.name, row.reason)).collect();
    ensure!(failed.is_empty(), "{} of {} contenders failed: {}", failed.len(), count, failed.join("; "));
    Ok(())
}
