//! Lines of bounded length, from an input of any length.

use std::io::{BufRead, Read};

use super::super::compressed::Compression;
use super::super::error::{Reason, read_failed};
use super::super::foreign;

/// The longest line in bytes, without its line feed. It bounds memory for an input without line feeds.
const LINE_LIMIT: usize = 64 * 1024;

const CUT_SHORT: &str =
    "the input ends within this line, which may be cut short: end it with a line feed if it is whole";

/// What the reading of a line found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A line, which was appended with its line feed. A carriage return, too, ends the last one.
    Whole,
    /// A line that is longer than the limit; it was not kept.
    TooLong,
    /// So many zero bytes, and then the end of the input.
    Padding(u64),
    /// The end of the input.
    End,
}

/// Appends the next line to `text`.
pub(super) fn read(reader: &mut impl BufRead, text: &mut Vec<u8>) -> Result<Line, Reason> {
    let begin = text.len();
    let count = reader.take(LINE_LIMIT as u64 + 1).read_until(b'\n', text).map_err(read_failed)?;
    let line = &text[begin..];
    if Compression::recognise(line).is_some() {
        return Err(Reason::Malformed(format!("is no CSV row{}", foreign::joined(line))));
    }
    match line.last() {
        None => return Ok(Line::End),
        Some(b'\n') => return Ok(Line::Whole),
        // Behind it the input ends.
        Some(b'\r') if count <= LINE_LIMIT => return Ok(Line::Whole),
        Some(_) => {}
    }
    let mut zeros = line.iter().all(|&byte| byte == 0);
    text.truncate(begin);
    skip(reader, count as u64, &mut zeros)
}

/// Reads on to the end of a line of which `length` bytes were read.
fn skip(reader: &mut impl BufRead, mut length: u64, zeros: &mut bool) -> Result<Line, Reason> {
    loop {
        let mut piece = Vec::new();
        let count = reader.take(LINE_LIMIT as u64).read_until(b'\n', &mut piece).map_err(read_failed)?;
        length += count as u64;
        *zeros &= piece.iter().all(|&byte| byte == 0);
        match piece.last() {
            Some(b'\n') => return Ok(Line::TooLong),
            Some(_) => {}
            None if *zeros => return Ok(Line::Padding(length)),
            None => return Err(Reason::Malformed(CUT_SHORT.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    fn lines(input: &[u8]) -> Vec<Result<Line, String>> {
        let mut reader = BufReader::with_capacity(7, input);
        let mut found = Vec::new();
        loop {
            let line = read(&mut reader, &mut Vec::new()).map_err(|reason| reason.to_string());
            let last = !matches!(line, Ok(Line::Whole | Line::TooLong));
            found.push(line);
            if last {
                return found;
            }
        }
    }

    #[test]
    fn a_line_ends_with_its_line_feed() {
        assert_eq!(lines(b"a\nb\r\nc\r"), [Ok(Line::Whole), Ok(Line::Whole), Ok(Line::Whole), Ok(Line::End)]);
        assert_eq!(lines(b"a\nb"), [Ok(Line::Whole), Err(CUT_SHORT.to_owned())]);
        assert_eq!(lines(b""), [Ok(Line::End)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_not_kept() {
        let longest = [&vec![b'9'; LINE_LIMIT][..], b"\na\n"].concat();
        assert_eq!(lines(&longest), [Ok(Line::Whole), Ok(Line::Whole), Ok(Line::End)]);
        for length in [LINE_LIMIT + 1, LINE_LIMIT + 2, 5 * LINE_LIMIT] {
            let input = [&vec![b'9'; length][..], b"\na\n"].concat();
            assert_eq!(lines(&input), [Ok(Line::TooLong), Ok(Line::Whole), Ok(Line::End)], "{length}");
            assert_eq!(lines(&vec![b'9'; length]), [Err(CUT_SHORT.to_owned())], "{length}");
        }
    }

    #[test]
    fn zeros_up_to_the_end_are_padding() {
        for length in [1, LINE_LIMIT, 3 * LINE_LIMIT + 1] {
            let input = [b"a\n", &vec![0; length][..]].concat();
            assert_eq!(lines(&input), [Ok(Line::Whole), Ok(Line::Padding(length as u64))]);
            let input = [b"a\n", &vec![0; length][..], b"1"].concat();
            assert_eq!(lines(&input), [Ok(Line::Whole), Err(CUT_SHORT.to_owned())]);
        }
    }
}
