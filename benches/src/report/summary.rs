//! From rounds to figures: drops unsteady rounds, takes medians of ratios, and states no figure from too few rounds.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::harness::calibrate::median;
use crate::harness::clock::Ticks;
use crate::harness::cores::Cores;
use crate::harness::measurement::{Measurement, Round, Samples, empty};
use crate::row::{Kind, Row};

use super::copies::{self, Copies};
use super::jitter::Jitter;
use super::machine::{self, Machine};
use super::options::{Extent, Options, TOLERANCE};
use super::rounds::{Excluded, Measurements, Outcome};

/// The row to which the ratios "over ring" refer.
pub const RING: &str = "feed-ring spin ro 56 65536";

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
    /// The scheduling policy: `other`, or `real-time` under `chrt -f 10 make report`.
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
    /// The rows with figures.
    pub contenders: Vec<Contender>,
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

/// The figures of one row. A figure that could not be measured is null.
#[derive(Debug, Serialize)]
pub struct Contender {
    /// The row's name.
    pub name: String,
    /// The kind of the row.
    pub kind: Kind,
    /// Bytes in a message.
    pub payload: usize,
    /// Messages that the contender holds.
    pub capacity: Option<usize>,
    /// One-way latency by ping-pong, divided by c2c.
    pub latency_over_c2c: Option<f64>,
    /// The same latency, divided by that of the ring.
    pub latency_over_ring: Option<f64>,
    /// One-way latency by ping-pong, in ns.
    pub latency_ns: Option<f64>,
    /// One-way latency for each distance of the cores that has enough rounds.
    pub latency_by_placement: Vec<Placed>,
    /// Median of single round trips, halved, in ns.
    pub latency_p50_ns: Option<f64>,
    /// 99 % of them are below.
    pub latency_p99_ns: Option<f64>,
    /// 99.9 % of them are below.
    pub latency_p999_ns: Option<f64>,
    /// Latency at a steady pace, for each interval.
    pub paced: Vec<Paced>,
    /// Time to publish a message without a reader, in ns.
    pub publish_ns: Option<f64>,
    /// The same time, divided by that of the ring.
    pub publish_over_ring: Option<f64>,
    /// The publisher's time for a message at full speed, divided by c2c.
    pub stream_over_c2c: Option<f64>,
    /// The same time in ns.
    pub stream_ns: Option<f64>,
    /// Messages received per second at full speed.
    pub received_per_second: Option<f64>,
    /// Messages lost at full speed, in percent of those sent.
    pub lost_percent: Option<f64>,
    /// Rounds of all kinds that count.
    pub rounds_kept: usize,
    /// Rounds of all kinds that were dropped.
    pub rounds_dropped: usize,
    /// The figures that are missing because too few rounds count.
    pub too_few: Vec<String>,
}

/// Latency at one distance of the cores. A virtual machine moves its cores during a report, and the ratios to c2c
/// depend on the distance.
#[derive(Clone, Debug, Serialize)]
pub struct Placed {
    /// c2c was between this and twice this, in ns. It is a power of two.
    pub c2c_from_ns: u64,
    /// Number of rounds.
    pub rounds: usize,
    /// Median latency, divided by c2c.
    pub over_c2c: f64,
    /// Median latency in ns.
    pub ns: f64,
}

/// Latency at a steady pace.
#[derive(Debug, Serialize)]
pub struct Paced {
    /// The interval between two messages, in ns.
    pub interval_ns: f64,
    /// Median latency, from the time at which a message was due to its receipt, in ns.
    pub p50_ns: Option<f64>,
    /// 99 % of the latencies are below.
    pub p99_ns: Option<f64>,
    /// 99.9 % of the latencies are below.
    pub p999_ns: Option<f64>,
    /// Median latency, divided by c2c.
    pub over_c2c: Option<f64>,
    /// Median latency, divided by that of a bare line at the same pace.
    pub over_line: Option<f64>,
    /// Whether the publisher kept the pace in most rounds. If not, the latency is that of a growing backlog.
    pub kept_pace: bool,
}

