//! The figures that a row lacks: why, and what to do.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::harness::measurement::{Dropped, Measurement, Round};

use super::filter::Filter;
use super::outcome::Measurements;

/// A figure that cannot be stated.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MissingFigure {
    /// The column of the table.
    pub figure: String,
    /// Why.
    pub cause: Cause,
    /// Rounds that count.
    pub kept: usize,
    /// Rounds that do not, those that were repeated at once included.
    pub dropped: Dropped,
    /// Samples in the rounds that count, if the figure is a percentile.
    pub samples: Option<u64>,
}

/// Why a figure is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Most dropped rounds lost a core to another process.
    Preempted,
    /// In most dropped rounds c2c changed.
    Unsteady,
    /// Too few rounds were measured, and none was dropped.
    Time,
    /// Enough rounds count, but they have too few samples.
    Samples,
}

/// What decides about the remedy.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances {
    /// Rounds without which a figure is not stated.
    pub needed: usize,
    /// Whether the sides had real-time priority.
    pub real_time: bool,
    /// Whether other processes wanted the cores.
    pub busy: bool,
    /// Whether the report was a quick one.
    pub quick: bool,
}

/// The figures that a row lacks, in the order of the table's columns.
pub fn of(measurements: &Measurements, filter: &Filter) -> Vec<MissingFigure> {
    let mut missing = Vec::new();
    let mut note = |figure: &str, kept, dropped: Dropped, samples: Option<(u64, u64)>| {
        let scarce = samples.is_some_and(|(found, needed)| !filter.suffices(found, needed));
        if kept < filter.needed || scarce {
            let cause = if kept >= filter.needed {
                Cause::Samples
            } else if dropped.all() == 0 {
                Cause::Time
            } else if dropped.preempted >= dropped.unsteady {
                Cause::Preempted
            } else {
                Cause::Unsteady
            };
            let samples = samples.map(|(found, _)| found);
            missing.push(MissingFigure { figure: figure.to_owned(), cause, kept, dropped, samples });
        }
    };
    let (kept, dropped) = count(measurements.present().map(|measurement| &measurement.ping), filter);
    note("latency", kept, dropped, None);
    let single = || measurements.present().map(|measurement| &measurement.single);
    let samples = single().filter(|round| filter.keeps(round)).map(|round| round.value.count()).sum();
    let (kept, dropped) = count(single(), filter);
    note("p99", kept, dropped, Some((samples, Filter::P99)));
    note("p99.9", kept, dropped, Some((samples, filter.tail)));
    let intervals = measurements.present().next().map(|measurement| &measurement.paced[..]).unwrap_or_default();
    for (index, paced) in intervals.iter().enumerate() {
        let rounds = measurements.present().filter_map(|measurement| measurement.paced.get(index));
        let (kept, dropped) = count(rounds, filter);
        note(&pace_title(paced.value.interval), kept, dropped, None);
    }
    if publishes_alone(measurements) {
        let (kept, dropped) =
            count(measurements.present().filter_map(|measurement| measurement.alone.as_ref()), filter);
        note("publish", kept, dropped, None);
    }
    let (kept, dropped) = count(measurements.present().map(|measurement| &measurement.stream), filter);
    note("stream", kept, dropped, None);
    missing
}

/// The number of rounds of all kinds that count, and of those that were dropped.
pub fn rounds(measurements: &Measurements, filter: &Filter) -> (usize, usize) {
    let of = |measurement: &Measurement| {
        let mut all =
            vec![one(&measurement.ping, filter), one(&measurement.single, filter), one(&measurement.stream, filter)];
        all.extend(measurement.paced.iter().map(|round| one(round, filter)));
        all.extend(measurement.alone.iter().map(|round| one(round, filter)));
        all
    };
    let all = measurements.present().flat_map(of);
    all.fold((0, 0), |(kept, dropped), (is_kept, flaws)| (kept + usize::from(is_kept), dropped + flaws.all()))
}

/// Whether the contender can publish without a reader.
pub fn publishes_alone(measurements: &Measurements) -> bool {
    measurements.present().any(|measurement| measurement.alone.is_some())
}

