//! Quantiles of many durations.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::calibrate::median;

/// Quantiles in ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Half of the values are at most this.
    pub p50: u64,
    /// 99 % of the values are at most this.
    pub p99: u64,
    /// 99.9 % of the values are at most this.
    pub p999: u64,
}

impl Quantiles {
    /// The quantiles of these values.
    pub fn of(histogram: &Histogram<u64>) -> Self {
        let at = |quantile| histogram.value_at_quantile(quantile);
        Quantiles { p50: at(0.5), p99: at(0.99), p999: at(0.999) }
    }

    /// The median of each quantile.
    pub fn median(all: &[Self]) -> Self {
        let of = |quantile: fn(&Self) -> u64| {
            let mut values: Vec<f64> = all.iter().map(|quantiles| quantile(quantiles) as f64).collect();
            median(&mut values) as u64
        };
        Quantiles { p50: of(|all| all.p50), p99: of(|all| all.p99), p999: of(|all| all.p999) }
    }
}
