//! The layout of a segment and of a control file: the meaning of each word, and the geometry of the slots.
//!
//! ```text
//! byte 0     128        256         384               512         640
//!      │ magic │ state    │ event     │ slots at, slot  │ published │ schema text …  │ slots …
//!      │ ABI   │ epoch,   │ (futex)   │ size, capacity, │ (count)   │                │ on a page
//!      │       │ begins,  │           │ payload, nonce, │           │                │ boundary
//!      │       │ pid, wake│           │ base, created   │           │                │
//! ```
//!
//! All numbers are words of eight bytes in the machine's byte order. The first three lines of 128 bytes are the prefix.
//! It is the same in every ABI version, so any program can tell what any ring is and whether it has ended. The fourth
//! line never changes after the ring is created. Each word that changes while the feed runs has a line of its own.

use std::mem::offset_of;

use crossbeam_utils::CachePadded;

use super::message::MessageFormat;
use super::payload::fingerprint;
use super::records;
use super::rows::{self, RowsGeometry, RowsLayout, SegmentKind, row_word};
use crate::sync::{EPOCHS, LINE_WORDS, PAD_WORDS, WriteWord, base, relayed};

/// The first word of a segment: `FEEDRING`, the same bytes in either byte order. A segment of a machine with the other byte
/// order is refused by its [`ABI`], which is another number here.
pub(crate) const MAGIC: u64 = u64::from_ne_bytes(*b"FEEDRING");

/// The first word of a control file: `FEEDCTRL`.
pub(crate) const CONTROL_MAGIC: u64 = u64::from_ne_bytes(*b"FEEDCTRL");

/// The version of the layout in this file and of the slot protocol.
pub(crate) const ABI: u64 = 1;

/// The version of a ring of messages or records of which some may be passed over: a program that does not know of it would take such a
/// slot for that of a far later message, or for a damaged one.
pub(crate) const RELAYED_ABI: u64 = 3;

/// The largest capacity in slots (4,294,967,296). A capacity is a power of two from 2 on.
pub(crate) const MAX_CAPACITY: u64 = 1 << 32;

/// Sequences stay below this. A publisher of a billion messages a second reaches it after 146 years.
pub(crate) const MAX_SEQUENCE: u64 = 1 << 62;

/// Places in the header for the beginnings of the last epochs. One of them is always the next to be written.
const EPOCH_PLACES: usize = 8;
const _: () = assert!(EPOCHS <= EPOCH_PLACES as u64);

/// The slots begin at a multiple of this many bytes.
pub(crate) const PAGE: usize = 4096;

/// Longest schema text in bytes.
pub(crate) const MAX_SCHEMA: usize = 1 << 16;

/// Values of the state word.
pub(crate) mod state {
    /// Being published, or left by a publisher that died.
    pub(crate) const LIVE: u64 = 1;
    /// Closed by its publisher.
    pub(crate) const CLOSED: u64 = 2;
    /// Replaced by another ring of the same name.
    pub(crate) const SUPERSEDED: u64 = 3;
}

/// Word indices of the segment's header.
pub(crate) mod word {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const ABI: usize = 1;
    pub(crate) const STATE: usize = 16;
    pub(crate) const EPOCH: usize = 17;
    pub(crate) const BEGINS: usize = 18;
    pub(crate) const PUBLISHER_PID: usize = 26;
    pub(crate) const WAKE: usize = 27;
    pub(crate) const EVENT: usize = 32;
    pub(crate) const SLOTS_AT: usize = 48;
    pub(crate) const SLOT_SIZE: usize = 49;
    pub(crate) const CAPACITY: usize = 50;
    pub(crate) const PAYLOAD_SIZE: usize = 51;
    pub(crate) const PAYLOAD_ALIGN: usize = 52;
    pub(crate) const FINGERPRINT: usize = 53;
    pub(crate) const SCHEMA_BYTES: usize = 54;
    pub(crate) const NONCE: usize = 55;
    pub(crate) const BASE: usize = 56;
    pub(crate) const CREATED: usize = 57;
    /// Of a relay: the nonce of the ring whose messages it has.
    pub(crate) const SOURCE: usize = 63;
    pub(crate) const PUBLISHED: usize = 64;
    pub(crate) const SCHEMA: usize = 80;
}

