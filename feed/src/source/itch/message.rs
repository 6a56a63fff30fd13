//! ITCH messages become the feed's messages.

use std::collections::HashMap;

use zerocopy::FromBytes;

use super::super::error::Reason;
use super::super::notes::{Strange, What};
use super::wire::{self, Header};
use crate::board::Symbol;
use crate::decimal::SCALE;
use crate::message::{Flags, Kind, Message, Side};

/// ITCH prices have four decimal places.
const PRICE_UNIT: i64 = 100_000;

/// The symbol of each stock by its number: at most 65,536.
pub(super) type Symbols = HashMap<u16, Symbol>;

/// Converts one message without its prefix. `bytes` has the length of its type. A stock's symbol is kept in `symbols`.
pub(super) fn message(bytes: &[u8], symbols: &mut Symbols) -> Result<Message, Strange> {
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
        b'R' => {
            let directory = read::<wire::StockDirectory>(bytes)?;
            symbols.insert(directory.header.stock_locate.get(), Symbol::cut(directory.stock.trim_ascii_end()));
            base(Kind::Other, &directory.header)
        }
        _ => {
            let (header, _) = Header::ref_from_prefix(bytes).map_err(|_| wrong_length(bytes, size_of::<Header>()))?;
            base(Kind::Other, header)
        }
    })
}

/// Cannot fail: [`wire`] asserts that each struct is as long as [`wire::length`] says.
fn read<T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable>(bytes: &[u8]) -> Result<&T, Strange> {
    T::ref_from_bytes(bytes).map_err(|_| wrong_length(bytes, size_of::<T>()))
}

fn wrong_length(bytes: &[u8], expected: usize) -> Strange {
    let reason = Reason::Malformed(format!("has {} bytes: expected {expected}", bytes.len()));
    Strange::new(What::Text("ITCH message of another length"), reason)
}

fn base(kind: Kind, header: &Header) -> Message {
    Message {
        instrument: u32::from(header.stock_locate.get()),
        flags: Flags::END_OF_EVENT.0,
        ..Message::new(kind, header.timestamp())
    }
}

fn add(order: &wire::AddOrder) -> Result<Message, Strange> {
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
fn cross_shares(shares: u64) -> Result<u64, Strange> {
    shares.checked_mul(SCALE).ok_or_else(|| {
        let reason = Reason::DoesNotFit {
            field: "shares of a cross trade",
            value: shares.to_string(),
            limit: (u64::MAX / SCALE).to_string(),
        };
        Strange::new(What::Text("ITCH cross trade of more shares than the message holds"), reason)
    })
}

fn side(letter: u8) -> Result<Side, Strange> {
    match letter {
        b'B' => Ok(Side::Bid),
        b'S' => Ok(Side::Ask),
        _ => {
            let reason = Reason::Malformed(format!("side is {letter:#04x}: expected B or S"));
            Err(Strange::new(What::Letter("ITCH message with unknown side", letter), reason))
        }
    }
}
