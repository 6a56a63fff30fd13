//! The messages of ITCH 5.0 on the wire: big-endian, no padding, one struct for each message that is read.

use zerocopy::big_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// The length of a message of this type, with the type and without the prefix; `None` if ITCH 5.0 has no such type.
pub(super) const fn length(kind: u8) -> Option<usize> {
    Some(match kind {
        // System event, and the stocks: directory, trading action, short-sale restriction, market participant position.
        b'S' => 12,
        b'R' => 39,
        b'H' => 25,
        b'Y' => 20,
        b'L' => 26,
        // Circuit breakers: decline levels and status; IPO quoting period; auction collar; operational halt.
        b'V' => 35,
        b'W' => 12,
        b'K' => 28,
        b'J' => 35,
        b'h' => 21,
        // Orders.
        b'A' => 36,
        b'F' => 40,
        b'E' => 31,
        b'C' => 36,
        b'X' => 23,
        b'D' => 19,
        b'U' => 35,
        // Trades.
        b'P' => 44,
        b'Q' => 40,
        b'B' => 19,
        // Net order imbalance, retail interest, direct listing with capital raise.
        b'I' => 50,
        b'N' => 20,
        b'O' => 48,
        _ => return None,
    })
}

macro_rules! wire {
    ($($(#[$doc:meta])* $kind:literal $name:ident { $($field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
        #[repr(C)]
        pub(crate) struct $name {
            $(pub(crate) $field: $type,)*
        }
        const _: () = assert!(matches!(length($kind), Some(length) if length == size_of::<$name>()));
    )*};
}

/// The first fields of every message.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub(crate) struct Header {
    pub(crate) kind: u8,
    pub(crate) stock_locate: U16,
    pub(crate) tracking: U16,
    pub(crate) timestamp: [u8; 6],
}

impl Header {
    /// The time in ns since midnight.
    pub(crate) fn timestamp(&self) -> u64 {
        let mut wide = [0; 8];
        wide[2..].copy_from_slice(&self.timestamp);
        u64::from_be_bytes(wide)
    }
}

wire! {
    /// The number of a stock.
    b'R' StockDirectory {
        header: Header,
        stock: [u8; 8],
        rest: [u8; 20],
    }
    /// A new order.
    b'A' AddOrder {
        header: Header,
        order: U64,
        side: u8,
        shares: U32,
        stock: [u8; 8],
        price: U32,
    }
    /// A new order with its market participant.
    b'F' AddOrderAttributed {
        order: AddOrder,
        attribution: [u8; 4],
    }
    /// An order was executed at its own price.
    b'E' OrderExecuted {
        header: Header,
        order: U64,
        shares: U32,
        match_number: U64,
    }
    /// An order was executed at another price.
    b'C' OrderExecutedWithPrice {
        header: Header,
        order: U64,
        shares: U32,
        match_number: U64,
        printable: u8,
        price: U32,
    }
    /// An order was cancelled in part.
    b'X' OrderCancel {
        header: Header,
        order: U64,
        shares: U32,
    }
    /// An order was cancelled wholly.
    b'D' OrderDelete {
        header: Header,
        order: U64,
    }
    /// An order was replaced by another.
    b'U' OrderReplace {
        header: Header,
        original_order: U64,
        new_order: U64,
        shares: U32,
        price: U32,
    }
    /// A trade against an order that is not displayed.
    b'P' Trade {
        header: Header,
        order: U64,
        side: u8,
        shares: U32,
        stock: [u8; 8],
        price: U32,
        match_number: U64,
    }
    /// A cross: opening, closing, halt, IPO.
    b'Q' CrossTrade {
        header: Header,
        shares: U64,
        stock: [u8; 8],
        price: U32,
        match_number: U64,
        cross_type: u8,
    }
    /// A trade was broken.
    b'B' BrokenTrade {
        header: Header,
        match_number: U64,
    }
}