/// The header as a type, only to check the word indices at compile time.
#[allow(dead_code)]
#[repr(C)]
struct HeaderMirror {
    identity: CachePadded<[u64; 2]>,
    life: CachePadded<Life>,
    event: CachePadded<u64>,
    geometry: CachePadded<Fixed>,
    published: CachePadded<u64>,
    schema: [u64; 0],
}

#[allow(dead_code)]
#[repr(C)]
struct Life {
    state: u64,
    epoch: u64,
    begins: [u64; EPOCH_PLACES],
    publisher_pid: u64,
    wake: u64,
}

#[allow(dead_code)]
#[repr(C)]
struct Fixed {
    slots_at: u64,
    slot_size: u64,
    capacity: u64,
    payload_size: u64,
    payload_align: u64,
    fingerprint: u64,
    schema_bytes: u64,
    nonce: u64,
    base: u64,
    created: u64,
}

// CachePadded's size depends on the processor, the segment's layout does not. Both agree where it pads to 128 bytes.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
const _: () = {
    const LIFE: usize = offset_of!(HeaderMirror, life);
    const FIXED: usize = offset_of!(HeaderMirror, geometry);
    assert!(offset_of!(HeaderMirror, identity) == word::MAGIC * 8 && word::ABI == word::MAGIC + 1);
    assert!(LIFE + offset_of!(Life, state) == word::STATE * 8);
    assert!(LIFE + offset_of!(Life, epoch) == word::EPOCH * 8);
    assert!(LIFE + offset_of!(Life, begins) == word::BEGINS * 8);
    assert!(LIFE + offset_of!(Life, publisher_pid) == word::PUBLISHER_PID * 8);
    assert!(LIFE + offset_of!(Life, wake) == word::WAKE * 8);
    assert!(offset_of!(HeaderMirror, event) == word::EVENT * 8);
    assert!(FIXED + offset_of!(Fixed, slots_at) == word::SLOTS_AT * 8);
    assert!(FIXED + offset_of!(Fixed, slot_size) == word::SLOT_SIZE * 8);
    assert!(FIXED + offset_of!(Fixed, capacity) == word::CAPACITY * 8);
    assert!(FIXED + offset_of!(Fixed, payload_size) == word::PAYLOAD_SIZE * 8);
    assert!(FIXED + offset_of!(Fixed, payload_align) == word::PAYLOAD_ALIGN * 8);
    assert!(FIXED + offset_of!(Fixed, fingerprint) == word::FINGERPRINT * 8);
    assert!(FIXED + offset_of!(Fixed, schema_bytes) == word::SCHEMA_BYTES * 8);
    assert!(FIXED + offset_of!(Fixed, nonce) == word::NONCE * 8);
    assert!(FIXED + offset_of!(Fixed, base) == word::BASE * 8);
    assert!(FIXED + offset_of!(Fixed, created) == word::CREATED * 8);
    assert!(offset_of!(HeaderMirror, published) == word::PUBLISHED * 8);
    assert!(offset_of!(HeaderMirror, schema) == word::SCHEMA * 8);
};

/// Values of the wake word: how a publisher learns that a subscriber sleeps.
pub(crate) mod wake {
    /// The publisher executes a full fence before it reads the sleepers' flag, or a thread of its own reads it. That is
    /// one for a subscriber: it needs no `membarrier`.
    pub(crate) const FENCE: u64 = 1;
    /// The publisher only reads the flag. A sleeper's `membarrier` fences the publisher's processor.
    pub(crate) const MEMBARRIER: u64 = 2;
}

/// Word indices of the control file: an identifying line, the line of the sleepers' flag, then one line per subscriber.
pub(crate) mod control {
    pub(crate) const MAGIC: usize = 0;
    pub(crate) const ABI: usize = 1;
    pub(crate) const NONCE: usize = 2;
    pub(crate) const ENTRIES: usize = 3;
    pub(crate) const SLEEPERS: usize = 16;
    /// The first entry.
    pub(crate) const FIRST: usize = 32;
    /// Words of an entry: one line.
    pub(crate) const ENTRY: usize = 16;
    /// Word indices within an entry.
    pub(crate) const PID: usize = 0;
    pub(crate) const CURSOR: usize = 1;
    pub(crate) const LOST: usize = 2;
    /// The number of entries (128 KiB).
    pub(crate) const COUNT: usize = 1024;
    /// The size of a control file in bytes.
    pub(crate) const BYTES: usize = (FIRST + COUNT * ENTRY) * 8;
}

