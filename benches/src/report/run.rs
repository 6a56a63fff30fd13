//! One run of the report, from its options to the files that it writes.

use std::fs::{self, File};
use std::io::Write as _;

use anyhow::{Context as _, ensure};

use crate::harness::clock::Ticks;
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
    ensure!(!rows.is_empty(), "no contender is named like `{}`: see --list", options.only.join("` or `"));
    if cfg!(debug_assertions) && options.extent() != Extent::Smoke {
        eprintln!("warning: the times of a debug build mean nothing: use cargo run --release");
    }
    let cores = options.cores()?;
    let dir = PrivateDir::create(&default_root())?;
    let ticks = Ticks::measure();
    let outcome = rounds::run(&rows, &dir, cores, ticks, options)?;
    let jitter = jitter::measure(&dir, cores, ticks, options.jitter_messages())?;
    let report = summary::Report::new(&rows, &outcome, jitter, options, cores, ticks)?;

    fs::create_dir_all(&options.output).with_context(|| options.output.display().to_string())?;
    let path = options.output.join("report.json");
    let mut file = File::create(&path).with_context(|| path.display().to_string())?;
    serde_json::to_writer_pretty(&file, &report).with_context(|| path.display().to_string())?;
    writeln!(file).with_context(|| path.display().to_string())?;
    table::print(&report, &mut std::io::stdout().lock())?;
    plot::draw_all(&report, &options.output)?;
    eprintln!("written: {}", options.output.display());
    for skipped in &report.skipped {
        eprintln!("SKIPPED: {}: {}", skipped.name, skipped.reason);
    }
    let failed: Vec<_> = report.failed.iter().map(|row| format!("{}: {}", row.name, row.reason)).collect();
    ensure!(failed.is_empty(), "{} of {} contenders failed: {}", failed.len(), rows.len(), failed.join("; "));
    Ok(())
}