impl Report {
    /// Summarises all measurements.
    ///
    /// # Errors
    /// There is no measurement.
    pub fn new(
        rows: &[Row],
        outcome: &Outcome,
        wake_jitter: Vec<Jitter>,
        options: &Options,
        cores: Cores,
        ticks: Ticks,
    ) -> anyhow::Result<Self> {
        let filter = Filter {
            tolerance: TOLERANCE,
            needed: options.rounds_needed(),
            keep_all: options.extent() == Extent::Smoke,
        };
        let find = |name: &str| rows.iter().position(|row| row.name == name).map(|index| &outcome.rows[index]);
        let (ring, line) = (find(RING), find(LINE));
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
            c2c_ns: spread(
                outcome
                    .rows
                    .iter()
                    .flat_map(|measurements| measurements.by_sweep.iter().flatten())
                    .map(|v| v.ping.c2c()),
            ),
            rounds_kept: 0,
            rounds_dropped: 0,
            rounds_needed: filter.needed,
            contenders: Vec::new(),
            copies: copies::measure(ticks),
            wake_jitter,
            skipped: Vec::new(),
            failed: Vec::new(),
        };
        for (row, measurements) in rows.iter().zip(&outcome.rows) {
            let missing = |reason: &str| Missing { name: row.name.clone(), reason: reason.to_owned() };
            match &measurements.excluded {
                Some(Excluded::Skipped(reason)) => report.skipped.push(missing(reason)),
                Some(Excluded::Failed(reason)) => report.failed.push(missing(reason)),
                None => {
                    let contender = Contender::new(row, measurements, &filter, ring, line);
                    report.rounds_kept += contender.rounds_kept;
                    report.rounds_dropped += contender.rounds_dropped;
                    report.contenders.push(contender);
                }
            }
        }
        Ok(report)
    }
}

/// The rule for which rounds count, and for how many make a figure.
struct Filter {
    tolerance: f64,
    needed: usize,
    keep_all: bool,
}

impl Filter {
    fn keeps<T>(&self, round: &Round<T>) -> bool {
        self.keep_all || round.is_steady(self.tolerance)
    }

    /// The figure of each round that counts, by sweep.
    fn by_sweep<'a, T: 'a>(
        &self,
        measurements: &'a Measurements,
        part: impl Fn(&'a Measurement) -> Option<&'a Round<T>>,
        figure: impl Fn(&'a Round<T>) -> f64,
    ) -> Vec<Option<f64>> {
        let kept = |measurement: &'a Measurement| part(measurement).filter(|round| self.keeps(round)).map(&figure);
        measurements.by_sweep.iter().map(|measurement| measurement.as_ref().and_then(kept)).collect()
    }

    /// The median over the sweeps, if there are enough.
    fn median(&self, figures: &[Option<f64>]) -> Option<f64> {
        let mut kept: Vec<f64> = figures.iter().copied().flatten().collect();
        (kept.len() >= self.needed).then(|| median(&mut kept))
    }

    /// The median ratio over the sweeps in which both rounds count.
    fn median_ratio(&self, over: &[Option<f64>], under: &[Option<f64>]) -> Option<f64> {
        let ratios: Vec<Option<f64>> = over.iter().zip(under).map(|(over, under)| Some((*over)? / (*under)?)).collect();
        self.median(&ratios)
    }

    /// Median, 99 % and 99.9 % of all samples of the rounds that count, in ns.
    fn quantiles<'a>(&self, rounds: impl Iterator<Item = (&'a Samples, bool)>) -> [Option<f64>; 3] {
        let (mut histogram, mut count) = (empty(), 0);
        for (samples, kept) in rounds {
            if kept || self.keep_all {
                samples.add_to(&mut histogram);
                count += 1;
            }
        }
        [(0.5, 20), (0.99, 1_000), (0.999, 10_000)].map(|(quantile, needed)| {
            let known = count >= self.needed && (histogram.len() >= needed || (self.keep_all && !histogram.is_empty()));
            known.then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
        })
    }
}

