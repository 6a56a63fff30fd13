//! The market-data message: one event as 56 bytes of plain data. Message and sequence fill one cache line.
//!
//! Prices and sizes are integers in units of 1e-9, times are nanoseconds. A source never truncates a value: a record with
//! one that does not fit is passed over and counted (see [`PassedOver`](crate::source::PassedOver)), or is an error if the
//! source is strict. Prices go from -9,223,372,036.854775808 to 9,223,372,036.854775806, sizes from 0 to
//! 18,446,744,073.709551614, times to the year 2554. This table lists everything that a message leaves out:
//!
//! | format | carried in `extra` | left out |
//! |---|---|---|
//! | DBN, whatever is in it | | the metadata: dataset, time range, symbols and their mappings to instrument ids; `ts_out`, which a live capture may have behind each record |
//! | DBN MBO | capture time (`ts_recv`) | publisher id, channel id, `ts_in_delta`, venue sequence |
//! | DBN trades | capture time (`ts_recv`) | publisher id, depth, `ts_in_delta`, venue sequence |
//! | DBN TBBO; MBP-1 trades and clears | capture time (`ts_recv`) | the same, and the best bid and ask beside it |
//! | DBN MBP-1, all others | the ask's size: the message is a quote | the order behind the change (its action, price, size, depth), publisher id, `ts_in_delta`, venue sequence, order counts, times but the event's |
//! | DBN symbol mapping, system and error records (kind `other`) | | all but time and instrument: symbols, texts, codes |
//! | ITCH orders, trades | original order (replace), match number (executions, trades, broken trades) | tracking number, the stock's symbol (add, trade, cross), attribution, printable flag, cross type |
//! | ITCH, everything else (kind `other`) | | all but time and instrument: the symbols of the stock directory, events, trading states, imbalances |
//! | CSV | receipt time (`recv_ts_ns`); a quote: the ask's size | a quote's receipt time and update id; the symbol's letters, which become a number |
//!
//! A ring of [records](crate::records) leaves out nothing of DBN and ITCH.
//!
//! A message does not say which symbol its instrument number stands for. The [`board`](crate::board) does:
//! `feed-publisher --table` keeps it beside the ring, and `feed-subscriber --snapshot` or `--symbol` reads it there.
//!
//! ITCH has no date: its times count from midnight of the venue's day.

use std::fmt;

use feed_ring::Payload;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The price of a message without one, as in DBN.
pub const UNDEFINED_PRICE: i64 = i64::MAX;

/// The size of a message without one. DBN's undefined size, which has 32 bits, becomes this one.
pub const UNDEFINED_SIZE: u64 = u64::MAX;

/// The event time of a message without one, as in DBN.
pub const UNDEFINED_TIME: u64 = u64::MAX;

/// One market-data event.
///
/// Numbers are in native byte order, every bit pattern is valid and there is no padding: a message has the same bytes
/// in every process. Read the single-byte fields through [`kind`](Message::kind), [`side`](Message::side) and
/// [`flags`](Message::flags).
#[derive(Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
pub struct Message {
    /// The time of the event by the venue's clock: ns since 1970 (ITCH: since midnight), or [`UNDEFINED_TIME`].
    pub ts_event: u64,
    /// The time at which it was published or was due (see [`pacing`](crate::pacing)): ns since 1970.
    pub ts_publish: u64,
    /// The number of the instrument: DBN's instrument id, ITCH's stock locate, or the order of first appearance in a
    /// CSV.
    pub instrument: u32,
    /// The letter of a [`Kind`].
    pub kind: u8,
    /// The letter of a [`Side`].
    pub side: u8,
    /// A set of [`Flags`].
    pub flags: u8,
    /// Reserved; zero.
    pub reserved: u8,
    /// The price in units of 1e-9 (quote: the bid's), or [`UNDEFINED_PRICE`].
    pub price: i64,
    /// The size in units of 1e-9 (quote: the bid's), or [`UNDEFINED_SIZE`].
    pub size: u64,
    /// The id of the order, trade or update; 0 if there is none. Quote: the ask's price, see [`Message::ask_price`].
    pub order_id: u64,
    /// Quote: the ask's size. Other kinds: see the table [above](self); 0 if there is nothing.
    pub extra: u64,
}

const _: () = assert!(size_of::<Message>() == 56 && align_of::<Message>() == 8);

impl Message {
    /// A message of this kind and event time. It has no instrument, price, size or id, and is not published yet.
    pub fn new(kind: Kind, ts_event: u64) -> Self {
        Message {
            ts_event,
            ts_publish: 0,
            instrument: 0,
            kind: kind as u8,
            side: Side::None as u8,
            flags: 0,
            reserved: 0,
            price: UNDEFINED_PRICE,
            size: UNDEFINED_SIZE,
            order_id: 0,
            extra: 0,
        }
    }

