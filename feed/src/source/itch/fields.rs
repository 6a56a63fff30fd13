//! The fields of every message of ITCH 5.0, in their order on the wire.
//!
//! <https://www.nasdaqtrader.com/content/technicalsupport/specifications/dataproducts/NQTVITCHSpecification.pdf>

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A big-endian number.
    Number,
    /// A big-endian price with so many decimal places.
    Price(u32),
    /// ASCII, filled up with spaces on the right.
    Text,
}

use Holds::{Number, Price, Text};

/// A field: its name, its bytes, and what it holds.
pub(crate) type Field = (&'static str, usize, Holds);

/// The name of the field with the time, in ns since midnight.
pub(crate) const TIMESTAMP: &str = "timestamp";

/// The fields behind the type that every message begins with.
pub(crate) const HEADER: &[Field] =
    &[("stock_locate", 2, Number), ("tracking_number", 2, Number), (TIMESTAMP, 6, Number)];

const STOCK: Field = ("stock", 8, Text);
const ORDER: Field = ("order", 8, Number);
const SIDE: Field = ("side", 1, Text);
const SHARES: Field = ("shares", 4, Number);
const PRICE: Field = ("price", 4, Price(4));
const MATCH: Field = ("match_number", 8, Number);
const NEAR: Field = ("near_price", 4, Price(4));
const REFERENCE: Field = ("reference_price", 4, Price(4));
const CROSS: Field = ("cross_type", 1, Text);

/// The types, in the order of the specification, each with its name and its fields behind the header.
pub(crate) const TYPES: [(u8, &str, &[Field]); 23] = [
    (b'S', "system event", &[("event_code", 1, Text)]),
    (
        b'R',
        "stock directory",
        &[
            STOCK,
            ("market_category", 1, Text),
            ("financial_status", 1, Text),
            ("round_lot_size", 4, Number),
            ("round_lots_only", 1, Text),
            ("issue_classification", 1, Text),
            ("issue_sub_type", 2, Text),
            ("authenticity", 1, Text),
            ("short_sale_threshold", 1, Text),
            ("ipo_flag", 1, Text),
            ("luld_tier", 1, Text),
            ("etp_flag", 1, Text),
            ("etp_leverage", 4, Number),
            ("inverse", 1, Text),
        ],
    ),
    (b'H', "trading action", &[STOCK, ("trading_state", 1, Text), ("reserved", 1, Text), ("reason", 4, Text)]),
    (b'Y', "reg sho restriction", &[STOCK, ("reg_sho_action", 1, Text)]),
    (
        b'L',
        "market participant position",
        &[
            ("attribution", 4, Text),
            STOCK,
            ("primary_market_maker", 1, Text),
            ("market_maker_mode", 1, Text),
            ("participant_state", 1, Text),
        ],
    ),
    (b'V', "decline levels", &[("level_1", 8, Price(8)), ("level_2", 8, Price(8)), ("level_3", 8, Price(8))]),
    (b'W', "decline level breached", &[("breached_level", 1, Text)]),
    (b'K', "ipo quoting period", &[STOCK, ("release_time", 4, Number), ("release_qualifier", 1, Text), PRICE]),
    (
        b'J',
        "auction collar",
        &[
            STOCK,
            REFERENCE,
            ("upper_collar", 4, Price(4)),
            ("lower_collar", 4, Price(4)),
            ("collar_extension", 4, Number),
        ],
    ),
    (b'h', "operational halt", &[STOCK, ("market_code", 1, Text), ("halt_action", 1, Text)]),
    (b'A', "add order", &[ORDER, SIDE, SHARES, STOCK, PRICE]),
    (b'F', "add order", &[ORDER, SIDE, SHARES, STOCK, PRICE, ("attribution", 4, Text)]),
    (b'E', "order executed", &[ORDER, SHARES, MATCH]),
    (b'C', "order executed", &[ORDER, SHARES, MATCH, ("printable", 1, Text), PRICE]),
    (b'X', "order cancelled", &[ORDER, SHARES]),
    (b'D', "order deleted", &[ORDER]),
    (b'U', "order replaced", &[("original_order", 8, Number), ORDER, SHARES, PRICE]),
    (b'P', "trade", &[ORDER, SIDE, SHARES, STOCK, PRICE, MATCH]),
    (b'Q', "cross trade", &[("shares", 8, Number), STOCK, PRICE, MATCH, CROSS]),
    (b'B', "broken trade", &[MATCH]),
    (
        b'I',
        "order imbalance",
        &[
            ("paired_shares", 8, Number),
            ("imbalance_shares", 8, Number),
            ("imbalance_direction", 1, Text),
            STOCK,
            ("far_price", 4, Price(4)),
            NEAR,
            REFERENCE,
            CROSS,
            ("price_variation", 1, Text),
        ],
    ),
    (b'N', "retail interest", &[STOCK, ("interest_flag", 1, Text)]),
    (
        b'O',
        "direct listing",
        &[
            STOCK,
            ("open_eligibility", 1, Text),
            ("minimum_price", 4, Price(4)),
            ("maximum_price", 4, Price(4)),
            NEAR,
            ("near_time", 8, Number),
            ("lower_collar", 4, Price(4)),
            ("upper_collar", 4, Price(4)),
        ],
    ),
];

/// The name of a message's type, and its fields behind the header. `None` for a type that ITCH 5.0 has not, or of another length
/// than it has.
pub(crate) fn of(bytes: &[u8]) -> Option<(&'static str, &'static [Field])> {
    let (_, name, fields) = TYPES.iter().find(|(letter, ..)| bytes.first() == Some(letter))?;
    (length(fields) == bytes.len()).then_some((*name, *fields))
}

/// The length of a message with these fields.
fn length(fields: &[Field]) -> usize {
    1 + HEADER.iter().chain(fields).map(|(_, bytes, _)| bytes).sum::<usize>()
}

/// Every name that a field behind the header has, once, in the order in which they occur first.
pub(crate) fn names() -> Vec<&'static str> {
    let mut names = Vec::new();
    for (name, ..) in TYPES.iter().flat_map(|(.., fields)| fields.iter()) {
        if !names.contains(name) {
            names.push(*name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn every_type_has_the_length_that_its_decoder_has() {
        for kind in *sample::ITCH_TYPES {
            let message = sample::itch_message(kind, 3);
            assert!(of(&message).is_some(), "{}: {} bytes", char::from(kind), message.len());
            assert!(of(&message[..message.len() - 1]).is_none());
        }
        assert_eq!(sample::ITCH_TYPES.len(), TYPES.len());
        assert!(of(b"Z").is_none() && of(b"").is_none());
    }
}
