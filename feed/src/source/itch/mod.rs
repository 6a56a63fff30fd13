//! NASDAQ TotalView-ITCH 5.0 in files: each message after a two-byte length, which some writers leave zero.
//!
//! <https://www.nasdaqtrader.com/content/technicalsupport/specifications/dataproducts/NQTVITCHSpecification.pdf>
//!
//! | message | becomes |
//! |---|---|
//! | `A` `F` add order | add |
//! | `E` `C` order executed | fill; without a price of its own (`E`) the price is undefined |
//! | `X` order cancelled in part | cancel, with the size cancelled |
//! | `D` order deleted | cancel, without a size |
//! | `U` order replaced | modify: the new order; the original one's id in `extra` |
//! | `P` trade, `Q` cross trade | trade |
//! | everything else | other |
//!
//! Every message is an event of its own. True and zero length prefixes may be mixed.
//!
//! The venue's files (BinaryFILE) end with a payload of no bytes: a zero length with nothing after it. Both that and
//! the end of the input between two messages end the session. So an input with zero prefixes that was cut after one of
//! them passes as complete.

mod wire;

use std::io::{self, BufRead};

use zerocopy::FromBytes;

use self::wire::Header;
use super::error::{Position, Reason, SourceError, read_failed};
use super::stream::Source;
use crate::decimal::SCALE;
use crate::message::{Flags, Kind, Message, Side};

/// The length of a length prefix in bytes.
const PREFIX: usize = 2;

/// The payload length that ends a session if nothing follows it. Before a message it is a zero prefix.
const END_OF_SESSION: [u8; PREFIX] = [0; PREFIX];

/// ITCH prices have four decimal places.
const PRICE_UNIT: i64 = 100_000;

/// True if an input that begins with these bytes may be ITCH: a length, zero or right, before a known message type.
pub(crate) fn begins_like_itch(first: &[u8]) -> bool {
    let [high, low, kind, ..] = *first else { return false };
    let prefix = usize::from(u16::from_be_bytes([high, low]));
    wire::length(kind).is_some_and(|length| prefix == 0 || prefix == length)
}

/// Decodes decompressed ITCH.
pub struct ItchSource {
    file: String,
    reader: Box<dyn BufRead + Send>,
    number: u64,
    byte: u64,
    ended: bool,
}

impl ItchSource {
    /// Makes a source; reads nothing yet.
    pub fn new(file: &str, reader: Box<dyn BufRead + Send>) -> Self {
        ItchSource { file: file.to_owned(), reader, number: 0, byte: 0, ended: false }
    }

    fn next(&mut self) -> Result<Option<Message>, Reason> {
        self.number += 1;
        // Prefix and type come first: the type determines how much follows.
        let mut buffer = [0; PREFIX + wire::LONGEST];
        match self.fill(&mut buffer[..PREFIX + 1])? {
            0 => return Ok(None),
            PREFIX if buffer[..PREFIX] == END_OF_SESSION => return Ok(None),
            short if short <= PREFIX => return Err(ends_within(short, PREFIX + 1)),
            _ => {}
        }
        let prefix = usize::from(u16::from_be_bytes([buffer[0], buffer[1]]));
        let letter = buffer[PREFIX];
        let Some(length) = wire::length(letter) else {
            return Err(Reason::Malformed(format!(
                "message type {letter:#04x} is not in ITCH 5.0, so the rest cannot be told apart"
            )));
        };
        if prefix != 0 && prefix != length {
            return Err(Reason::Malformed(format!(
                "length prefix is {prefix}, but a message of type {} has {length} bytes",
                char::from(letter)
            )));
        }
        let body = &mut buffer[PREFIX..PREFIX + length];
        let got = self.fill(&mut body[1..])? + 1;
        if got < length {
            return Err(ends_within(PREFIX + got, PREFIX + length));
        }
        message(&buffer[PREFIX..PREFIX + length]).map(|message| {
            self.byte += (PREFIX + length) as u64;
            Some(message)
        })
    }

    /// Reads until the buffer is full or the input ends; returns the number of bytes read.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, Reason> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(read_failed(error)),
            }
        }
        Ok(filled)
    }
}

impl Source for ItchSource {
    fn next_message(&mut self) -> Result<Option<Message>, SourceError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.next();
        self.ended = !matches!(next, Ok(Some(_)));
        next.map_err(|reason| reason.at(&self.file, Position::Record { number: self.number, byte: self.byte }))
    }
}

fn ends_within(got: usize, needed: usize) -> Reason {
    Reason::Malformed(format!("the input ends {got} bytes into this message of {needed} (its length included)"))
}