/// Latency divided by c2c, by sweep.
fn ping(filter: &Filter, measurements: &Measurements) -> Vec<Option<f64>> {
    filter.by_sweep(measurements, |measurement| Some(&measurement.ping), |round| round.value / round.c2c())
}

/// Time to publish without a reader, by sweep.
fn alone(filter: &Filter, measurements: &Measurements) -> Vec<Option<f64>> {
    filter.by_sweep(measurements, |measurement| measurement.alone.as_ref(), |round| round.value)
}

/// Median latency of a paced round, divided by c2c, by sweep.
fn pace(filter: &Filter, measurements: &Measurements, index: usize) -> Vec<Option<f64>> {
    filter.by_sweep(
        measurements,
        |measurement| measurement.paced.get(index),
        |round| round.value.samples.histogram().value_at_quantile(0.5) as f64 / 1000.0 / round.c2c(),
    )
}

/// Latency for each distance of the cores, the nearest first.
fn by_placement(filter: &Filter, measurements: &Measurements) -> Vec<Placed> {
    let mut placements = BTreeMap::<u64, Vec<(f64, f64)>>::new();
    for round in
        measurements.by_sweep.iter().flatten().map(|measurement| &measurement.ping).filter(|round| filter.keeps(round))
    {
        let from = 1 << (round.c2c().max(1.0) as u64).ilog2();
        placements.entry(from).or_default().push((round.value / round.c2c(), round.value));
    }
    let placed = |(c2c_from_ns, rounds): (u64, Vec<(f64, f64)>)| Placed {
        c2c_from_ns,
        rounds: rounds.len(),
        over_c2c: median(&mut rounds.iter().map(|round| round.0).collect::<Vec<_>>()),
        ns: median(&mut rounds.iter().map(|round| round.1).collect::<Vec<_>>()),
    };
    placements.into_iter().filter(|(_, rounds)| rounds.len() >= filter.needed.min(5)).map(placed).collect()
}

impl Contender {
    fn new(
        row: &Row,
        measurements: &Measurements,
        filter: &Filter,
        ring: Option<&Measurements>,
        line: Option<&Measurements>,
    ) -> Self {
        let latency = ping(filter, measurements);
        let publish = alone(filter, measurements);
        let present = || measurements.by_sweep.iter().flatten();
        let [p50, p99, p999] = filter
            .quantiles(present().map(|measurement| (&measurement.single.value, filter.keeps(&measurement.single))));
        let stream = |figure: fn(&Round<crate::harness::measurement::Stream>) -> f64| {
            filter.median(&filter.by_sweep(measurements, |measurement| Some(&measurement.stream), figure))
        };
        let intervals = present().next().map_or(0, |measurement| measurement.paced.len());
        let paced = (0..intervals).map(|index| Paced::new(measurements, index, filter, line)).collect();
        let (mut kept, mut dropped) = (0, 0);
        for is_kept in present().flat_map(|measurement| {
            let mut all = vec![
                filter.keeps(&measurement.ping),
                filter.keeps(&measurement.single),
                filter.keeps(&measurement.stream),
            ];
            all.extend(measurement.paced.iter().map(|round| filter.keeps(round)));
            all.extend(measurement.alone.iter().map(|round| filter.keeps(round)));
            all
        }) {
            if is_kept { kept += 1 } else { dropped += 1 }
        }
        let mut contender = Self {
            name: row.name.clone(),
            kind: row.kind,
            payload: row.payload,
            capacity: row.capacity,
            latency_over_c2c: filter.median(&latency),
            latency_over_ring: ring.and_then(|ring| filter.median_ratio(&latency, &ping(filter, ring))),
            latency_ns: filter.median(&filter.by_sweep(
                measurements,
                |measurement| Some(&measurement.ping),
                |round| round.value,
            )),
            latency_by_placement: by_placement(filter, measurements),
            latency_p50_ns: p50,
            latency_p99_ns: p99,
            latency_p999_ns: p999,
            paced,
            publish_ns: filter.median(&publish),
            publish_over_ring: ring.and_then(|ring| filter.median_ratio(&publish, &alone(filter, ring))),
            stream_over_c2c: stream(|round| round.value.publish / round.c2c()),
            stream_ns: stream(|round| round.value.publish),
            received_per_second: stream(|round| round.value.per_second),
            lost_percent: stream(|round| 100.0 * (1.0 - round.value.received as f64 / round.value.sent as f64)),
            rounds_kept: kept,
            rounds_dropped: dropped,
            too_few: Vec::new(),
        };
        contender.note_too_few(present().any(|measurement| measurement.alone.is_some()));
        contender
    }