/// Words of a slot: the sequence word and `payload` bytes, in whole cache lines.
pub(crate) const fn slot_words(payload: usize) -> usize {
    (1 + payload.div_ceil(8)).next_multiple_of(LINE_WORDS)
}

/// The word indices that the protocol uses, the same for a segment and for heap memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// Word index of the state. The epoch, its first sequences, pid and wake follow in the order of [`word`].
    pub(crate) life: usize,
    /// Word index of the event word.
    pub(crate) event: usize,
    /// Word index of the published count.
    pub(crate) published: usize,
    /// Word index of slot 0.
    pub(crate) slots: usize,
    /// Words from one slot to the next.
    pub(crate) slot_words: usize,
    /// Slots.
    pub(crate) capacity: u64,
    /// The first sequence number of this ring.
    pub(crate) base: u64,
    /// Whether numbers may have been passed over.
    pub(crate) relayed: bool,
    /// What the slots hold, and where its other parts are.
    pub(crate) parts: Parts,
}

/// What the slots of a segment hold, and where the words are that only such a segment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parts {
    /// A message each.
    Messages,
    /// Records, each in as many slots as it needs.
    Records {
        /// Word index of the position of the last record.
        place: usize,
    },
    /// The copies of the rows of a table or a cell.
    Rows(RowsLayout),
}

impl Layout {
    /// The layout of a ring within one process: the changing words, then the slots.
    pub(crate) fn in_process(slot_words: usize, capacity: u64) -> Self {
        let life = (word::WAKE + 1 - word::STATE).next_multiple_of(PAD_WORDS);
        let (event, published) = (life, life + PAD_WORDS);
        let slots = published + PAD_WORDS;
        let (base, relayed) = (base(), relayed());
        Layout { life: 0, event, published, slots, slot_words, capacity, base, relayed, parts: Parts::Messages }
    }

    /// The layout of a table or a cell within one process.
    pub(crate) fn rows_in_process(rows: &RowsGeometry, slot_words: usize, capacity: u64) -> Self {
        let ring = Self::in_process(slot_words, capacity);
        // Their line has room for more words than the count.
        let key_count = ring.published + 1;
        let keys = (key_count + 1).next_multiple_of(PAD_WORDS);
        let (parts, slots) = rows.layout(key_count, keys, capacity);
        Layout { slots, parts: Parts::Rows(parts), ..ring }
    }

    /// The layout of a ring of records within one process.
    pub(crate) fn records_in_process(slot_words: usize, capacity: u64) -> Self {
        let ring = Self::in_process(slot_words, capacity);
        // In the line of the count, as in a segment. A model's line has no room for it.
        let place = if PAD_WORDS > 1 { ring.published + 1 } else { ring.slots };
        let slots = if PAD_WORDS > 1 { ring.slots } else { ring.slots + 1 };
        Layout { slots, parts: Parts::Records { place }, ..ring }
    }

    /// Whether the segment has a header. It has none within a process.
    pub(crate) fn has_header(&self) -> bool {
        self.life == word::STATE
    }

    /// Words from slot 0 to the end.
    pub(crate) fn words_of_slots(&self) -> usize {
        self.capacity as usize * self.slot_words * self.rows().map_or(1, |rows| rows.copies)
    }

