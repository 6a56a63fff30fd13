//! The figures of the rows that keep the newest value.

use serde::Serialize;

use crate::harness::measurement::Dropped;
use crate::harness::newest::measurement::Newest;
use crate::row::{Kind, Row};

use super::contender::Contender;
use super::filter::Filter;
use super::missing::{count, one};
use super::outcome::Measurements;
use super::verdict;

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

/// Time of a store into this project's table, divided by that of publishing on its ring. Both without a reader.
pub fn store_over_publish(rows: &[NewestRow], contenders: &[Contender]) -> Option<f64> {
    let store = rows.iter().find(|row| row.name == TABLE)?.store_ns?;
    Some(store / contenders.iter().find(|row| row.name == verdict::RING)?.publish_ns?)
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

#[cfg(test)]
mod tests {
    use crate::contenders;
    use crate::harness::clock::Ticks;
    use crate::harness::measurement::{Round, Samples};
    use crate::harness::newest::measurement::Beside;

    use super::*;

    const FILTER: Filter = Filter { needed: 2, tail: 1_000, keep_all: false };

    fn round<T>(value: T) -> Round<T> {
        Round { before: 100.0, after: 100.0, preempted: false, dropped: Dropped::default(), value }
    }

    /// A measurement in which every round counts, and each figure is a multiple of `unit`.
    fn newest(unit: f64, most_attempts: u32) -> Newest {
        Newest {
            store: round(unit),
            read: round(2.0 * unit),
            beside: round(Beside { store: 3.0 * unit, read: 4.0 * unit }),
            single: round(Samples::of(&[100; 500], 1.0, Ticks::from_per_ns(1.0))),
            most_attempts: Some(most_attempts),
        }
    }

    fn of(by_sweep: Vec<Option<Newest>>) -> Measurements<Newest> {
        Measurements { by_sweep, excluded: None }
    }

    fn row_named(name: &str) -> Row<Newest> {
        contenders::newest().into_iter().find(|row| row.name == name).expect("a row of this name")
    }

    #[test]
    fn ratios_are_of_one_sweep_and_the_most_attempts_are_of_all() {
        let table = of(vec![Some(newest(1.0, 2)), Some(newest(10.0, 1)), Some(newest(100.0, 1))]);
        let mut disturbed = newest(2.0, 3);
        disturbed.store.preempted = true;
        let own = of(vec![Some(disturbed), Some(newest(30.0, 1)), Some(newest(300.0, 1))]);
        let row = NewestRow::new(&row_named(TABLE), &own, &FILTER, Some(&table));
        assert_eq!((row.store_ns, row.store_over_table), (Some(165.0), Some(3.0)));
        assert_eq!((row.read_ns, row.read_over_table), (Some(60.0), Some(3.0)));
        assert_eq!((row.read_beside_ns, row.store_beside_ns), (Some(120.0), Some(90.0)));
        assert_eq!((row.most_attempts, row.rounds_kept, row.rounds_dropped), (Some(3), 11, 1));
    }

    #[test]
    fn a_row_lacks_a_figure_if_too_few_rounds_or_samples_count() {
        let mut disturbed = newest(1.0, 1);
        disturbed.beside.after = 130.0;
        assert!(!lacks(&of(vec![Some(newest(1.0, 1)), Some(newest(1.0, 1))]), &FILTER));
        assert!(lacks(&of(vec![Some(newest(1.0, 1)), None]), &FILTER));
        assert!(lacks(&of(vec![Some(newest(1.0, 1)), Some(disturbed)]), &FILTER));
        assert!(lacks(&of(vec![Some(newest(1.0, 1)), Some(newest(1.0, 1))]), &Filter { tail: 1_001, ..FILTER }));
    }

    #[test]
    fn the_reference_is_the_table_with_values_of_the_same_size() {
        let rows = contenders::newest();
        for row in &rows {
            let reference = reference(&rows, row).map(|index| &rows[index]).expect("a reference");
            assert_eq!((reference.payload, reference.kind), (row.payload, Kind::Table));
        }
        assert_eq!(row_named(TABLE).payload, 56);
    }
}