/// Whether the round counts, and the flaws of all its tries.
pub(super) fn one<T>(round: &Round<T>, filter: &Filter) -> (bool, Dropped) {
    let (kept, mut dropped) = (filter.keeps(round), round.dropped);
    if let Some(flaw) = round.flaw().filter(|_| !kept) {
        dropped.count(flaw);
    }
    (kept, dropped)
}

/// The number of rounds that count, and the flaws of the others.
pub(super) fn count<'a, T: 'a>(rounds: impl Iterator<Item = &'a Round<T>>, filter: &Filter) -> (usize, Dropped) {
    rounds.map(|round| one(round, filter)).fold((0, Dropped::default()), |(kept, mut all), (is_kept, dropped)| {
        all += dropped;
        (kept + usize::from(is_kept), all)
    })
}

/// The title of the column with messages at a steady pace.
pub fn pace_title(interval_ns: f64) -> String {
    format!("{}us", interval_ns / 1000.0)
}

/// One line for each cause: the figures that a row lacks, and the numbers behind it.
pub fn reasons(missing: &[MissingFigure], needed: usize) -> Vec<String> {
    let mut causes = BTreeMap::<Cause, Vec<&MissingFigure>>::new();
    for figure in missing {
        causes.entry(figure.cause).or_default().push(figure);
    }
    let line = |(cause, figures): (Cause, Vec<&MissingFigure>)| {
        let names: Vec<&str> = figures.iter().map(|missing| missing.figure.as_str()).collect();
        let names = names.join(", ");
        let (least, most) = range(figures.iter().map(|missing| missing.kept));
        let kept = if least == most { format!("{least}") } else { format!("{least} to {most}") };
        let mut dropped = Dropped::default();
        figures.iter().for_each(|missing| dropped += missing.dropped);
        let Dropped { preempted, unsteady } = dropped;
        match cause {
            Cause::Time => format!("{names}: {kept} of {needed} rounds were measured"),
            Cause::Samples => {
                let found = figures.iter().filter_map(|missing| missing.samples).min().unwrap_or_default();
                format!("{names}: {found} samples are too few")
            }
            Cause::Preempted | Cause::Unsteady => format!(
                "{names}: {kept} of {needed} rounds count; {preempted} were dropped because a side lost its core, \
                 {unsteady} because c2c changed"
            ),
        }
    };
    causes.into_iter().map(line).collect()
}

fn range(values: impl Iterator<Item = usize> + Clone) -> (usize, usize) {
    (values.clone().min().unwrap_or_default(), values.max().unwrap_or_default())
}

