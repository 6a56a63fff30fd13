//! A ring of records: messages of any length, each in as many slots as it needs.
//!
//! ```text
//!  first slot      word │ number (low 32 bits), length (24 bits), kind (8 bits) │ bytes …
//!  further slots   word │ bytes …
//! ```
//!
//! The header is a ring's up to its schema: layout.rs has it. The schema's text names the encoding of the records and, where
//! they are structs, the format of each kind:
//!
//! ```text
//! Records dbn                     the records are DBN's
//! Records                         bytes, of which nothing is known
//! Records structs                 of kind 1 there are Trades, of kind 7 Quotes
//! #1
//! Trade 24 8
//! …
//! #7
//! Quote 40 8
//! …
//! ```

use super::fields::SchemaError;
use super::message::MessageFormat;
use crate::sync::RECORD_PART;

/// What the header's word for the kind of a segment says of a ring of records.
pub(crate) const KIND: u64 = 3;

/// Word index, in the header, of the position of the record that was published last. In the line of the count, because both
/// change with a record.
pub(crate) const PLACE: usize = 65;

/// Words of a slot that hold no bytes of a record: its word, and in the first slot of a record its head.
const FIRST: usize = 2;
const FURTHER: usize = 1;

/// The longest record that a head can name.
const MAX_LENGTH: usize = (1 << 24) - 1;

/// The smallest and the largest slot, in bytes. A slot is a power of two.
pub(crate) const SLOT: usize = 64;
pub(crate) const MAX_SLOT: usize = 4096;

/// Positions stay below this: two bits of a slot's word are for its state, and one more tells a place that is not the next
/// record's.
pub(crate) const MAX_POSITION: u64 = 1 << 61;

/// How many bytes of a record its first slot of `words` words holds.
#[inline(always)]
pub(crate) const fn in_first(words: usize) -> usize {
    (words - FIRST) * 8
}

/// How many bytes of a record each further slot holds.
#[inline(always)]
pub(crate) const fn in_further(words: usize) -> usize {
    (words - FURTHER) * 8
}

/// How many slots of `words` words a record of `length` bytes takes.
#[inline(always)]
pub(crate) const fn slots_of(length: usize, words: usize) -> u64 {
    let further = length.saturating_sub(in_first(words));
    // Most records take one slot or two: a branch is quicker than a division.
    if further == 0 {
        1
    } else if further <= in_further(words) {
        2
    } else {
        1 + further.div_ceil(in_further(words)) as u64
    }
}

/// The longest record of a ring of `capacity` slots: a quarter of the ring, and at most 16 MiB less one byte. A ring of 2^32
/// slots holds fewer than 2^32 records, so 32 bits of a number tell which of them it is.
pub(crate) const fn longest(capacity: u64, words: usize) -> usize {
    // In a ring of two slots, one of them.
    let further = (capacity / RECORD_PART).saturating_sub(1) as usize;
    let length = further.saturating_mul(in_further(words)).saturating_add(in_first(words));
    if length < MAX_LENGTH { length } else { MAX_LENGTH }
}

/// The valid size of a slot that is next to `bytes`.
pub(crate) fn nearest_slot(bytes: usize) -> usize {
    bytes.clamp(SLOT, MAX_SLOT).next_power_of_two()
}

/// What a ring's records are: their encoding, and the formats of their kinds.
///
/// ```
/// use feed_ring::records::RecordsFormat;
///
/// fn main() {
///     let format = RecordsFormat::encoded("dbn");
///     assert_eq!((format.encoding(), format.kinds().count()), ("dbn", 0));
/// }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordsFormat {
    encoding: String,
    kinds: Vec<(u8, MessageFormat)>,
}

const NAME: &str = "Records";

impl RecordsFormat {
    /// Records in an encoding of this name, which tools use to print them: `dbn`, `itch`, or one of your own.
    ///
    /// # Panics
    /// If the name is not of 1 to 32 characters of `a-z 0-9 - _`.
    pub fn encoded(encoding: &str) -> Self {
        assert!(is_encoding(encoding), "the encoding {encoding:?}: 1 to 32 characters of a-z 0-9 - _ expected");
        RecordsFormat { encoding: encoding.to_owned(), kinds: Vec::new() }
    }

    /// Records that are structs: the format of each kind.
    ///
    /// # Panics
    /// If a kind is there twice.
    pub fn structs(kinds: impl IntoIterator<Item = (u8, MessageFormat)>) -> Self {
        let mut kinds: Vec<_> = kinds.into_iter().collect();
        kinds.sort_by_key(|(kind, _)| *kind);
        let twice = kinds.windows(2).find(|pair| pair[0].0 == pair[1].0);
        assert!(twice.is_none(), "kind {} is there twice", twice.map_or(0, |pair| pair[0].0));
        RecordsFormat { encoding: STRUCTS.to_owned(), kinds }
    }

    /// The name of the encoding. Empty if the records are bytes of which nothing is known.
    pub fn encoding(&self) -> &str {
        &self.encoding
    }

    /// The formats of the kinds, in their order, if the records are structs.
    pub fn kinds(&self) -> impl Iterator<Item = (u8, &MessageFormat)> {
        self.kinds.iter().map(|(kind, format)| (*kind, format))
    }