    /// The parts of a table or a cell. `None` for a ring.
    pub(crate) fn rows(&self) -> Option<RowsLayout> {
        match self.parts {
            Parts::Rows(rows) => Some(rows),
            Parts::Messages | Parts::Records { .. } => None,
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> usize {
        self.life
    }

    #[inline]
    pub(crate) fn epoch(&self) -> usize {
        self.life + word::EPOCH - word::STATE
    }

    pub(crate) fn wake(&self) -> usize {
        self.life + word::WAKE - word::STATE
    }

    /// Word index of an epoch's first sequence. A later epoch reuses the word after [`EPOCHS`] takeovers.
    #[inline]
    pub(crate) fn begin(&self, epoch: u64) -> usize {
        self.life + word::BEGINS - word::STATE + (epoch % EPOCHS) as usize
    }
}

/// A segment's sizes and messages, as in its header. A publisher takes a ring over only if its geometry is equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    pub(crate) slots_at: usize,
    pub(crate) slot_size: usize,
    pub(crate) capacity: u64,
    pub(crate) payload_size: usize,
    pub(crate) payload_align: usize,
    pub(crate) fingerprint: u64,
    pub(crate) schema: String,
    pub(crate) body: Body,
}

/// What a segment holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Messages of one size.
    Messages,
    /// Messages of one size, with the numbers of the ring that has this nonce: some may be passed over.
    Relayed { source: u64 },
    /// Records, each as long as it is. The payload's size is that of the longest. With a source, they have the numbers of the ring
    /// that has this nonce, as [`Relayed`](Body::Relayed) messages have.
    Records { source: Option<u64> },
    /// A table, or a cell, which has more beside that.
    Rows(RowsGeometry),
}

impl Body {
    /// What a table or a cell has. `None` for a ring.
    pub(crate) fn rows(&self) -> Option<&RowsGeometry> {
        match self {
            Body::Rows(rows) => Some(rows),
            Body::Messages | Body::Relayed { .. } | Body::Records { .. } => None,
        }
    }

    /// The nonce of the ring whose messages it has, if it is a relay.
    pub(crate) fn source(&self) -> Option<u64> {
        match self {
            Body::Relayed { source } => Some(*source),
            Body::Records { source } => *source,
            Body::Messages | Body::Rows(_) => None,
        }
    }

    /// The version of the layout of such a segment.
    pub(crate) fn abi(&self) -> u64 {
        match self {
            Body::Messages => ABI,
            Body::Relayed { .. } | Body::Records { source: Some(_) } => RELAYED_ABI,
            Body::Records { source: None } | Body::Rows(_) => rows::ABI,
        }
    }

    /// What a segment of it is.
    pub(crate) fn kind(&self) -> SegmentKind {
        match self {
            Body::Messages | Body::Relayed { .. } => SegmentKind::Ring,
            Body::Records { .. } => SegmentKind::Records,
            Body::Rows(rows) => rows.kind.of_segment(),
        }
    }
}

impl Geometry {
    /// The geometry of a ring of `capacity` slots.
    pub(crate) fn new(message: &MessageFormat, capacity: u64) -> Self {
        let schema = message.schema().to_owned();
        Geometry {
            slots_at: (word::SCHEMA * 8 + schema.len()).next_multiple_of(PAGE),
            slot_size: slot_words(message.size()) * 8,
            capacity,
            payload_size: message.size(),
            payload_align: message.align(),
            fingerprint: fingerprint(&schema),
            schema,
            body: Body::Messages,
        }
    }

    /// The geometry of a ring of records of this format, of `capacity` slots of `slot_size` bytes.
    pub(crate) fn of_records(schema: String, slot_size: usize, capacity: u64) -> Self {
        let longest = records::longest(capacity, slot_size / 8);
        let format = MessageFormat::from_parts(longest, 1, schema);
        Geometry { slot_size, body: Body::Records { source: None }, ..Geometry::new(&format, capacity) }
    }

    /// The geometry of a table or a cell of `capacity` rows with values of this format.
    pub(crate) fn of_rows(rows: RowsGeometry, value: &MessageFormat, capacity: u64) -> Self {
        let mut geometry = Geometry { body: Body::Rows(rows), ..Geometry::new(value, capacity) };
        geometry.fingerprint = fingerprint(&geometry.schemas());
        geometry.slots_at = geometry.rows_layout().map_or(geometry.slots_at, |(_, first)| first * 8);
        geometry
    }

    /// The format of the messages or values.
    pub(crate) fn format(&self) -> MessageFormat {
        MessageFormat::from_parts(self.payload_size, self.payload_align, self.schema.clone())
    }

    /// The format of a table's keys. `None` where there are no keys.
    pub(crate) fn key_format(&self) -> Option<&MessageFormat> {
        self.body.rows()?.kind.key()
    }

    /// The text behind the header: the schema, and the key's if there are keys.
    pub(crate) fn schemas(&self) -> String {
        self.body.rows().map_or_else(|| self.schema.clone(), |rows| rows.schemas(&self.schema))
    }