/// What to do about a cause.
pub fn remedy(cause: Cause, circumstances: Circumstances) -> String {
    let Circumstances { needed, real_time, busy, quick } = circumstances;
    let others = if busy { "end the other processes" } else { "keep the machine idle" };
    let longer = if quick { "leave QUICK=1 out" } else { "run with --rounds 60" };
    match cause {
        Cause::Preempted if real_time => format!(
            "a side lost its core although it has real-time priority: the kernel keeps some 5 % of each core for other \
             processes (sched_rt_runtime_us): {others}, or {longer}"
        ),
        Cause::Preempted => format!(
            "a side lost its core: run the report as root, so that it has real-time priority; {others}, or {longer}"
        ),
        Cause::Unsteady => format!(
            "c2c changed: the host of a virtual machine moved its cores, or the clock rate changed: measure again, or {longer}"
        ),
        Cause::Time => format!(
            "fewer than {needed} rounds were measured before the time was over: {longer}, or measure fewer rows: --only PART"
        ),
        Cause::Samples => format!("too few samples for a percentile: {longer}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::harness::clock::Ticks;
    use crate::harness::measurement::{Paced, Samples, Stream};

    use super::*;

    const FILTER: Filter = Filter { needed: 2, tail: 10_000, keep_all: false };

    fn round<T>(value: T) -> Round<T> {
        Round { before: 100.0, after: 100.0, preempted: false, dropped: Dropped::default(), value }
    }

    fn samples(count: usize) -> Samples {
        Samples::of(&vec![100; count], 1.0, Ticks::from_per_ns(1.0))
    }

    /// A measurement in which every round counts.
    fn measurement(count: usize) -> Measurement {
        let paced = |interval| round(Paced { interval, kept_pace: true, samples: samples(100) });
        Measurement {
            ping: round(70.0),
            single: round(samples(count)),
            paced: vec![paced(1_000.0), paced(100_000.0)],
            stream: round(Stream { publish: 4.0, sent: 10, received: 10, per_second: 1e6 }),
            alone: Some(round(3.0)),
        }
    }

    fn of_all(by_sweep: Vec<Option<Measurement>>) -> Vec<MissingFigure> {
        of(&Measurements { by_sweep, excluded: None }, &FILTER)
    }

    fn causes(missing: &[MissingFigure]) -> Vec<(&str, Cause)> {
        missing.iter().map(|missing| (missing.figure.as_str(), missing.cause)).collect()
    }

    #[test]
    fn a_row_with_enough_rounds_lacks_nothing() {
        assert_eq!(of_all(vec![Some(measurement(5_000)), None, Some(measurement(5_000))]), []);
    }

    #[test]
    fn too_few_visits_are_a_matter_of_time() {
        let missing = of_all(vec![Some(measurement(50_000)), None]);
        let all = ["latency", "p99", "p99.9", "1us", "100us", "publish", "stream"];
        assert_eq!(causes(&missing), all.map(|figure| (figure, Cause::Time)));
        let lines = reasons(&missing, 2);
        assert_eq!(lines, [format!("{}: 1 of 2 rounds were measured", all.join(", "))]);
        assert_eq!(of_all(vec![None, None])[0].cause, Cause::Time);
    }

    #[test]
    fn dropped_rounds_are_told_apart() {
        let mut disturbed = measurement(50_000);
        disturbed.ping.preempted = true;
        disturbed.ping.dropped = Dropped { preempted: 3, unsteady: 1 };
        disturbed.paced[1].after = 130.0;
        let missing = of_all(vec![Some(measurement(50_000)), Some(disturbed)]);
        assert_eq!(causes(&missing), [("latency", Cause::Preempted), ("100us", Cause::Unsteady)]);
        let dropped = "1 of 2 rounds count; 4 were dropped because a side lost its core, 1 because c2c changed";
        assert_eq!(reasons(&missing, 2)[0], format!("latency: {dropped}"));
    }

    #[test]
    fn repeated_rounds_are_counted_and_do_not_make_a_figure_missing() {
        let mut repeated = measurement(50_000);
        repeated.stream.dropped = Dropped { preempted: 2, unsteady: 0 };
        let measurements = Measurements { by_sweep: vec![Some(repeated), Some(measurement(50_000))], excluded: None };
        assert_eq!(of(&measurements, &FILTER), []);
        assert_eq!(rounds(&measurements, &FILTER), (12, 2));
    }

    #[test]
    fn scarce_samples_lack_only_the_percentile() {
        let missing = of_all(vec![Some(measurement(2_000)), Some(measurement(2_000))]);
        assert_eq!(causes(&missing), [("p99.9", Cause::Samples)]);
        assert_eq!(reasons(&missing, 2), ["p99.9: 4000 samples are too few"]);
    }

    #[test]
    fn a_contender_that_waits_for_readers_lacks_no_publishing() {
        let mut waits = measurement(50_000);
        waits.alone = None;
        assert!(!causes(&of_all(vec![Some(waits)])).iter().any(|(figure, _)| *figure == "publish"));
    }

    #[test]
    fn the_remedy_fits_the_circumstances() {
        let quiet = Circumstances { needed: 3, real_time: false, busy: false, quick: true };
        assert!(remedy(Cause::Preempted, quiet).contains("as root"));
        let busy = remedy(Cause::Preempted, Circumstances { real_time: true, busy: true, quick: false, ..quiet });
        assert!(busy.contains("end the other processes") && !busy.contains("as root"), "{busy}");
        for cause in [Cause::Preempted, Cause::Unsteady, Cause::Time, Cause::Samples] {
            assert!(remedy(cause, quiet).contains("QUICK=1"), "{cause:?}");
            assert!(!remedy(cause, Circumstances { quick: false, ..quiet }).contains("QUICK=1"), "{cause:?}");
        }
    }
}
