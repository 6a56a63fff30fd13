//! The figures of one row, from the rounds that count.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::harness::calibrate::median;
use crate::harness::measurement::{Round, Stream};
use crate::row::{Kind, Row};

use super::filter::{Filter, alone, pace, ping};
use super::missing::{self, MissingFigure};
use super::outcome::Measurements;

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
    /// Rounds of all kinds that were dropped, those that were repeated at once included.
    pub rounds_dropped: usize,
    /// Whether it can publish without a reader. If not, `publish_ns` is null and not missing.
    pub publishes_alone: bool,
    /// The figures that are null because too few rounds count, and why.
    pub missing: Vec<MissingFigure>,
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

/// Latency for each distance of the cores, the nearest first.
fn by_placement(filter: &Filter, measurements: &Measurements) -> Vec<Placed> {
    let mut placements = BTreeMap::<u64, Vec<(f64, f64)>>::new();
    for round in measurements.present().map(|measurement| &measurement.ping).filter(|round| filter.keeps(round)) {
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
    /// A row without figures.
    #[cfg(test)]
    pub(super) fn empty() -> Self {
        Self {
            name: String::new(),
            kind: Kind::Limit,
            payload: 0,
            capacity: None,
            latency_over_c2c: None,
            latency_over_ring: None,
            latency_ns: None,
            latency_by_placement: Vec::new(),
            latency_p50_ns: None,
            latency_p99_ns: None,
            latency_p999_ns: None,
            paced: Vec::new(),
            publish_ns: None,
            publish_over_ring: None,
            stream_over_c2c: None,
            stream_ns: None,
            received_per_second: None,
            lost_percent: None,
            rounds_kept: 0,
            rounds_dropped: 0,
            publishes_alone: false,
            missing: Vec::new(),
        }
    }

    /// Summarises the measurements of a row. The ratios refer to the measurements of `ring` and of `line`.
    pub fn new(
        row: &Row,
        measurements: &Measurements,
        filter: &Filter,
        ring: Option<&Measurements>,
        line: Option<&Measurements>,
    ) -> Self {
        let latency = ping(filter, measurements);
        let publish = alone(filter, measurements);
        let single = measurements.present().map(|measurement| &measurement.single);
        let [p50, p99, p999] = filter.quantiles(single, |samples| samples);
        let stream = |figure: fn(&Round<Stream>) -> f64| {
            filter.median(&filter.by_sweep(measurements, |measurement| Some(&measurement.stream), figure))
        };
        let intervals = measurements.present().next().map_or(0, |measurement| measurement.paced.len());
        let paced = (0..intervals).map(|index| Paced::new(measurements, index, filter, line)).collect();
        let (kept, dropped) = missing::rounds(measurements, filter);
        Self {
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
            publishes_alone: missing::publishes_alone(measurements),
            missing: missing::of(measurements, filter),
        }
    }
}

impl Paced {
    fn new(measurements: &Measurements, index: usize, filter: &Filter, line: Option<&Measurements>) -> Self {
        let rounds = || measurements.present().filter_map(move |measurement| measurement.paced.get(index));
        let [p50, p99, p999] = filter.quantiles(rounds(), |paced| &paced.samples);
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
