//! The live board: a table with one row for each instrument, for subscribers that come late.
//!
//! `feed-publisher --table` keeps it beside the ring; `feed-subscriber --snapshot` copies it and goes on with the messages.
//! Both call [`Row::apply`], so both have the same rows at the same message, and [`Digest`] compares them.
//!
//! The key of a row is the instrument's number ([`key`]). Instrument 0 stands for no instrument or for all, and has no row.
//!
//! A row's symbol is what the source tells ([`Source::symbol`](crate::source::Source::symbol)) at the first message that a
//! publisher sends of the instrument, and again at each message of kind `other`: only such a message may change it.

use std::fmt;

use feed_ring::keyed::Holds;
use feed_ring::{Payload, Text};
use xxhash_rust::xxh3::xxh3_64;
use zerocopy::transmute_ref;

use crate::message::{Kind, Message};

/// A symbol of at most 72 bytes. DBN has up to 71, a CSV up to 64, ITCH 8: none of theirs is cut.
pub type Symbol = Text<72>;

/// The key of a message's row: its instrument. `None` for instrument 0, which has no row.
#[inline]
pub fn key(message: &Message) -> Option<u32> {
    (message.instrument != 0).then_some(message.instrument)
}

/// Whether the symbol of a message's instrument may change with it.
#[inline]
pub fn may_name(message: &Message) -> bool {
    message.kind() == Kind::Other
}

/// The words of a [`Message`].
type Words = [u64; size_of::<Message>() / size_of::<u64>()];

/// One instrument: 256 bytes of plain data without padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Payload)]
#[repr(C)]
pub struct Row {
    /// The instrument's symbol; empty if the source tells none.
    pub symbol: Symbol,
    /// The number of messages of the instrument.
    pub messages: u64,
    /// The number of trades among them.
    pub trades: u64,
    last: Words,
    quote: Words,
    trade: Words,
}

const _: () = assert!(size_of::<Row>() == 256);

impl Row {
    /// A row without a message.
    pub fn new(symbol: Symbol) -> Self {
        Row { symbol, messages: 0, trades: 0, last: [0; 7], quote: [0; 7], trade: [0; 7] }
    }

    /// The row in the bytes of a table's value, whatever they are.
    pub fn from_bytes(bytes: &[u8; 256]) -> Self {
        let (symbol, numbers) = bytes.split_at(size_of::<Symbol>());
        let mut numbers = numbers.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap_or_default()));
        let mut number = || numbers.next().unwrap_or(0);
        let (messages, trades) = (number(), number());
        let mut words = || std::array::from_fn(|_| number());
        Row { symbol: Symbol::cut(symbol), messages, trades, last: words(), quote: words(), trade: words() }
    }

    /// Adds the next message of the instrument.
    #[inline]
    pub fn apply(&mut self, message: &Message) {
        let words = *transmute_ref!(message);
        // Another process may have written any number here.
        self.messages = self.messages.wrapping_add(1);
        self.last = words;
        match message.kind() {
            Kind::Quote => self.quote = words,
            Kind::Trade => {
                self.trades = self.trades.wrapping_add(1);
                self.trade = words;
            }
            _ => {}
        }
    }

    /// The last message.
    pub fn last(&self) -> &Message {
        transmute_ref!(&self.last)
    }

    /// The last quote, if there was one.
    pub fn quote(&self) -> Option<&Message> {
        let quote: &Message = transmute_ref!(&self.quote);
        (quote.kind() == Kind::Quote).then_some(quote)
    }

    /// The last trade, if there was one.
    pub fn trade(&self) -> Option<&Message> {
        let trade: &Message = transmute_ref!(&self.trade);
        (trade.kind() == Kind::Trade).then_some(trade)
    }

    fn bytes(&self, instrument: u32) -> [u8; 4 + 256] {
        let mut bytes = [0; 4 + 256];
        bytes[..4].copy_from_slice(&instrument.to_le_bytes());
        let symbol = self.symbol.as_str().as_bytes();
        bytes[4..4 + symbol.len()].copy_from_slice(symbol);
        let numbers = [self.messages, self.trades].into_iter().chain(self.last).chain(self.quote).chain(self.trade);
        for (at, number) in bytes[4 + size_of::<Symbol>()..].chunks_exact_mut(8).zip(numbers) {
            at.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }
}

