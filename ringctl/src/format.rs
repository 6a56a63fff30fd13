//! Numbers and names as text for people.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

/// `1234567` as `1,234,567`.
pub(crate) fn count(number: u64) -> String {
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
pub(crate) fn bytes(bytes: u64) -> String {
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
pub(crate) fn rate(rate: f64) -> String {
    match rate {
        rate if rate < 999.5 => format!("{rate:.0} /s"),
        rate if rate < 999_500.0 => format!("{:.1} k/s", rate / 1e3),
        rate => format!("{:.2} M/s", rate / 1e6),
    }
}

/// Text from a segment or a file system without control characters, for a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A file name for the output: control characters and bytes that are not UTF-8 as numbers, so that different names look
/// different.
pub(crate) fn printable_name(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\\' => text.push_str("\\\\"),
                c if c.is_control() => text.extend(c.escape_unicode()),
                c => text.push(c),
            }
        }
        for byte in chunk.invalid() {
            // Writing to a String cannot fail.
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_names_look_the_same() {
        let names: [&[u8]; 7] = [b"quotes", b"a\x01", b"a\x02", b"a\\u{1}", b"a\xff", b"a\xfe", b"a\\xff"];
        let printable_name = names.map(|name| printable_name(OsStr::from_bytes(name)));
        assert_eq!(printable_name, ["quotes", "a\\u{1}", "a\\u{2}", "a\\\\u{1}", "a\\xff", "a\\xfe", "a\\\\xff"]);
    }

    #[test]
    fn numbers_for_people() {
        assert_eq!([count(0), count(999), count(1000), count(1_234_567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!([bytes(0), bytes(1023), bytes(1024), bytes(4 << 20)], ["0 B", "1023 B", "1.0 KiB", "4.0 MiB"]);
        assert_eq!(bytes((1 << 20) - 1), "1.0 MiB");
        assert_eq!(bytes(u64::MAX), "16.0 EiB");
        assert_eq!([rate(0.0), rate(12.4), rate(999.7), rate(1.25e6)], ["0 /s", "12 /s", "1.0 k/s", "1.25 M/s"]);
    }
}
