//! Numbers and names as text for people.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;

pub(crate) use feed_program::readable::{bytes, count, rate};

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
}
