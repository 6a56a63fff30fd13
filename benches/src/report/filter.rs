//! From rounds to medians: which rounds count, and how many make a figure.

use crate::harness::calibrate::median;
use crate::harness::measurement::{Round, Samples, empty};

use super::outcome::Measurements;

/// The rule for which rounds count, and for how many make a figure.
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Rounds without which a figure is not stated.
    pub needed: usize,
    /// Samples without which the 99.9th percentile is not stated.
    pub tail: u64,
    /// Whether every round counts, and one sample is enough. The figures mean nothing then.
    pub keep_all: bool,
}

impl Filter {
    /// Samples without which the 99th percentile is not stated.
    pub const P99: u64 = 1_000;

    /// Samples without which a median of samples is not stated.
    pub const P50: u64 = 20;

    /// Whether a round counts.
    pub fn keeps<T>(&self, round: &Round<T>) -> bool {
        self.keep_all || round.flaw().is_none()
    }

    /// Whether a percentile that needs `needed` samples can be stated from `found`.
    pub fn suffices(&self, found: u64, needed: u64) -> bool {
        found >= if self.keep_all { 1 } else { needed }
    }

    /// The figure of each round that counts, by sweep.
    pub fn by_sweep<'a, M, T: 'a>(
        &self,
        measurements: &'a Measurements<M>,
        part: impl Fn(&'a M) -> Option<&'a Round<T>>,
        figure: impl Fn(&'a Round<T>) -> f64,
    ) -> Vec<Option<f64>> {
        let kept = |measurement: &'a M| part(measurement).filter(|round| self.keeps(round)).map(&figure);
        measurements.by_sweep.iter().map(|measurement| measurement.as_ref().and_then(kept)).collect()
    }

    /// The median over the sweeps, if there are enough.
    pub fn median(&self, figures: &[Option<f64>]) -> Option<f64> {
        let mut kept: Vec<f64> = figures.iter().copied().flatten().collect();
        (kept.len() >= self.needed).then(|| median(&mut kept))
    }

    /// The median ratio over the sweeps in which both rounds count.
    pub fn median_ratio(&self, over: &[Option<f64>], under: &[Option<f64>]) -> Option<f64> {
        let ratios: Vec<Option<f64>> = over.iter().zip(under).map(|(over, under)| Some((*over)? / (*under)?)).collect();
        self.median(&ratios)
    }

    /// Median, 99 % and 99.9 % of all samples of the rounds that count, in ns.
    pub fn quantiles<'a, T: 'a>(
        &self,
        rounds: impl Iterator<Item = &'a Round<T>>,
        samples: impl Fn(&'a T) -> &'a Samples,
    ) -> [Option<f64>; 3] {
        let (mut histogram, mut count) = (empty(), 0);
        for round in rounds.filter(|round| self.keeps(round)) {
            samples(&round.value).add_to(&mut histogram);
            count += 1;
        }
        [(0.5, Self::P50), (0.99, Self::P99), (0.999, self.tail)].map(|(quantile, needed)| {
            let known = count >= self.needed && self.suffices(histogram.len(), needed);
            known.then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
        })
    }
}

/// Latency divided by c2c, by sweep.
pub fn ping(filter: &Filter, measurements: &Measurements) -> Vec<Option<f64>> {
    filter.by_sweep(measurements, |measurement| Some(&measurement.ping), |round| round.value / round.c2c())
}

/// Time to publish without a reader, by sweep.
pub fn alone(filter: &Filter, measurements: &Measurements) -> Vec<Option<f64>> {
    filter.by_sweep(measurements, |measurement| measurement.alone.as_ref(), |round| round.value)
}

/// Median latency of a paced round, divided by c2c, by sweep.
pub fn pace(filter: &Filter, measurements: &Measurements, index: usize) -> Vec<Option<f64>> {
    filter.by_sweep(
        measurements,
        |measurement| measurement.paced.get(index),
        |round| round.value.samples.histogram().value_at_quantile(0.5) as f64 / 1000.0 / round.c2c(),
    )
}

#[cfg(test)]
mod tests {
    use crate::harness::measurement::Dropped;

    use super::*;

    fn filter() -> Filter {
        Filter { needed: 3, tail: 10_000, keep_all: false }
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
        let round = |after, preempted| {
            let dropped = Dropped::default();
            Round { before: 100.0, after, preempted, dropped, value: () }
        };
        assert!(filter().keeps(&round(110.0, false)));
        assert!(!filter().keeps(&round(120.0, false)));
        assert!(!filter().keeps(&round(100.0, true)));
    }
}
