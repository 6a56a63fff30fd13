//! Bytes in hexadecimal, for programs and for people.

use std::fmt::Write as _;

pub(crate) use feed::records::hex;

/// Sixteen bytes a line: offset, bytes, and printable characters.
pub(crate) fn lines_of_hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, bytes) in bytes.chunks(16).enumerate() {
        let pairs: Vec<String> = bytes.chunks(8).map(spaced).collect();
        let letters: String =
            bytes.iter().map(|&byte| if (b' '..=b'~').contains(&byte) { char::from(byte) } else { '.' }).collect();
        let _ = writeln!(text, "  {:04x}  {:<48}  |{letters}|", line * 16, pairs.join("  "));
    }
    text
}

fn spaced(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_hexadecimal() {
        assert_eq!(hex(&[0, 255, 16]), "00ff10");
        assert_eq!(
            lines_of_hex(b"0123456789abcdef\n\x7f"),
            "  0000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  |0123456789abcdef|\n  \
               0010  0a 7f                                             |..|\n"
        );
    }
}
