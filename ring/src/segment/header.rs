//! The header of an existing segment: read once and checked against itself and the file's size. No later read of the
//! segment decides a bound.

use std::path::Path;

use crate::error::OpenError;
use crate::format::difference::difference;
use crate::format::layout::{
    ABI, Geometry, Layout, MAGIC, MAX_CAPACITY, MAX_SCHEMA, MAX_SEQUENCE, PAGE, slot_words, word,
};
use crate::format::message::MessageFormat;
use crate::format::payload::fingerprint;
use crate::sync::Word;

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
        if word(word::ABI) != ABI {
            return Err(OpenError::Abi { path: path.to_owned(), found: word(word::ABI) });
        }
        let check = |fine: bool, what, found, expected| match fine {
            true => Ok(()),
            false => Err(OpenError::Geometry { path: path.to_owned(), what, found, expected }),
        };
        let capacity = word(word::CAPACITY);
        let nearest = capacity.clamp(2, MAX_CAPACITY).next_power_of_two();
        check(capacity == nearest, "the capacity", capacity, nearest)?;

        let payload_size = word(word::PAYLOAD_SIZE);
        let slot_size = word(word::SLOT_SIZE);
        // A payload is smaller than its file. Without this bound slot_words below could overflow.
        check((1..bytes as u64).contains(&payload_size), "the payload's size", payload_size, bytes as u64 - 1)?;
        let expected = slot_words(payload_size as usize) as u64 * 8;
        check(slot_size == expected, "the slot's size", slot_size, expected)?;

        let schema_bytes = word(word::SCHEMA_BYTES);
        let room = (bytes - word::SCHEMA * 8).min(MAX_SCHEMA) as u64;
        check(schema_bytes <= room, "the schema's length", schema_bytes, room)?;
        let slots_at = word(word::SLOTS_AT);
        let expected = (word::SCHEMA * 8 + schema_bytes as usize).next_multiple_of(PAGE) as u64;
        check(slots_at == expected, "the start of the slots", slots_at, expected)?;
        // 128 bits hold 2^32 slots of less than 2^63 bytes.
        let size = u128::from(slots_at) + u128::from(capacity) * u128::from(slot_size);
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        check(size == bytes as u64, "the size of the segment", bytes as u64, size)?;

        let schema = text(words, schema_bytes as usize);
        let found = word(word::FINGERPRINT);
        check(found == fingerprint(&schema), "the schema's fingerprint", found, fingerprint(&schema))?;
        let base = word(word::BASE);
        check(base < MAX_SEQUENCE, "the first sequence", base, MAX_SEQUENCE - 1)?;
        let geometry = Geometry {
            slots_at: slots_at as usize,
            slot_size: slot_size as usize,
            capacity,
            payload_size: payload_size as usize,
            payload_align: usize::try_from(word(word::PAYLOAD_ALIGN)).unwrap_or(0),
            fingerprint: found,
            schema,
        };
        Ok(Header { geometry, nonce: word(word::NONCE), base })
    }

    /// Checks that the messages are the expected ones. The capacity may differ. `None` accepts any messages whose schema, if
    /// it can be understood, does not contradict the header: it may be handed on to other rings.
    pub(crate) fn expect(&self, expected: Option<&MessageFormat>, path: &Path) -> Result<(), OpenError> {
        let found = &self.geometry;
        let Some(expected) = expected else { return self.expect_no_contradiction(path) };
        let expected = Geometry::new(expected, 2);
        if (found.payload_size, found.payload_align, found.fingerprint)
            == (expected.payload_size, expected.payload_align, expected.fingerprint)
        {
            return Ok(());
        }
        Err(OpenError::Payload {
            path: path.to_owned(),
            found: found.describe(),
            expected: expected.describe(),
            difference: difference(&found.schema, &expected.schema),
        })
    }

    fn expect_no_contradiction(&self, path: &Path) -> Result<(), OpenError> {
        let Geometry { payload_size, payload_align, schema, .. } = &self.geometry;
        let Ok(message) = MessageFormat::parse(schema) else { return Ok(()) };
        for (what, found, expected) in [
            ("the payload's size", *payload_size, message.size()),
            ("the payload's alignment", *payload_align, message.align()),
        ] {
            if found != expected {
                let (found, expected) = (found as u64, expected as u64);
                return Err(OpenError::Geometry { path: path.to_owned(), what, found, expected });
            }
        }
        Ok(())
    }

    /// The layout of the segment.
    pub(crate) fn layout(&self) -> Layout {
        self.geometry.layout(self.base)
    }
}

/// The schema's text. Invalid UTF-8 is replaced, so the text then fails the check of its fingerprint.
fn text(words: &[Word], bytes: usize) -> String {
    let text: Vec<u8> = words[word::SCHEMA..].iter().flat_map(|word| word.load().to_ne_bytes()).take(bytes).collect();
    String::from_utf8_lossy(&text).into_owned()
}
