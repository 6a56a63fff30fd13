//! The figures of the rows that keep the newest value, and their table.

use std::io::{self, Write};

use serde::Serialize;

use crate::harness::measurement::Dropped;
use crate::newest::measurement::Newest;
use crate::row::{Kind, Row};

use super::filter::Filter;
use super::missing::{count, one};
use super::outcome::Measurements;
use super::table::figure;

/// The row of this project's table to which the ratios refer, for values of 56 bytes.
pub const TABLE: &str = "feed-ring table ro 56";

/// The same row without the number of bytes.
const PREFIX: &str = "feed-ring table ro ";

/// The figures of one row. A figure that could not be measured is null.
#[derive(Debug, Serialize)]
pub struct NewestRow {
    /// The row's name.
    pub name: String,
    /// The kind of the row.
    pub kind: Kind,
    /// Bytes in a value.
    pub payload: usize,
    /// Time of a store while nobody reads, in ns.
    pub store_ns: Option<f64>,
    /// The same time, divided by that of this project's table.
    pub store_over_table: Option<f64>,
    /// Time of a read of a row that does not change, in ns.
    pub read_ns: Option<f64>,
    /// The same time, divided by that of this project's table.
    pub read_over_table: Option<f64>,
    /// Time of a read beside a writer at full speed, in ns.
    pub read_beside_ns: Option<f64>,
    /// The same time, divided by that of this project's table.
    pub read_beside_over_table: Option<f64>,
    /// 99.9 % of the reads beside a writer at full speed take at most this, in ns.
    pub read_beside_p999_ns: Option<f64>,
    /// Time of a store beside a reader at full speed, in ns.
    pub store_beside_ns: Option<f64>,
    /// The attempts of the read that took the most, in all rounds. Null if the contender does not tell.
    pub most_attempts: Option<u32>,
    /// Rounds of all kinds that count.
    pub rounds_kept: usize,
    /// Rounds of all kinds that were dropped, those that were repeated at once included.
    pub rounds_dropped: usize,
}

/// The row of this project's table with values of the same size.
pub fn reference(rows: &[Row<Newest>], row: &Row<Newest>) -> Option<usize> {
    let name = format!("{PREFIX}{}", row.payload);
    rows.iter().position(|row| row.name == name)
}

/// Whether a figure is missing.
pub fn lacks(measurements: &Measurements<Newest>, filter: &Filter) -> bool {
    let single = || measurements.present().map(|newest| &newest.single);
    let samples = single().filter(|round| filter.keeps(round)).map(|round| round.value.count()).sum();
    let kept = [
        count(measurements.present().map(|newest| &newest.store), filter).0,
        count(measurements.present().map(|newest| &newest.read), filter).0,
        count(measurements.present().map(|newest| &newest.beside), filter).0,
        count(single(), filter).0,
    ];
    kept.iter().any(|&kept| kept < filter.needed) || !filter.suffices(samples, filter.tail)
}

/// The figures of each kind of round, by sweep.
struct BySweep {
    store: Vec<Option<f64>>,
    read: Vec<Option<f64>>,
    read_beside: Vec<Option<f64>>,
    store_beside: Vec<Option<f64>>,
}

impl BySweep {
    fn new(measurements: &Measurements<Newest>, filter: &Filter) -> Self {
        let beside = |figure: fn(&Newest) -> f64| {
            let kept = |newest: &Newest| filter.keeps(&newest.beside).then(|| figure(newest));
            measurements.by_sweep.iter().map(|newest| newest.as_ref().and_then(kept)).collect()
        };
        Self {
            store: filter.by_sweep(measurements, |newest| Some(&newest.store), |round| round.value),
            read: filter.by_sweep(measurements, |newest| Some(&newest.read), |round| round.value),
            read_beside: beside(|newest| newest.beside.value.read),
            store_beside: beside(|newest| newest.beside.value.store),
        }
    }
}

impl NewestRow {
    /// Summarises the measurements of a row. The ratios refer to the measurements of `table`.
    pub fn new(
        row: &Row<Newest>,
        measurements: &Measurements<Newest>,
        filter: &Filter,
        table: Option<&Measurements<Newest>>,
    ) -> Self {
        let (own, table) = (BySweep::new(measurements, filter), table.map(|table| BySweep::new(table, filter)));
        let over = |figures: &[Option<f64>], of_table: fn(&BySweep) -> &[Option<f64>]| {
            table.as_ref().and_then(|table| filter.median_ratio(figures, of_table(table)))
        };
        let [.., p999] = filter.quantiles(measurements.present().map(|newest| &newest.single), |samples| samples);
        let (rounds_kept, rounds_dropped) = rounds(measurements, filter);
        Self {
            name: row.name.clone(),
            kind: row.kind,
            payload: row.payload,
            store_ns: filter.median(&own.store),
            store_over_table: over(&own.store, |table| &table.store),
            read_ns: filter.median(&own.read),
            read_over_table: over(&own.read, |table| &table.read),
            read_beside_ns: filter.median(&own.read_beside),
            read_beside_over_table: over(&own.read_beside, |table| &table.read_beside),
            read_beside_p999_ns: p999,
            store_beside_ns: filter.median(&own.store_beside),
            most_attempts: measurements.present().filter_map(|newest| newest.most_attempts).max(),
            rounds_kept,
            rounds_dropped,
        }
    }
}

/// The number of rounds of all kinds that count, and of those that were dropped.
fn rounds(measurements: &Measurements<Newest>, filter: &Filter) -> (usize, usize) {
    let of = |newest: &Newest| -> [(bool, Dropped); 4] {
        [
            one(&newest.store, filter),
            one(&newest.read, filter),
            one(&newest.beside, filter),
            one(&newest.single, filter),
        ]
    };
    let all = measurements.present().flat_map(of);
    all.fold((0, 0), |(kept, dropped), (is_kept, flaws)| (kept + usize::from(is_kept), dropped + flaws.all()))
}

/// Prints the table of the newest value, if it has rows.
///
/// # Errors
/// Those of `out`.
pub fn print(rows: &[NewestRow], needed: usize, out: &mut impl Write) -> io::Result<()> {
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
