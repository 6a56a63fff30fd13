//! What `make torn-read` concludes: a line for each kind of offset, and the closing sentence.

use crate::torn::Count;

/// Bytes in a cache line.
const LINE: usize = 64;

/// With fewer messages through the ring there is no verdict on it.
pub const ENOUGH: u64 = 1_000_000;

/// Where a word of eight bytes lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// At a multiple of eight bytes.
    Aligned,
    /// At another address, within one cache line.
    WithinLine,
    /// In two cache lines.
    AcrossLines,
}

impl Place {
    /// The place of the word at this offset from the beginning of a page.
    pub fn of(offset: usize) -> Self {
        if offset.is_multiple_of(8) {
            Self::Aligned
        } else if offset % LINE + 8 <= LINE {
            Self::WithinLine
        } else {
            Self::AcrossLines
        }
    }

    /// The words in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aligned => "aligned",
            Self::WithinLine => "within a line",
            Self::AcrossLines => "across lines",
        }
    }
}

/// What came through the ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Through {
    /// Messages received, and those of them that nobody published.
    pub count: Count,
    /// Messages overwritten before or while they were read.
    pub lost: u64,
}

/// The closing sentence, and whether something happened that must not happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The sentence.
    pub sentence: String,
    /// Whether the ring or an aligned word failed.
    pub failed: bool,
}

/// One line for each kind of offset, with the reason for what was seen.
pub fn explain(found: &[(usize, Count)]) -> Vec<String> {
    let mut lines = Vec::new();
    for (place, is_torn) in [Place::Aligned, Place::WithinLine, Place::AcrossLines]
        .into_iter()
        .flat_map(|place| [(place, true), (place, false)])
    {
        let members: Vec<_> =
            found.iter().filter(|(offset, count)| Place::of(*offset) == place && (count.torn > 0) == is_torn).collect();
        if members.is_empty() {
            continue;
        }
        let offsets: Vec<String> = members.iter().map(|(offset, _)| offset.to_string()).collect();
        let torn: u64 = members.iter().map(|(_, count)| count.torn).sum();
        let reads: u64 = members.iter().map(|(_, count)| count.reads).sum();
        let why = match (place, is_torn) {
            (Place::Aligned, false) => "every processor moves an aligned word as a whole",
            (Place::Aligned, true) => "an aligned word must never be torn",
            (Place::WithinLine, false) => {
                "the word lies in one cache line, and this processor moves it as a whole; Intel promises that, AMD does not"
            }
            (Place::WithinLine, true) => "this processor splits misaligned words even within a line",
            (Place::AcrossLines, true) => "the two lines are written one after the other, and the reader came between",
            (Place::AcrossLines, false) => {
                "the reader never came between the two lines in this time, which proves nothing: `make loom` finds the torn \
                 value at each of these offsets"
            }
        };
        let (torn, reads) = (grouped(torn), grouped(reads));
        lines.push(format!("{} ({}): {torn} torn in {reads} loads: {why}.", place.name(), offsets.join(", ")));
    }
    lines
}