    fn note_too_few(&mut self, publishes_alone: bool) {
        let mut note = |what: &str, missing: bool| {
            if missing {
                self.too_few.push(what.to_owned());
            }
        };
        note("latency", self.latency_over_c2c.is_none());
        note("percentiles", self.latency_p50_ns.is_none());
        for paced in &self.paced {
            note(&format!("paced {} ns", paced.interval_ns), paced.p50_ns.is_none());
        }
        note("stream", self.stream_over_c2c.is_none());
        note("publish", publishes_alone && self.publish_ns.is_none());
    }
}

impl Paced {
    fn new(measurements: &Measurements, index: usize, filter: &Filter, line: Option<&Measurements>) -> Self {
        let rounds =
            || measurements.by_sweep.iter().flatten().filter_map(move |measurement| measurement.paced.get(index));
        let [p50, p99, p999] = filter.quantiles(rounds().map(|round| (&round.value.samples, filter.keeps(round))));
        let figures = pace(filter, measurements, index);
        let on_time = rounds().filter(|round| round.value.kept_pace).count();
        Self {
            interval_ns: rounds().next().map_or(0.0, |round| round.value.interval),
            p50_ns: p50,
            p99_ns: p99,
            p999_ns: p999,
            over_c2c: filter.median(&figures),
            over_line: line.and_then(|line| filter.median_ratio(&figures, &pace(filter, line, index))),
            kept_pace: 2 * on_time > rounds().count(),
        }
    }
}

fn spread(values: impl Iterator<Item = f64>) -> Spread {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let at = |quantile: f64| values.get(((values.len().max(1) - 1) as f64 * quantile).round() as usize).copied();
    Spread { p10: at(0.1).unwrap_or(0.0), median: at(0.5).unwrap_or(0.0), p90: at(0.9).unwrap_or(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter() -> Filter {
        Filter { tolerance: 0.15, needed: 3, keep_all: false }
    }

    #[test]
    fn too_few_rounds_give_no_figure() {
        assert_eq!(filter().median(&[Some(1.0), None, Some(3.0)]), None);
        assert_eq!(filter().median(&[Some(1.0), Some(9.0), None, Some(3.0)]), Some(3.0));
    }

    #[test]
    fn ratios_pair_figures_of_one_sweep() {
        let (over, under) = ([Some(2.0), Some(8.0), None, Some(3.0)], [Some(1.0), Some(2.0), Some(5.0), Some(1.0)]);
        assert_eq!(filter().median_ratio(&over, &under), Some(3.0));
    }

    #[test]
    fn unsteady_and_preempted_rounds_are_dropped() {
        let round = |after, preempted| Round { before: 100.0, after, preempted, value: () };
        assert!(filter().keeps(&round(110.0, false)));
        assert!(!filter().keeps(&round(120.0, false)));
        assert!(!filter().keeps(&round(100.0, true)));
    }
}
