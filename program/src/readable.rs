//! Numbers as text for people.

use std::time::Duration;

/// `1234567` as `1,234,567`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes in the largest unit in which the number is at least 1: `4.0 MiB`.
pub fn bytes(bytes: u64) -> String {
    let mut unit = 0;
    let mut size = bytes as f64;
    // 1023.95 and more would be rounded to 1024.0.
    while size >= 1023.95 && unit < 6 {
        size /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        unit => format!("{size:.1} {}iB", b"BKMGTPE"[unit] as char),
    }
}

/// Messages per second: `1.25 M/s`.
pub fn rate(rate: f64) -> String {
    match rate {
        rate if rate < 999.5 => format!("{rate:.0} /s"),
        rate if rate < 999_500.0 => format!("{:.1} k/s", rate / 1e3),
        rate => format!("{:.2} M/s", rate / 1e6),
    }
}

/// Nanoseconds in the largest unit in which the number is at least 1, to three digits at most: `850 ns`, `6.1 us`, `34 ms`.
pub fn latency(nanoseconds: u64) -> String {
    let mut unit = 0;
    let mut number = nanoseconds as f64;
    // 999.5 and more would be rounded to 1000.
    while number >= 999.5 && unit < 3 {
        number /= 1e3;
        unit += 1;
    }
    let unit_name = ["ns", "us", "ms", "s"][unit];
    // 9.95 and more would be rounded to 10.0.
    if unit > 0 && number < 9.95 { format!("{number:.1} {unit_name}") } else { format!("{number:.0} {unit_name}") }
}

/// A duration: `4 h 12 min`, `3 min 20 s`, `7 s`, `0.25 s`.
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        3_600.. => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        60.. => format!("{} min {} s", seconds / 60, seconds % 60),
        10.. => format!("{seconds} s"),
        _ => format!("{} s", (duration.as_secs_f64() * 100.0).round() / 100.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_bytes_and_rates() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(0), bytes(1023), bytes(1024), bytes(4 << 20)], ["0 B", "1023 B", "1.0 KiB", "4.0 MiB"]);
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!([rate(0.0), rate(12.4), rate(999.7), rate(1.25e6)], ["0 /s", "12 /s", "1.0 k/s", "1.25 M/s"]);
    }

    #[test]
    fn latencies() {
        for (nanoseconds, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.0 us"),
            (6_149, "6.1 us"),
            (9_949, "9.9 us"),
            (9_950, "10 us"),
            (999_499, "999 us"),
            (999_500, "1.0 ms"),
            (34_000_000, "34 ms"),
            (1_630_000_000, "1.6 s"),
            (3_600_000_000_000, "3600 s"),
        ] {
            assert_eq!(latency(nanoseconds), text);
        }
    }

    #[test]
    fn durations() {
        for (milliseconds, text) in [
            (15_120_500, "4 h 12 min"),
            (3_600_000, "1 h 0 min"),
            (3_599_999, "59 min 59 s"),
            (60_000, "1 min 0 s"),
            (59_900, "59 s"),
            (5_000, "5 s"),
            (2_500, "2.5 s"),
            (0, "0 s"),
        ] {
            assert_eq!(duration(Duration::from_millis(milliseconds)), text);
        }
    }
}
