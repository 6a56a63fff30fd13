//! The table of the newest value on the terminal, with `-` where too few rounds count.

use std::io::{self, Write};

use super::figure::figure;
use super::newest::{NewestRow, TABLE};
use super::summary::Report;
use super::verdict;

/// Prints the table of the newest value, if it has rows.
///
/// # Errors
/// Those of `out`.
pub fn print(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let (rows, needed) = (&report.newest, report.rounds_needed);
    if rows.is_empty() {
        return Ok(());
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    writeln!(out)?;
    write!(out, "{:width$} {:>12}", "newest value", "kind")?;
    let head =
        ["store ns", "/ table", "read ns", "/ table", "beside ns", "/ table", "p99.9 ns", "store beside", "attempts"];
    for title in head {
        write!(out, " {title:>12}")?;
    }
    writeln!(out)?;
    for row in rows {
        write!(out, "{:width$} {:>12}", row.name, row.kind.name())?;
        let figures = [
            row.store_ns,
            row.store_over_table,
            row.read_ns,
            row.read_over_table,
            row.read_beside_ns,
            row.read_beside_over_table,
            row.read_beside_p999_ns,
            row.store_beside_ns,
        ];
        for value in figures {
            write!(out, " {:>12}", figure(value))?;
        }
        let attempts = row.most_attempts.map_or("n/a".into(), |attempts| attempts.to_string());
        writeln!(out, " {attempts:>12}")?;
    }
    writeln!(out, "beside: reads and stores of one row, both at full speed; attempts: of the read that took the most")?;
    if let Some(ratio) = report.store_over_publish {
        writeln!(out, "a store into {TABLE} takes {ratio:.2} times a publish of {}", verdict::RING)?;
    }
    let lacks = |row: &&NewestRow| {
        [row.store_ns, row.read_ns, row.read_beside_ns, row.read_beside_p999_ns].iter().any(Option::is_none)
    };
    for row in rows.iter().filter(lacks) {
        let (kept, dropped) = (row.rounds_kept, row.rounds_dropped);
        writeln!(
            out,
            "-: {}: of each kind {needed} rounds must count; of all kinds {kept} count, {dropped} do not",
            row.name
        )?;
    }
    Ok(())
}
