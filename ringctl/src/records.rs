//! Writes records as text, JSON or bytes: the output of `dump` and `tail` of a ring of records.

use feed::records::{METADATA, shown_metadata};
use feed::shown::Shown;
use feed::source::{dbn, itch};
use feed_program::stdout::OutputError;
use feed_ring::inspect::MessageType;
use feed_ring::records::RecordsFormat;

use crate::format::printable;
use crate::hex::{hex, lines_of_hex};
use crate::output::Output;

/// A line for people has so many bytes of a record of which no more is known. A record may have 16 MiB.
const WIDEST: usize = 32;

/// One record.
pub(crate) struct Record<'a> {
    pub(crate) number: u64,
    /// Of the publisher that published it. `None` if it is from before the epochs that the ring's header knows.
    pub(crate) epoch: Option<u64>,
    pub(crate) kind: u8,
    pub(crate) bytes: &'a [u8],
}

/// Writes the records of one ring.
pub(crate) enum RecordWriter {
    Dbn,
    Itch,
    /// By the schema of each kind.
    Structs(Vec<(u8, MessageType)>),
    /// In an encoding that is not known here.
    Unknown,
    /// All bytes, in hexadecimal.
    Bytes,
}

impl RecordWriter {
    /// Decodes records of this format.
    pub(crate) fn decoding(format: &RecordsFormat) -> Self {
        match format.encoding() {
            "dbn" => RecordWriter::Dbn,
            "itch" => RecordWriter::Itch,
            "structs" => {
                let parsed = |(kind, format): (u8, &feed_ring::raw::MessageFormat)| {
                    MessageType::parse(format.schema()).ok().map(|message| (kind, message))
                };
                RecordWriter::Structs(format.kinds().filter_map(parsed).collect())
            }
            _ => RecordWriter::Unknown,
        }
    }

    /// Writes one record.
    pub(crate) fn write(&self, record: &Record<'_>, out: &mut Output) -> Result<(), OutputError> {
        let Record { number, epoch, kind, bytes } = record;
        let (length, fields) = (bytes.len(), self.fields(record));
        if out.json {
            let epoch = epoch.map_or(String::new(), |epoch| format!("\"epoch\":{epoch},"));
            let what = match fields {
                Some((name, _, json)) => {
                    format!("\"type\":{},\"record\":{json}", serde_json::Value::from(name))
                }
                None => format!("\"hex\":\"{}\"", hex(bytes)),
            };
            return out.line(&format!("{{\"number\":{number},{epoch}\"kind\":{kind},\"length\":{length},{what}}}"));
        }
        let head = format!("{number}  kind {kind}, {length} B");
        match (fields, self) {
            (Some((_, text, _)), _) => out.line(&format!("{head}: {text}")),
            (None, RecordWriter::Bytes) => out.text(&format!("{head}\n{}", lines_of_hex(bytes))),
            (None, _) if bytes.is_empty() => out.line(&head),
            (None, _) => {
                let rest = if length > WIDEST { "…" } else { "" };
                out.line(&format!("{head}: {}{rest}", hex(&bytes[..length.min(WIDEST)])))
            }
        }
    }

    /// The name of a record's type, and its fields as text and as JSON. `None` if it is only bytes.
    fn fields(&self, record: &Record<'_>) -> Option<(String, String, String)> {
        let of = |shown: Shown| (shown.name.to_owned(), printable(&shown.text()), shown.json());
        match self {
            RecordWriter::Dbn if record.kind == METADATA => shown_metadata(record.bytes).map(of),
            RecordWriter::Dbn => dbn::shown(record.bytes).map(of),
            RecordWriter::Itch => itch::shown(record.bytes).map(of),
            RecordWriter::Structs(kinds) => {
                let (_, message) = kinds.iter().find(|(kind, _)| *kind == record.kind)?;
                // A record of another length is none of this type.
                (message.size == record.bytes.len()).then(|| {
                    let text = format!("{} {}", printable(&message.name), message.text(record.bytes));
                    (message.name.clone(), text, message.json(record.bytes))
                })
            }
            RecordWriter::Unknown | RecordWriter::Bytes => None,
        }
    }
}
