//! An ITCH message as its fields, whatever it is.

use std::fmt::Display;

use super::wire;
use crate::decimal::Price;
use crate::line::time_of_day;
use crate::shown::{Shown, Value};

/// What a field is, and by that how long.
#[derive(Clone, Copy)]
enum Form {
    /// Letters, filled up with spaces.
    Letters(usize),
    /// Whole numbers of so many bytes.
    Whole(usize),
    /// A price with four decimal places, in 4 bytes.
    Price4,
    /// A price with eight decimal places, in 8 bytes.
    Price8,
    /// A time in ns since midnight, in 6 bytes.
    Time,
}

use Form::{Letters, Price4, Price8, Time, Whole};

impl Form {
    const fn length(self) -> usize {
        match self {
            Letters(length) | Whole(length) => length,
            Price4 => 4,
            Price8 => 8,
            Time => 6,
        }
    }
}

type Field = (&'static str, Form);

/// The fields that every message begins with, behind its letter.
const HEADER: [Field; 3] = [("stock_locate", Whole(2)), ("tracking", Whole(2)), ("timestamp", Time)];

const STOCK: Field = ("stock", Letters(8));
const ORDER: Field = ("order", Whole(8));
const SIDE: Field = ("side", Letters(1));
const SHARES: Field = ("shares", Whole(4));
const PRICE: Field = ("price", Price4);
const MATCH: Field = ("match_number", Whole(8));

/// The name and the further fields of the messages of this letter.
#[rustfmt::skip]
const fn form(kind: u8) -> Option<(&'static str, &'static [Field])> {
    Some(match kind {
        b'S' => ("system event", &[("event", Letters(1))]),
        b'R' => ("stock directory", &[
            STOCK, ("market_category", Letters(1)), ("financial_status", Letters(1)), ("round_lot_size", Whole(4)),
            ("round_lots_only", Letters(1)), ("issue_classification", Letters(1)), ("issue_subtype", Letters(2)),
            ("authenticity", Letters(1)), ("short_sale_threshold", Letters(1)), ("ipo", Letters(1)),
            ("luld_tier", Letters(1)), ("etp", Letters(1)), ("etp_leverage", Whole(4)), ("inverse", Letters(1)),
        ]),
        b'H' => ("trading action", &[STOCK, ("state", Letters(1)), ("reserved", Letters(1)), ("reason", Letters(4))]),
        b'Y' => ("reg sho restriction", &[STOCK, ("action", Letters(1))]),
        b'L' => ("market participant position", &[
            ("participant", Letters(4)), STOCK, ("primary", Letters(1)), ("mode", Letters(1)), ("state", Letters(1)),
        ]),
        b'V' => ("decline levels", &[("level_1", Price8), ("level_2", Price8), ("level_3", Price8)]),
        b'W' => ("decline level breached", &[("level", Letters(1))]),
        b'K' => ("ipo quoting period", &[
            STOCK, ("release_time", Whole(4)), ("release_qualifier", Letters(1)), ("ipo_price", Price4),
        ]),
        b'J' => ("auction collar", &[
            STOCK, ("reference_price", Price4), ("upper_price", Price4), ("lower_price", Price4), ("extension", Whole(4)),
        ]),
        b'h' => ("operational halt", &[STOCK, ("market", Letters(1)), ("action", Letters(1))]),
        b'A' => ("add order", &[ORDER, SIDE, SHARES, STOCK, PRICE]),
        b'F' => ("add order", &[ORDER, SIDE, SHARES, STOCK, PRICE, ("attribution", Letters(4))]),
        b'E' => ("order executed", &[ORDER, SHARES, MATCH]),
        b'C' => ("order executed", &[ORDER, SHARES, MATCH, ("printable", Letters(1)), PRICE]),
        b'X' => ("order cancelled", &[ORDER, SHARES]),
        b'D' => ("order deleted", &[ORDER]),
        b'U' => ("order replaced", &[("original_order", Whole(8)), ("new_order", Whole(8)), SHARES, PRICE]),
        b'P' => ("trade", &[ORDER, SIDE, SHARES, STOCK, PRICE, MATCH]),
        b'Q' => ("cross trade", &[("shares", Whole(8)), STOCK, PRICE, MATCH, ("cross_type", Letters(1))]),
        b'B' => ("broken trade", &[MATCH]),
        b'I' => ("order imbalance", &[
            ("paired_shares", Whole(8)), ("imbalance_shares", Whole(8)), ("direction", Letters(1)), STOCK,
            ("far_price", Price4), ("near_price", Price4), ("reference_price", Price4), ("cross_type", Letters(1)),
            ("price_variation", Letters(1)),
        ]),
        b'N' => ("retail interest", &[STOCK, ("interest", Letters(1))]),
        b'O' => ("direct listing", &[
            STOCK, ("open", Letters(1)), ("minimum_price", Price4), ("maximum_price", Price4), ("near_price", Price4),
            ("near_time", Whole(8)), ("lower_price", Price4), ("upper_price", Price4),
        ]),
        _ => return None,
    })
}

/// One message without its length prefix as its fields. Prices are decimals. `None` if the bytes are no message of ITCH 5.0.
pub fn shown(bytes: &[u8]) -> Option<Shown> {
    let (&kind, mut rest) = bytes.split_first()?;
    if wire::length(kind) != Some(bytes.len()) {
        return None;
    }
    let (name, further) = form(kind)?;
    let mut fields = vec![("type".to_owned(), Value::Text(char::from(kind).to_string()))];
    for (name, form) in HEADER.iter().chain(further) {
        let (field, behind) = rest.split_at_checked(form.length())?;
        fields.push(((*name).to_owned(), value(field, *form)));
        rest = behind;
    }
    Some(Shown::new(name, fields))
}

fn value(bytes: &[u8], form: Form) -> Value {
    let number = bytes.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let text = |text: &dyn Display| Value::Text(text.to_string());
    match form {
        Letters(_) => Value::Text(bytes.trim_ascii_end().iter().map(|&byte| char::from(byte)).collect()),
        Whole(_) => Value::Number(number.to_string()),
        Time => text(&format!("{}{:03}", time_of_day(number), number % 1_000)),
        Price4 => text(&Price(number as i64 * 100_000)),
        // In units of 1e-8.
        Price8 => match i64::try_from(number).ok().and_then(|number| number.checked_mul(10)) {
            Some(price) => text(&Price(price)),
            None => text(&format!("{number}e-8")),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_every_message_take_its_length() {
        for kind in 0..=u8::MAX {
            let fields = form(kind).map(|(_, fields)| fields);
            let length = |fields: &[Field]| fields.iter().map(|(_, form)| form.length()).sum::<usize>();
            assert_eq!(
                fields.map(|fields| 1 + length(&HEADER) + length(fields)),
                wire::length(kind),
                "{}",
                char::from(kind)
            );
        }
    }

    #[test]
    fn what_is_no_message_is_not_shown() {
        let header = |kind| [&[kind, 0, 5, 0, 0], &34_200_000_001_487u64.to_be_bytes()[2..]].concat();
        let delete = [header(b'D'), 7u64.to_be_bytes().to_vec()].concat();
        let text = "order deleted type=D stock_locate=5 tracking=0 timestamp=09:30:00.000001487 order=7";
        assert_eq!(shown(&delete).map(|shown| shown.text()).as_deref(), Some(text));
        for wrong in [&b""[..], b"D", b"Z0123456789", &delete[1..], &[&delete[..], b"\0"].concat()] {
            assert_eq!(shown(wrong), None);
        }
        let hostile = [header(b'H'), b"\x1b[2J\n \xff\0T \x07\"\\ ".to_vec()].concat();
        let shown = shown(&hostile).unwrap();
        assert!(!shown.text().chars().any(char::is_control), "{}", shown.text());
        let json: serde_json::Value = serde_json::from_str(&shown.json()).unwrap();
        assert_eq!(json["stock"], "\x1b[2J\n \u{ff}\0");
    }
}
