//! Times that cannot be: a value in another unit than its field, or of a broken clock.

use std::time::{Duration, SystemTime};

/// From 1990 to 2100, in ns since 1970.
const PLAUSIBLE: std::ops::Range<u64> = 631_152_000_000_000_000..4_102_444_800_000_000_000;

const SECOND: u64 = 1_000_000_000;

/// The unit of a field that counts from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    Milliseconds,
    Nanoseconds,
}

/// The units in which market data has times, and a unit's length in ns.
const UNITS: [(&str, u64); 4] =
    [("seconds", SECOND), ("milliseconds", 1_000_000), ("microseconds", 1_000), ("nanoseconds", 1)];

impl Unit {
    fn named(self) -> (&'static str, u64) {
        match self {
            Unit::Milliseconds => UNITS[1],
            Unit::Nanoseconds => UNITS[3],
        }
    }
}

/// True for a time in ns since 1970 that market data may have.
#[inline]
pub(super) fn is_plausible(time: u64) -> bool {
    PLAUSIBLE.contains(&time)
}

/// What a value of this field would mean, what was expected, and what it may be instead.
pub(super) fn implausible(field: &str, value: u64, unit: Unit) -> String {
    let (name, length) = unit.named();
    let means = match value.checked_mul(length) {
        Some(time) => format!("is {}", date(time)),
        None => "is after the year 2554".to_owned(),
    };
    let other = UNITS.iter().find_map(|&(other, length)| {
        let time = value.checked_mul(length).filter(|&time| is_plausible(time))?;
        Some(format!("; in {other} it would be {}", date(time)))
    });
    let other = other.unwrap_or_default();
    format!("{field} {value} {means}, in {name} since 1970 as this field has it: expected 1990 to 2100{other}")
}

/// A time in ns since 1970, to the second.
fn date(time: u64) -> String {
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + Duration::from_nanos(time)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_says_what_was_found_and_what_it_may_be() {
        for (field, value, unit, says) in [
            (
                "exch_ts_ms",
                1_723_161_600,
                Unit::Milliseconds,
                "exch_ts_ms 1723161600 is 1970-01-20T22:39:21Z, in milliseconds since 1970 as this field has it: expected \
                 1990 to 2100; in seconds it would be 2024-08-09T00:00:00Z",
            ),
            (
                "exch_ts_ms",
                1_723_161_600_042_000_000,
                Unit::Milliseconds,
                "exch_ts_ms 1723161600042000000 is after the year 2554, in milliseconds since 1970 as this field has it: \
                 expected 1990 to 2100; in nanoseconds it would be 2024-08-09T00:00:00Z",
            ),
            (
                "ts_event",
                9_000_000_000_000_000_000,
                Unit::Nanoseconds,
                "ts_event 9000000000000000000 is 2255-03-14T16:00:00Z, in nanoseconds since 1970 as this field has it: \
                 expected 1990 to 2100",
            ),
        ] {
            assert_eq!(implausible(field, value, unit), says);
        }
        assert!(implausible("ts_event", u64::MAX - 1, Unit::Nanoseconds).contains("is 2554-"));
        assert!(implausible("ts_event", 0, Unit::Nanoseconds).contains("is 1970-01-01T00:00:00Z"));
    }
}