    /// The message with which a restarted publisher may begin: every book of every instrument is empty from here on.
    ///
    /// Its kind is [`Kind::Clear`] and its instrument is 0, which no source gives to a traded instrument: a restarted
    /// publisher does not know the instruments yet. It has no event time and ends its event.
    pub fn clear_all() -> Self {
        Message { flags: Flags::END_OF_EVENT.0, ..Message::new(Kind::Clear, UNDEFINED_TIME) }
    }

    /// True for [`clear_all`](Self::clear_all)'s message: it clears the books of all instruments.
    pub fn is_clear_all(&self) -> bool {
        self.kind() == Kind::Clear && self.instrument == 0
    }

    /// Turns the message into a quote. Prices and sizes are in units of 1e-9, or undefined.
    pub fn with_quote(self, bid: (i64, u64), ask: (i64, u64)) -> Self {
        Message {
            kind: Kind::Quote as u8,
            price: bid.0,
            size: bid.1,
            order_id: ask.0.cast_unsigned(),
            extra: ask.1,
            ..self
        }
    }

    /// The kind. An unknown letter is [`Kind::Other`].
    pub fn kind(&self) -> Kind {
        Kind::try_from(self.kind).unwrap_or(Kind::Other)
    }

    /// The side. An unknown letter is [`Side::None`].
    pub fn side(&self) -> Side {
        Side::try_from(self.side).unwrap_or(Side::None)
    }

    /// The flags.
    pub fn flags(&self) -> Flags {
        Flags(self.flags)
    }

    /// True for the last message of an event: after it the book is consistent.
    pub fn is_end_of_event(&self) -> bool {
        self.flags().contains(Flags::END_OF_EVENT)
    }

    /// The price in units of 1e-9 (quote: the bid's), if there is one.
    pub fn price(&self) -> Option<i64> {
        (self.price != UNDEFINED_PRICE).then_some(self.price)
    }

    /// The size in units of 1e-9 (quote: the bid's), if there is one.
    pub fn size(&self) -> Option<u64> {
        (self.size != UNDEFINED_SIZE).then_some(self.size)
    }

    /// The ask's price of a quote, in units of 1e-9; `None` for other kinds and for an empty side.
    pub fn ask_price(&self) -> Option<i64> {
        let price = self.order_id.cast_signed();
        (self.kind() == Kind::Quote && price != UNDEFINED_PRICE).then_some(price)
    }

    /// The ask's size of a quote, in units of 1e-9; `None` for other kinds and for an empty side.
    pub fn ask_size(&self) -> Option<u64> {
        (self.kind() == Kind::Quote && self.extra != UNDEFINED_SIZE).then_some(self.extra)
    }

    /// The id of the order, trade or update; `None` for a quote, which has none.
    pub fn order_id(&self) -> Option<u64> {
        (self.kind() != Kind::Quote).then_some(self.order_id)
    }
}

/// A byte that is no letter of a [`Kind`] or a [`Side`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{found:#04x} is no {what}: expected one of {expected}")]
pub struct UnknownLetter {
    /// The set of letters: `kind` or `side`.
    pub what: &'static str,
    /// The byte that was found.
    pub found: u8,
    /// The letters of that set.
    pub expected: &'static str,
}

/// What happened. The letters are DBN's, plus `Q`, `L` and `O`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    /// An order was added to the book.
    Add = b'A',
    /// An order was cancelled, wholly or in part. The size is the cancelled size, if the format has it.
    Cancel = b'C',
    /// An order was changed or replaced.
    Modify = b'M',
    /// The book was cleared.
    Clear = b'R',
    /// A trade took place.
    Trade = b'T',
    /// A resting order was filled, wholly or in part.
    Fill = b'F',
    /// The best bid and ask.
    Quote = b'Q',
    /// The size at a price changed; 0 if the level is gone.
    Level = b'L',
    /// Anything else.
    Other = b'O',
}

impl Kind {
    /// Every kind, in the order of the summary.
    pub const ALL: [Kind; 9] = [
        Kind::Add,
        Kind::Cancel,
        Kind::Modify,
        Kind::Clear,
        Kind::Trade,
        Kind::Fill,
        Kind::Quote,
        Kind::Level,
        Kind::Other,
    ];

    /// The name in lower case, as in the summary.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Add => "add",
            Kind::Cancel => "cancel",
            Kind::Modify => "modify",
            Kind::Clear => "clear",
            Kind::Trade => "trade",
            Kind::Fill => "fill",
            Kind::Quote => "quote",
            Kind::Level => "level",
            Kind::Other => "other",
        }
    }

    /// The index in [`Kind::ALL`].
    pub fn index(self) -> usize {
        match self {
            Kind::Add => 0,
            Kind::Cancel => 1,
            Kind::Modify => 2,
            Kind::Clear => 3,
            Kind::Trade => 4,
            Kind::Fill => 5,
            Kind::Quote => 6,
            Kind::Level => 7,
            Kind::Other => 8,
        }
    }
}