impl Holds<Message> for Row {
    fn message(&self) -> &Message {
        self.last()
    }
}

/// A digest of all rows, whatever their order: the sum of the 64-bit xxh3 of each row's key and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    sum: u64,
    rows: u64,
    symbols: u64,
}

impl Digest {
    /// Adds the row of an instrument.
    pub fn add(&mut self, instrument: u32, row: &Row) {
        self.sum = self.sum.wrapping_add(xxh3_64(&row.bytes(instrument)));
        self.rows += 1;
        self.symbols += u64::from(!row.symbol.as_str().is_empty());
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The number of rows with a symbol.
    pub fn symbols(&self) -> u64 {
        self.symbols
    }
}

/// 16 hexadecimal digits.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: Kind, order_id: u64) -> Message {
        Message { instrument: 7, order_id, ..Message::new(kind, 5) }
    }

    #[test]
    fn a_row_has_the_last_of_each_and_counts_all() {
        let mut row = Row::new(Symbol::cut(b"ESH4"));
        assert_eq!((row.quote(), row.trade()), (None, None));
        let quote = message(Kind::Add, 0).with_quote((1, 2), (3, 4));
        let all = [message(Kind::Trade, 1), quote, message(Kind::Trade, 2), message(Kind::Add, 3)];
        all.iter().for_each(|message| row.apply(message));
        assert_eq!((row.messages, row.trades, row.symbol.as_str()), (4, 2, "ESH4"));
        assert_eq!((row.message(), row.quote(), row.trade()), (&all[3], Some(&quote), Some(&all[2])));
    }

    #[test]
    fn a_symbol_is_whole_characters() {
        assert_eq!(Symbol::cut(b"A\0B").as_str(), "A");
        assert_eq!(Symbol::cut(b"A\xffB").as_str(), "A");
        assert_eq!(Symbol::cut(&b"x".repeat(80)).as_str(), "x".repeat(72));
        assert_eq!(Symbol::cut("é".repeat(40).as_bytes()).as_str(), "é".repeat(36));
        assert_eq!(Symbol::cut(format!("x{}", "é".repeat(40)).as_bytes()).as_str(), format!("x{}", "é".repeat(35)));
    }

    #[test]
    fn a_digest_is_of_every_field_and_of_no_order() {
        let digest = |rows: &[(u32, Row)]| {
            let mut digest = Digest::default();
            rows.iter().for_each(|(key, row)| digest.add(*key, row));
            digest.to_string()
        };
        let mut one = Row::new(Symbol::cut(b"ONE"));
        one.apply(&message(Kind::Trade, 1));
        let two = Row::new(Symbol::cut(b"TWO"));
        assert_eq!(digest(&[(1, one), (2, two)]), digest(&[(2, two), (1, one)]));
        assert_ne!(digest(&[(1, one), (2, two)]), digest(&[(2, one), (1, two)]));
        let mut others = [one; 6];
        others[0].symbol = Symbol::cut(b"ONX");
        others[1].messages += 1;
        others[2].trades += 1;
        others[3].last[6] += 1;
        others[4].quote[0] += 1;
        others[5].trade[6] += 1;
        for other in others {
            assert_ne!(digest(&[(1, one)]), digest(&[(1, other)]), "{other:?}");
        }
    }

    #[test]
    fn no_instrument_has_no_row() {
        assert_eq!(key(&Message::clear_all()), None);
        assert_eq!(key(&message(Kind::Add, 1)), Some(7));
    }
}