    /// Where the parts of a table or a cell are, and the word index of its first row. `None` for a ring.
    pub(crate) fn rows_layout(&self) -> Option<(RowsLayout, usize)> {
        let rows = self.body.rows()?;
        let keys = (word::SCHEMA * 8 + self.schemas().len()).next_multiple_of(PAGE) / 8;
        Some(rows.layout(row_word::KEYS, keys, self.capacity))
    }

    /// The layout of a segment of this geometry whose first sequence is `base`.
    pub(crate) fn layout(&self, base: u64) -> Layout {
        Layout {
            life: word::STATE,
            event: word::EVENT,
            published: word::PUBLISHED,
            slots: self.slots_at / 8,
            slot_words: self.slot_size / 8,
            capacity: self.capacity,
            base,
            relayed: self.body.source().is_some(),
            parts: match (&self.body, self.rows_layout()) {
                (Body::Records { .. }, _) => Parts::Records { place: records::PLACE },
                (_, Some((rows, _))) => Parts::Rows(rows),
                (_, None) => Parts::Messages,
            },
        }
    }

    /// Bytes of the whole segment. `None` if they exceed `isize::MAX`.
    pub(crate) fn bytes(&self) -> Option<usize> {
        let copies = self.body.rows().map_or(1, |rows| rows.copies);
        let slots = usize::try_from(self.capacity).ok()?.checked_mul(self.slot_size)?.checked_mul(copies)?;
        slots.checked_add(self.slots_at).filter(|bytes| isize::try_from(*bytes).is_ok())
    }

    /// What kind of segment it is.
    pub(crate) fn kind(&self) -> SegmentKind {
        self.body.kind()
    }

    /// Writes a new segment's header. The slots stay zero; `takeover::begin_epoch` marks the first.
    pub(crate) fn write(&self, words: &[WriteWord], nonce: u64, base: u64, created: u64) {
        for (word, bytes) in words[word::SCHEMA..].iter().zip(self.schemas().as_bytes().chunks(8)) {
            let mut eight = [0; 8];
            eight[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_ne_bytes(eight));
        }
        match &self.body {
            Body::Messages => {}
            Body::Relayed { source } => words[word::SOURCE].store(*source),
            Body::Records { source } => {
                words[row_word::KIND].store(records::KIND);
                words[word::SOURCE].store(source.unwrap_or(0));
            }
            Body::Rows(rows) => {
                words[row_word::KIND].store(rows.kind.number());
                words[row_word::COPIES].store(rows.copies as u64);
            }
        }
        if let Some(key) = self.key_format() {
            words[row_word::KEY_SIZE].store(key.size() as u64);
            words[row_word::KEY_ALIGN].store(key.align() as u64);
            words[row_word::KEY_SCHEMA_BYTES].store(key.schema().len() as u64);
        }
        for (index, value) in [
            (word::MAGIC, MAGIC),
            (word::ABI, self.body.abi()),
            (word::SLOTS_AT, self.slots_at as u64),
            (word::SLOT_SIZE, self.slot_size as u64),
            (word::CAPACITY, self.capacity),
            (word::PAYLOAD_SIZE, self.payload_size as u64),
            (word::PAYLOAD_ALIGN, self.payload_align as u64),
            (word::FINGERPRINT, self.fingerprint),
            (word::SCHEMA_BYTES, self.schema.len() as u64),
            (word::NONCE, nonce),
            (word::BASE, base),
            (word::CREATED, created),
        ] {
            words[index].store(value);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_message_of_up_to_56_bytes_is_one_line() {
        assert_eq!(slot_words(1) * 8, 64);
        assert_eq!(slot_words(56) * 8, 64);
        assert_eq!(slot_words(57) * 8, 128);
        assert_eq!(slot_words(1016) * 8, 1024);
        assert_eq!(slot_words(4088) * 8, 4096);
    }

    #[test]
    fn slots_begin_on_a_page_after_the_schema() {
        let geometry = Geometry::new(&MessageFormat::of::<[u64; 7]>(), 1024);
        assert_eq!(geometry.slots_at, PAGE);
        assert_eq!(geometry.bytes(), Some(PAGE + 1024 * 64));
        assert_eq!(Geometry { capacity: 1 << 60, ..geometry }.bytes(), None);
    }
}