impl TryFrom<u8> for Kind {
    type Error = UnknownLetter;

    fn try_from(letter: u8) -> Result<Self, UnknownLetter> {
        Ok(match letter {
            b'A' => Kind::Add,
            b'C' => Kind::Cancel,
            b'M' => Kind::Modify,
            b'R' => Kind::Clear,
            b'T' => Kind::Trade,
            b'F' => Kind::Fill,
            b'Q' => Kind::Quote,
            b'L' => Kind::Level,
            b'O' => Kind::Other,
            found => return Err(UnknownLetter { what: "kind", found, expected: "A C M R T F Q L O" }),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The side of the order, or of a trade's aggressor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Side {
    /// Buyers.
    Bid = b'B',
    /// Sellers.
    Ask = b'A',
    /// Neither, or unknown.
    None = b'N',
}

impl Side {
    /// The name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Side::Bid => "bid",
            Side::Ask => "ask",
            Side::None => "none",
        }
    }
}

impl TryFrom<u8> for Side {
    type Error = UnknownLetter;

    fn try_from(letter: u8) -> Result<Self, UnknownLetter> {
        Ok(match letter {
            b'B' => Side::Bid,
            b'A' => Side::Ask,
            b'N' => Side::None,
            found => return Err(UnknownLetter { what: "side", found, expected: "B A N" }),
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A set of flags. The bits are DBN's; a DBN file's bits are kept unchanged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(
    /// The bits.
    pub u8,
);

impl Flags {
    /// The last message of its event.
    pub const END_OF_EVENT: Flags = Flags(0x80);
    /// The message is about the top of the book, not about one order.
    pub const TOP_OF_BOOK: Flags = Flags(0x40);
    /// Part of a replay or snapshot.
    pub const SNAPSHOT: Flags = Flags(0x20);
    /// The message is about an aggregated price level, not about one order.
    pub const PRICE_LEVEL: Flags = Flags(0x10);
    /// The capture time is wrong.
    pub const BAD_CAPTURE_TIME: Flags = Flags(0x08);
    /// The venue's channel had a gap: the book may be wrong.
    pub const MAYBE_BAD_BOOK: Flags = Flags(0x04);

    /// True if all flags of `other` are set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_kinds_are_one_to_one() {
        let mut known = 0;
        for letter in 0..=u8::MAX {
            if let Ok(kind) = Kind::try_from(letter) {
                assert_eq!(kind as u8, letter);
                assert_eq!(Kind::ALL[kind.index()], kind);
                known += 1;
            } else {
                assert_eq!(Message { kind: letter, ..Message::new(Kind::Add, 0) }.kind(), Kind::Other);
            }
        }
        assert_eq!(known, Kind::ALL.len());
        assert_eq!(Kind::try_from(0x7f).unwrap_err().to_string(), "0x7f is no kind: expected one of A C M R T F Q L O");
    }

    #[test]
    fn sides_are_one_to_one() {
        let known: Vec<u8> = (0..=u8::MAX).filter(|&letter| Side::try_from(letter).is_ok()).collect();
        assert_eq!(known, b"ABN");
        assert!(known.iter().all(|&letter| Side::try_from(letter).unwrap() as u8 == letter));
        assert_eq!(Message { side: 3, ..Message::new(Kind::Add, 0) }.side(), Side::None);
    }

    #[test]
    fn a_new_message_has_nothing() {
        let message = Message::new(Kind::Add, 5);
        assert_eq!((message.ts_event, message.price(), message.size()), (5, None, None));
        assert_eq!((message.order_id(), message.ask_price(), message.ask_size()), (Some(0), None, None));
        assert!(!message.is_end_of_event());
    }

    #[test]
    fn a_quote_carries_both_sides_and_no_id() {
        let quote = Message::new(Kind::Add, 0).with_quote((-5, 6), (-4, 7));
        assert_eq!((quote.kind(), quote.price(), quote.size()), (Kind::Quote, Some(-5), Some(6)));
        assert_eq!((quote.ask_price(), quote.ask_size(), quote.order_id()), (Some(-4), Some(7), None));
        let empty = quote.with_quote((UNDEFINED_PRICE, UNDEFINED_SIZE), (UNDEFINED_PRICE, UNDEFINED_SIZE));
        assert_eq!((empty.price(), empty.size(), empty.ask_price(), empty.ask_size()), (None, None, None, None));
    }

    #[test]
    fn the_schema_names_every_field() {
        let text = Message::SCHEMA.text::<Message>();
        assert_eq!(
            text,
            "Message 56 8\nts_event u64 0\nts_publish u64 8\ninstrument u32 16\nkind u8 20\nside u8 21\nflags u8 22\n\
             reserved u8 23\nprice i64 24\nsize u64 32\norder_id u64 40\nextra u64 48\n"
        );
    }
}