    /// The format of the records of this kind, if it is known.
    pub fn kind(&self, kind: u8) -> Option<&MessageFormat> {
        self.kinds().find(|(found, _)| *found == kind).map(|(_, format)| format)
    }

    /// The text that a ring's header has.
    pub fn text(&self) -> String {
        let mut text = NAME.to_owned();
        if !self.encoding.is_empty() {
            text += &format!(" {}", self.encoding);
        }
        text.push('\n');
        for (kind, format) in self.kinds() {
            text += &format!("#{kind}\n{}", format.schema());
        }
        text
    }

    /// What a header's text says.
    ///
    /// # Errors
    /// [`SchemaError`] if it is no such text.
    pub fn parse(text: &str) -> Result<Self, SchemaError> {
        let wrong = |line: usize, found: &str, expected| {
            Err(SchemaError::Line { line, found: found.chars().take(64).collect(), expected })
        };
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let encoding = match first.strip_prefix(NAME) {
            Some("") => "",
            Some(encoding) if encoding.strip_prefix(' ').is_some_and(is_encoding) => &encoding[1..],
            _ => return wrong(1, first, "Records and an encoding"),
        };
        let mut kinds: Vec<(u8, MessageFormat)> = Vec::new();
        let mut line = 2;
        for part in rest.split_inclusive('\n').collect::<Vec<_>>().chunk_by(|_, next| !next.starts_with('#')) {
            let kind = part[0].trim_end_matches('\n');
            match kind.strip_prefix('#').and_then(|number| number.parse().ok()) {
                Some(number)
                    if kind[1..] == u8::to_string(&number) && kinds.last().is_none_or(|(last, _)| *last < number) =>
                {
                    let schema = part[1..].concat();
                    let format = MessageFormat::parse(&schema).map_err(|error| error.further_down(line))?;
                    kinds.push((number, format));
                }
                _ => return wrong(line, kind, "# and a kind above the one before"),
            }
            line += part.len();
        }
        Ok(RecordsFormat { encoding: encoding.to_owned(), kinds })
    }

    /// What it is, for error texts.
    pub(crate) fn describe(&self) -> String {
        match (self.encoding.as_str(), self.kinds.len()) {
            ("", _) => "records of bytes".to_owned(),
            (encoding, 0) => format!("records in {encoding}"),
            (_, kinds) => format!("records of {kinds} kinds of structs"),
        }
    }
}

/// The encoding of records whose kinds are structs.
const STRUCTS: &str = "structs";

fn is_encoding(name: &str) -> bool {
    let fits = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
    (1..=32).contains(&name.len()) && name.bytes().all(fits)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_record_takes_as_many_slots_as_it_needs() {
        assert_eq!([0, 1, 48].map(|length| slots_of(length, 8)), [1; 3]);
        assert_eq!([49, 104].map(|length| slots_of(length, 8)), [2; 2]);
        assert_eq!([105, 160, 161].map(|length| slots_of(length, 8)), [3, 3, 4]);
        assert_eq!([240, 241].map(|length| slots_of(length, 32)), [1, 2]);
    }

    #[test]
    fn the_longest_record_is_a_quarter_of_the_ring() {
        for capacity in [4, 8, 64, 1 << 16] {
            let longest = longest(capacity, 8);
            assert_eq!(slots_of(longest, 8), capacity / 4);
            assert_eq!(slots_of(longest + 1, 8), capacity / 4 + 1);
        }
        assert_eq!(longest(2, 8), 48, "one slot, and one for the next record");
        assert_eq!(longest(1 << 31, 512), (16 << 20) - 1);
    }

    #[test]
    fn the_text_of_a_format_is_read_back() {
        let trade = MessageFormat::of::<[u64; 3]>();
        let quote = MessageFormat::of::<u32>();
        let formats = [
            RecordsFormat::default(),
            RecordsFormat::encoded("dbn"),
            RecordsFormat::structs([(7, quote.clone()), (1, trade.clone())]),
        ];
        for format in formats {
            assert_eq!(RecordsFormat::parse(&format.text()), Ok(format));
        }
        let format = RecordsFormat::structs([(7, quote), (1, trade.clone())]);
        assert_eq!((format.kind(1), format.kind(2)), (Some(&trade), None));
    }

    #[test]
    fn what_is_no_format_is_refused() {
        let said = |text: &str| RecordsFormat::parse(text).unwrap_err().to_string();
        let expected = "# and a kind above the one before";
        assert!(said("Tick 8 8\n").contains("Records and an encoding"), "{}", said("Tick 8 8\n"));
        assert!(said("Records DBN\n").contains("Records and an encoding"));
        assert!(said("Records structs\nTick 8 8\n").contains(expected));
        let tick = MessageFormat::of::<u64>().schema().to_owned();
        assert!(said(&format!("Records structs\n#7\n{tick}#7\n{tick}")).contains(expected));
        for kind in ["256", "+7", "007", ""] {
            assert!(said(&format!("Records structs\n#{kind}\n{tick}")).contains(expected));
        }
        assert!(said("Records structs\n#1\nTick 8\n").contains("line 3"), "{}", said("Records structs\n#1\nTick 8\n"));
    }
}