/// Converts one message without its prefix. `bytes` has the length of its type.
fn message(bytes: &[u8]) -> Result<Message, Reason> {
    Ok(match bytes[0] {
        b'A' => add(read::<wire::AddOrder>(bytes)?)?,
        b'F' => add(&read::<wire::AddOrderAttributed>(bytes)?.order)?,
        b'E' => {
            let executed = read::<wire::OrderExecuted>(bytes)?;
            Message {
                size: shares(executed.shares.get()),
                order_id: executed.order.get(),
                extra: executed.match_number.get(),
                ..base(Kind::Fill, &executed.header)
            }
        }
        b'C' => {
            let executed = read::<wire::OrderExecutedWithPrice>(bytes)?;
            Message {
                price: price(executed.price.get()),
                size: shares(executed.shares.get()),
                order_id: executed.order.get(),
                extra: executed.match_number.get(),
                ..base(Kind::Fill, &executed.header)
            }
        }
        b'X' => {
            let cancel = read::<wire::OrderCancel>(bytes)?;
            Message {
                size: shares(cancel.shares.get()),
                order_id: cancel.order.get(),
                ..base(Kind::Cancel, &cancel.header)
            }
        }
        b'D' => {
            let delete = read::<wire::OrderDelete>(bytes)?;
            Message { order_id: delete.order.get(), ..base(Kind::Cancel, &delete.header) }
        }
        b'U' => {
            let replace = read::<wire::OrderReplace>(bytes)?;
            Message {
                price: price(replace.price.get()),
                size: shares(replace.shares.get()),
                order_id: replace.new_order.get(),
                extra: replace.original_order.get(),
                ..base(Kind::Modify, &replace.header)
            }
        }
        b'P' => {
            let trade = read::<wire::Trade>(bytes)?;
            Message {
                side: side(trade.side)? as u8,
                price: price(trade.price.get()),
                size: shares(trade.shares.get()),
                order_id: trade.order.get(),
                extra: trade.match_number.get(),
                ..base(Kind::Trade, &trade.header)
            }
        }
        b'Q' => {
            let cross = read::<wire::CrossTrade>(bytes)?;
            Message {
                price: price(cross.price.get()),
                size: cross_shares(cross.shares.get())?,
                extra: cross.match_number.get(),
                ..base(Kind::Trade, &cross.header)
            }
        }
        b'B' => {
            let broken = read::<wire::BrokenTrade>(bytes)?;
            Message { extra: broken.match_number.get(), ..base(Kind::Other, &broken.header) }
        }
        _ => {
            let (header, _) =
                Header::ref_from_prefix(bytes).map_err(|_| Reason::Malformed("is too short".to_owned()))?;
            base(Kind::Other, header)
        }
    })
}

/// Cannot fail: [`wire`] asserts that each struct is as long as [`wire::length`] says.
fn read<T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable>(bytes: &[u8]) -> Result<&T, Reason> {
    T::ref_from_bytes(bytes)
        .map_err(|_| Reason::Malformed(format!("has {} bytes: expected {}", bytes.len(), size_of::<T>())))
}

fn base(kind: Kind, header: &Header) -> Message {
    Message {
        instrument: u32::from(header.stock_locate.get()),
        flags: Flags::END_OF_EVENT.0,
        ..Message::new(kind, header.timestamp())
    }
}

fn add(order: &wire::AddOrder) -> Result<Message, Reason> {
    Ok(Message {
        side: side(order.side)? as u8,
        price: price(order.price.get()),
        size: shares(order.shares.get()),
        order_id: order.order.get(),
        ..base(Kind::Add, &order.header)
    })
}

/// 32 bits in units of 1e-4 always fit into 64 bits in units of 1e-9.
fn price(price: u32) -> i64 {
    i64::from(price) * PRICE_UNIT
}

/// 32 bits of whole shares always fit into 64 bits in units of 1e-9.
fn shares(shares: u32) -> u64 {
    u64::from(shares) * SCALE
}

/// A cross has 64 bits of whole shares, which may not fit into units of 1e-9.
fn cross_shares(shares: u64) -> Result<u64, Reason> {
    shares.checked_mul(SCALE).ok_or_else(|| Reason::DoesNotFit {
        field: "shares of a cross trade",
        value: shares.to_string(),
        limit: (u64::MAX / SCALE).to_string(),
    })
}

fn side(letter: u8) -> Result<Side, Reason> {
    match letter {
        b'B' => Ok(Side::Bid),
        b'S' => Ok(Side::Ask),
        _ => Err(Reason::Malformed(format!("side is {letter:#04x}: expected B or S"))),
    }
}
