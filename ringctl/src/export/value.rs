//! One metric's values, and what encodes them.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::EncodeMetric;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// What encodes the values of one metric, each with its labels.
pub(super) type Family<'a> = dyn FnMut(&str, &str, Vec<(Labels, Value)>) -> fmt::Result + 'a;

/// Names and values of labels.
pub(super) type Labels = Vec<(&'static str, String)>;

/// The value of a metric.
pub(super) enum Value {
    Count(u64),
    Number(u64),
    Float(f64),
}

impl Value {
    pub(super) fn of(fact: bool) -> Self {
        Value::Number(fact.into())
    }

    pub(super) fn age(age: Duration) -> Self {
        Value::Float(age.as_secs_f64())
    }

    pub(super) fn encode(self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => ConstCounter::new(count).encode(encoder),
            // An integer gauge is an `i64`. Larger values do not occur.
            Value::Number(number) => ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)).encode(encoder),
            Value::Float(number) => ConstGauge::new(number).encode(encoder),
        }
    }
}