/// The closing sentence.
pub fn verdict(found: &[(usize, Count)], ring: &Through) -> Verdict {
    let of = |place: Place| {
        let counts = found.iter().filter(move |(offset, _)| Place::of(*offset) == place).map(|(_, count)| count);
        counts.fold((0, 0), |(torn, reads), count| (torn + count.torn, reads + count.reads))
    };
    let (messages, lost) = (grouped(ring.count.reads), grouped(ring.lost));
    let failed = |sentence: String| Verdict { sentence, failed: true };
    let (aligned, _) = of(Place::Aligned);
    if ring.count.torn > 0 {
        return failed(format!(
            "Verdict: FAILED: {} of {messages} messages through the ring were torn.",
            ring.count.torn
        ));
    }
    if aligned > 0 {
        return failed(format!("Verdict: FAILED: {aligned} aligned words were torn, and the ring relies on them."));
    }
    let sentence = if ring.count.reads < ENOUGH {
        format!(
            "Verdict: open: none of {messages} messages through the ring was torn, but {} are needed: run it on two idle \
             cores, or for longer (torn-read 2000).",
            grouped(ENOUGH)
        )
    } else {
        let (torn, reads) = of(Place::AcrossLines);
        let ring =
            format!("none of {messages} messages through the ring was torn, while {lost} were overwritten and counted");
        if found.is_empty() {
            format!("Verdict: the incident was not tried on this processor; {ring}.")
        } else if torn > 0 {
            let (torn, reads) = (grouped(torn), grouped(reads));
            format!("Verdict: this processor tore {torn} of {reads} words that lie in two cache lines; {ring}.")
        } else {
            format!(
                "Verdict: no word was torn in this time, so the incident was not shown (torn-read 2000 takes longer); {ring}."
            )
        }
    };
    Verdict { sentence, failed: false }
}

/// A number with a comma after every three digits.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(reads: u64, torn: u64) -> Count {
        Count { reads, torn, example: None }
    }

    fn ring(received: u64, torn: u64) -> Through {
        Through { count: count(received, torn), lost: 7 }
    }

    const MANY: u64 = 12_345_678;

    #[test]
    fn places() {
        let of = |offsets: &[usize]| offsets.iter().map(|&offset| Place::of(offset)).collect::<Vec<_>>();
        assert_eq!(of(&[0, 1016, 1024, 4088]), [Place::Aligned; 4]);
        assert_eq!(of(&[1, 1001, 1015, 1025]), [Place::WithinLine; 4]);
        assert_eq!(of(&[1017, 1022, 1023, 4094]), [Place::AcrossLines; 4]);
    }

    #[test]
    fn every_offset_is_explained_once() {
        let found = [
            (1016, count(1_000, 0)),
            (1001, count(20, 0)),
            (1019, count(500, 0)),
            (1022, count(9, 3)),
            (4094, count(9, 1)),
        ];
        let lines = explain(&found);
        let heads = [
            "aligned (1016): 0 torn in 1,000",
            "within a line (1001): 0",
            "across lines (1022, 4094): 4 torn in 18",
            "across lines (1019): 0",
        ];
        assert_eq!(lines.len(), heads.len(), "{lines:?}");
        lines.iter().zip(heads).for_each(|(line, head)| assert!(line.starts_with(head), "{line}"));
        assert!(lines[3].contains("proves nothing"), "{}", lines[3]);
    }

    #[test]
    fn one_torn_message_fails() {
        let verdict = verdict(&[(1022, count(9, 3))], &ring(MANY, 1));
        assert!(verdict.failed && verdict.sentence.contains("1 of 12,345,678"), "{verdict:?}");
    }

    #[test]
    fn a_torn_aligned_word_fails_and_one_across_lines_does_not() {
        assert!(verdict(&[(1024, count(9, 1))], &ring(MANY, 0)).failed);
        let across = verdict(&[(1022, count(9_000, 3))], &ring(MANY, 0));
        assert!(!across.failed, "{across:?}");
        let said = "tore 3 of 9,000 words that lie in two cache lines; none of 12,345,678 messages";
        assert!(across.sentence.contains(said), "{across:?}");
    }

    #[test]
    fn without_evidence_the_sentence_says_so() {
        let unseen = verdict(&[(1022, count(9, 0))], &ring(MANY, 0));
        assert!(!unseen.failed && unseen.sentence.contains("was not shown"), "{unseen:?}");
        let untried = verdict(&[], &ring(MANY, 0));
        assert!(!untried.failed && untried.sentence.contains("was not tried"), "{untried:?}");
        let few = verdict(&[(1022, count(9, 3))], &ring(ENOUGH - 1, 0));
        assert!(!few.failed && few.sentence.starts_with("Verdict: open"), "{few:?}");
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
