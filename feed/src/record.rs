//! One record of an input, and what the records of a ring are: what sources, programs and printers share.

use std::borrow::Cow;

use ::dbn::RType;
use feed_ring::records::RecordsFormat;

use crate::message::UNDEFINED_TIME;

/// The kind of a DBN file's metadata, with which its records begin. No DBN record is of this type.
pub const METADATA: u8 = 255;

/// A record of an input: its own bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// DBN: the `rtype`, or [`METADATA`]. ITCH: the letter.
    pub kind: u8,
    /// The bytes, as the input has them. ITCH: without the prefix.
    pub bytes: &'a [u8],
    /// What paces a replay, in ns: see [`Captured`](crate::source::Captured).
    pub captured: Option<u64>,
}

/// What the records of a ring are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Records of Databento DBN, and the metadata of their file.
    Dbn,
    /// Messages of NASDAQ ITCH 5.0.
    Itch,
    /// Bytes of which nothing is known here.
    Bytes,
}

impl Encoding {
    /// What a ring's header says.
    pub fn of(format: Option<&RecordsFormat>) -> Self {
        match format.map(RecordsFormat::encoding) {
            Some("dbn") => Encoding::Dbn,
            Some("itch") => Encoding::Itch,
            _ => Encoding::Bytes,
        }
    }

    /// What a ring's header is to say.
    pub fn format(self) -> RecordsFormat {
        match self {
            Encoding::Dbn => RecordsFormat::encoded("dbn"),
            Encoding::Itch => RecordsFormat::encoded("itch"),
            Encoding::Bytes => RecordsFormat::default(),
        }
    }

    /// The name of a kind: DBN's name of the type, ITCH's letter.
    pub fn name(self, kind: u8) -> Cow<'static, str> {
        match self {
            Encoding::Dbn if kind == METADATA => Cow::Borrowed("metadata"),
            Encoding::Dbn => match RType::try_from(kind) {
                Ok(known) => Cow::Borrowed(known.as_str()),
                Err(_) => Cow::Owned(format!("{kind:#04x}")),
            },
            Encoding::Itch if kind.is_ascii_graphic() => Cow::Owned(char::from(kind).to_string()),
            Encoding::Itch => Cow::Owned(format!("{kind:#04x}")),
            Encoding::Bytes => Cow::Owned(kind.to_string()),
        }
    }

    /// The event time of a record, if it has one: ns since 1970, for ITCH since midnight.
    pub fn ts_event(self, kind: u8, bytes: &[u8]) -> Option<u64> {
        match self {
            Encoding::Dbn if kind != METADATA => {
                let time = u64::from_le_bytes(*bytes.get(8..)?.first_chunk()?);
                (time != UNDEFINED_TIME).then_some(time)
            }
            Encoding::Itch => itch_time(bytes),
            Encoding::Dbn | Encoding::Bytes => None,
        }
    }
}

/// The time of an ITCH message, in ns since midnight.
pub(crate) fn itch_time(bytes: &[u8]) -> Option<u64> {
    let mut wide = [0; 8];
    wide[2..].copy_from_slice(bytes.get(5..11)?);
    Some(u64::from_be_bytes(wide))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_names_of_their_encoding() {
        assert_eq!(Encoding::Dbn.name(METADATA), "metadata");
        assert_eq!(Encoding::Dbn.name(::dbn::rtype::MBO), "mbo");
        assert_eq!(Encoding::Dbn.name(0x77), "0x77");
        assert_eq!(Encoding::Itch.name(b'h'), "h");
        assert_eq!(Encoding::Itch.name(7), "0x07");
        assert_eq!(Encoding::Bytes.name(7), "7");
        assert!(RType::try_from(METADATA).is_err(), "no DBN record has the kind of the metadata");
    }

    #[test]
    fn an_encoding_is_what_the_header_says() {
        for encoding in [Encoding::Dbn, Encoding::Itch, Encoding::Bytes] {
            assert_eq!(Encoding::of(Some(&encoding.format())), encoding);
        }
        assert_eq!(Encoding::of(Some(&RecordsFormat::encoded("text"))), Encoding::Bytes);
        assert_eq!(Encoding::of(None), Encoding::Bytes);
    }

    #[test]
    fn times_are_read_where_there_are_some() {
        let header: Vec<u8> = [&[14, 0xa0, 0, 0, 0, 0, 0, 0][..], &77u64.to_le_bytes()].concat();
        assert_eq!(Encoding::Dbn.ts_event(0xa0, &header), Some(77));
        assert_eq!(Encoding::Dbn.ts_event(METADATA, &header), None);
        assert_eq!(Encoding::Dbn.ts_event(0xa0, &header[..15]), None);
        assert_eq!(Encoding::Dbn.ts_event(0xa0, &[255; 16]), None, "undefined");
        assert_eq!(Encoding::Itch.ts_event(b'S', b"S\0\0\0\0\0\0\0\0\x01\x02O"), Some(258));
        assert_eq!(Encoding::Itch.ts_event(b'Z', b"Z"), None);
    }
}
