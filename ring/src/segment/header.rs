//! The header of an existing segment: read once and checked against itself and the file's size. No later read of the
//! segment decides a bound.

use std::path::Path;

use crate::error::OpenError;
use crate::format::difference::{difference, difference_of_records};
use crate::format::layout::{
    ABI, Body, Geometry, Layout, MAGIC, MAX_CAPACITY, MAX_SCHEMA, MAX_SEQUENCE, PAGE, RELAYED_ABI, slot_words, word,
};
use crate::format::message::MessageFormat;
use crate::format::payload::fingerprint;
use crate::format::records::{self, RecordsFormat};
use crate::format::rows::{self, Kind, MAX_COPIES, MAX_KEY, MAX_ROWS, RowsGeometry, SegmentKind, row_word};
use crate::sync::Word;

/// What a subscriber or a reader expects in a segment.
#[derive(Clone, Copy)]
pub(crate) enum Contents<'a> {
    /// A ring of such messages. `None` for any.
    Messages(Option<&'a MessageFormat>),
    /// A ring of such records. `None` for any.
    Records(Option<&'a RecordsFormat>),
    /// A cell of such a value. `None` for any.
    Cell(Option<&'a MessageFormat>),
    /// A table of such keys and values. `None` for any.
    Table { key: Option<&'a MessageFormat>, value: Option<&'a MessageFormat> },
}

/// A header that passed all checks.
#[derive(Debug)]
pub(crate) struct Header {
    pub(crate) geometry: Geometry,
    pub(crate) nonce: u64,
    pub(crate) base: u64,
}

impl Header {
    /// Reads and checks the header of a segment of at least [`word::SCHEMA`] words. `path` is for error texts.
    pub(crate) fn read(words: &[Word], path: &Path) -> Result<Self, OpenError> {
        let word = |index: usize| words[index].load();
        let bytes = size_of_val(words);
        let magic = word(word::MAGIC);
        if magic != MAGIC {
            return Err(OpenError::NotARing {
                path: path.to_owned(),
                found: format!("a file that begins with {magic:#018x}"),
                expected: "the segment of a ring",
            });
        }
        let abi = word(word::ABI);
        if ![ABI, RELAYED_ABI, rows::ABI].contains(&abi) {
            return Err(OpenError::Abi { path: path.to_owned(), found: abi });
        }
        let check = |fine: bool, what, found, expected| match fine {
            true => Ok(()),
            false => Err(OpenError::Geometry { path: path.to_owned(), what, found, expected }),
        };
        let kind = word(row_word::KIND);
        // A relay has messages or records.
        check(abi != RELAYED_ABI || [0, records::KIND].contains(&kind), "the kind", kind, 0)?;
        let holds_records = abi != ABI && kind == records::KIND;
        let holds_rows = abi == rows::ABI && !holds_records;
        let source = (abi == RELAYED_ABI).then(|| word(word::SOURCE));
        let capacity = word(word::CAPACITY);
        let nearest = match holds_rows {
            false => capacity.clamp(2, MAX_CAPACITY).next_power_of_two(),
            true => capacity.clamp(1, MAX_ROWS),
        };
        check(capacity == nearest, "the capacity", capacity, nearest)?;

        let payload_size = word(word::PAYLOAD_SIZE);
        let slot_size = word(word::SLOT_SIZE);
        // A payload is smaller than its file. Without this bound slot_words below could overflow.
        check((1..bytes as u64).contains(&payload_size), "the payload's size", payload_size, bytes as u64 - 1)?;
        let expected = match holds_records {
            false => slot_words(payload_size as usize) as u64 * 8,
            true => records::nearest_slot(usize::try_from(slot_size).unwrap_or(usize::MAX)) as u64,
        };
        check(slot_size == expected, "the slot's size", slot_size, expected)?;
        if holds_records {
            let longest = records::longest(capacity, slot_size as usize / 8) as u64;
            check(payload_size == longest, "the longest record's size", payload_size, longest)?;
        }

        let schema_bytes = word(word::SCHEMA_BYTES);
        let room = (bytes - word::SCHEMA * 8).min(MAX_SCHEMA) as u64;
        check(schema_bytes <= room, "the schema's length", schema_bytes, room)?;
        let body = match (holds_records, holds_rows, source) {
            (true, _, source) => Body::Records { source },
            (_, true, _) => Body::Rows(read_rows(words, schema_bytes as usize, room, check)?),
            (false, false, Some(source)) => Body::Relayed { source },
            (false, false, None) => Body::Messages,
        };
        let schema = text(words, 0, schema_bytes as usize);
        let found = word(word::FINGERPRINT);
        let base = word(word::BASE);
        check(base < MAX_SEQUENCE, "the first sequence", base, MAX_SEQUENCE - 1)?;
        let geometry = Geometry {
            slots_at: usize::try_from(word(word::SLOTS_AT)).unwrap_or(usize::MAX),
            slot_size: slot_size as usize,
            capacity,
            payload_size: payload_size as usize,
            payload_align: usize::try_from(word(word::PAYLOAD_ALIGN)).unwrap_or(0),
            fingerprint: found,
            schema,
            body,
        };
        // Before the lengths are used: a text that is no UTF-8 has another length here.
        let schemas = geometry.schemas();
        check(found == fingerprint(&schemas), "the schema's fingerprint", found, fingerprint(&schemas))?;
        // At most 2^32 slots of less than 2^63 bytes, or 2^24 rows of 64 copies: `bytes` finds what is too much.
        let expected = match geometry.rows_layout() {
            None => (word::SCHEMA * 8 + schemas.len()).next_multiple_of(PAGE),
            Some((_, first)) => first * 8,
        };
        check(geometry.slots_at == expected, "the start of the slots", word(word::SLOTS_AT), expected as u64)?;
        let size = geometry.bytes().map_or(u64::MAX, |size| size as u64);
        check(size == bytes as u64, "the size of the segment", bytes as u64, size)?;
        Ok(Header { geometry, nonce: word(word::NONCE), base })
    }

    /// Checks that the contents are the expected ones. The capacity may differ.
    pub(crate) fn expect(&self, expected: Contents<'_>, path: &Path) -> Result<(), OpenError> {
        let found = &self.geometry;
        let (kind, value, key) = match expected {
            Contents::Messages(message) => (SegmentKind::Ring, message, None),
            Contents::Records(format) => return self.expect_records(format, path),
            Contents::Cell(value) => (SegmentKind::Cell, value, None),
            Contents::Table { key, value } => (SegmentKind::Table, value, key),
        };
        self.expect_kind(kind, path)?;
        expect_format(&found.format(), value, ["the payload's size", "the payload's alignment"], path)?;
        match found.key_format() {
            Some(found) => expect_format(found, key, ["the key's size", "the key's alignment"], path),
            None => Ok(()),
        }
    }

    fn expect_records(&self, expected: Option<&RecordsFormat>, path: &Path) -> Result<(), OpenError> {
        self.expect_kind(SegmentKind::Records, path)?;
        let (Some(expected), found) = (expected, &self.geometry.schema) else { return Ok(()) };
        if *found == expected.text() {
            return Ok(());
        }
        let (found, difference) = match RecordsFormat::parse(found) {
            Ok(found) => (found.describe(), difference_of_records(&found, expected)),
            Err(error) => (error.to_string(), "another format".to_owned()),
        };
        Err(OpenError::Payload { path: path.to_owned(), found, expected: expected.describe(), difference })
    }

    /// Checks what kind of segment it is.
    pub(crate) fn expect_kind(&self, expected: SegmentKind, path: &Path) -> Result<(), OpenError> {
        let found = self.geometry.kind();
        if found == expected { Ok(()) } else { Err(OpenError::Kind { path: path.to_owned(), found, expected }) }
    }

    /// The layout of the segment.
    pub(crate) fn layout(&self) -> Layout {
        self.geometry.layout(self.base)
    }
}

/// Checks a format that is in a header. `None` expects any. `names` are those of its size and its alignment, for error texts.
fn expect_format(
    found: &MessageFormat,
    expected: Option<&MessageFormat>,
    names: [&'static str; 2],
    path: &Path,
) -> Result<(), OpenError> {
    let Some(expected) = expected else { return expect_no_contradiction(found, names, path) };
    if found == expected {
        return Ok(());
    }
    Err(OpenError::Payload {
        path: path.to_owned(),
        found: found.describe(),
        expected: expected.describe(),
        difference: difference(found.schema(), expected.schema()),
    })
}

/// Whatever the contents are, a schema that can be understood must not contradict the header: the format may be handed on to
/// other segments.
fn expect_no_contradiction(format: &MessageFormat, names: [&'static str; 2], path: &Path) -> Result<(), OpenError> {
    let Ok(told) = MessageFormat::parse(format.schema()) else { return Ok(()) };
    for (what, found, expected) in [(names[0], format.size(), told.size()), (names[1], format.align(), told.align())] {
        if found != expected {
            let (found, expected) = (found as u64, expected as u64);
            return Err(OpenError::Geometry { path: path.to_owned(), what, found, expected });
        }
    }
    Ok(())
}

/// Reads what the header of a table or a cell has beside a ring's. `room` is the most that both schemas may take.
fn read_rows(
    words: &[Word],
    schema_bytes: usize,
    room: u64,
    check: impl Fn(bool, &'static str, u64, u64) -> Result<(), OpenError>,
) -> Result<RowsGeometry, OpenError> {
    let word = |index: usize| words[index].load();
    let copies = word(row_word::COPIES);
    check((2..=MAX_COPIES as u64).contains(&copies), "the number of copies", copies, 2)?;
    let key_bytes = word(row_word::KEY_SCHEMA_BYTES);
    let most = room - schema_bytes as u64;
    check(key_bytes <= most, "the length of the key's schema", key_bytes, most)?;
    let key_size = word(row_word::KEY_SIZE);
    // A cell has no key. Keys of no bytes would all be one, in as many rows as the header says.
    let least = u64::from(word(row_word::KIND) == Kind::TABLE);
    let nearest = key_size.clamp(least, MAX_KEY as u64);
    check(key_size == nearest, "the key's size", key_size, nearest)?;
    let align = usize::try_from(word(row_word::KEY_ALIGN)).unwrap_or(0);
    let key = MessageFormat::from_parts(key_size as usize, align, text(words, schema_bytes, key_bytes as usize));
    let kind = Kind::of(word(row_word::KIND), key);
    check(kind.is_some(), "the kind", word(row_word::KIND), Kind::TABLE)?;
    Ok(RowsGeometry { kind: kind.unwrap_or(Kind::Cell), copies: copies as usize })
}

/// A schema's text: `bytes` bytes, `from` bytes after the first schema's begin. Invalid UTF-8 is replaced, so the text then
/// fails the check of its fingerprint.
fn text(words: &[Word], from: usize, bytes: usize) -> String {
    let all = words[word::SCHEMA..].iter().flat_map(|word| word.load().to_ne_bytes());
    String::from_utf8_lossy(&all.skip(from).take(bytes).collect::<Vec<u8>>()).into_owned()
}
