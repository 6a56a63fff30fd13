//! An ITCH message as its fields, whatever it is.

use std::fmt::Display;

use super::fields::{self, HEADER, Holds, TIMESTAMP};
use crate::decimal::Price;
use crate::line::time_of_day;
use crate::shown::{Shown, Value};

/// One message without its length prefix as its fields. Prices are decimals. `None` if the bytes are no message of ITCH 5.0.
pub fn shown(bytes: &[u8]) -> Option<Shown> {
    let (name, further) = fields::of(bytes)?;
    let (&kind, mut rest) = bytes.split_first()?;
    let mut fields = vec![("type".to_owned(), Value::Text(char::from(kind).to_string()))];
    for &(name, length, holds) in HEADER.iter().chain(further) {
        let (field, behind) = rest.split_at_checked(length)?;
        fields.push((name.to_owned(), value(name, field, holds)));
        rest = behind;
    }
    Some(Shown::new(name, fields))
}

fn value(name: &str, bytes: &[u8], holds: Holds) -> Value {
    let number = bytes.iter().take(8).fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    let text = |text: &dyn Display| Value::Text(text.to_string());
    match holds {
        Holds::Text => Value::Text(bytes.trim_ascii_end().iter().map(|&byte| char::from(byte)).collect()),
        Holds::Number if name == TIMESTAMP => text(&format!("{}{:03}", time_of_day(number), number % 1_000)),
        Holds::Number => Value::Number(number.to_string()),
        Holds::Price(places) => {
            let unit = 10i64.pow(9 - places);
            match i64::try_from(number).ok().and_then(|number| number.checked_mul(unit)) {
                Some(price) => text(&Price(price)),
                None => text(&format!("{number}e-{places}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_not_shown() {
        let header = |kind| [&[kind, 0, 5, 0, 0], &34_200_000_001_487u64.to_be_bytes()[2..]].concat();
        let delete = [header(b'D'), 7u64.to_be_bytes().to_vec()].concat();
        let text = "order deleted type=D stock_locate=5 tracking_number=0 timestamp=09:30:00.000001487 order=7";
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
