//! Writes messages as text, JSON or bytes, and hands on records: the output of `dump` and `tail`.

use feed::{Message, line};
use feed_program::say::say;
use feed_program::stdout::OutputError;
use feed_ring::Payload;
use feed_ring::inspect::{MessageType, Ring};
use zerocopy::FromBytes;

use crate::hex::{hex, lines_of_hex};
use crate::output::Output;
use crate::records::{Record, RecordWriter};

/// Writes the messages or records of one ring.
pub(crate) enum MessageWriter {
    /// Market data, in columns for people.
    Lines,
    /// Field by field.
    Fields(MessageType),
    Bytes,
    /// Of a ring of records.
    Records(RecordWriter),
}

impl MessageWriter {
    /// Decodes messages by the ring's schema. If the schema cannot be parsed, reports that and writes bytes.
    pub(crate) fn decoding(ring: &Ring) -> Self {
        let as_bytes = |error, what| {
            say(format_args!("{}: {error}: the {what} are shown as bytes", ring.path().display()));
            MessageWriter::bytes(ring)
        };
        match ring.records_format() {
            Some(Ok(format)) => MessageWriter::Records(RecordWriter::decoding(&format)),
            Some(Err(error)) => as_bytes(error, "records"),
            None => ring.message_type().map_or_else(|error| as_bytes(error, "messages"), MessageWriter::Fields),
        }
    }

    /// Writes bytes.
    pub(crate) fn bytes(ring: &Ring) -> Self {
        if ring.is_records() { MessageWriter::Records(RecordWriter::Bytes) } else { MessageWriter::Bytes }
    }

    /// Writes the market data of `feed-publisher` in columns, under their names. Decodes any other message, and all of
    /// them as JSON.
    pub(crate) fn for_people(ring: &Ring, out: &mut Output) -> Result<Self, OutputError> {
        if out.json || ring.facts().schema != Message::SCHEMA.text::<Message>() {
            return Ok(MessageWriter::decoding(ring));
        }
        out.line(&line::header())?;
        Ok(MessageWriter::Lines)
    }

    /// Writes one message, or one record, which has a kind.
    pub(crate) fn write(
        &self,
        ring: &Ring,
        (sequence, kind): (u64, u8),
        bytes: &[u8],
        out: &mut Output,
    ) -> Result<(), OutputError> {
        if let MessageWriter::Records(writer) = self {
            let epoch = ring.epochs().into_iter().rev().find(|&(_, begin)| begin <= sequence).map(|(epoch, _)| epoch);
            return writer.write(&Record { number: sequence, epoch, kind, bytes }, out);
        }
        if let MessageWriter::Lines = self
            && let Ok(message) = Message::read_from_bytes(bytes)
        {
            return out.line(&line::line(sequence, &message));
        }
        match (self, out.json) {
            (MessageWriter::Fields(message), true) => {
                out.line(&format!("{{\"sequence\":{sequence},\"message\":{}}}", message.json(bytes)))
            }
            (MessageWriter::Fields(message), false) => out.line(&format!("{sequence}  {}", message.text(bytes))),
            (_, true) => out.line(&format!("{{\"sequence\":{sequence},\"hex\":\"{}\"}}", hex(bytes))),
            (_, false) => out.text(&format!("{sequence}\n{}", lines_of_hex(bytes))),
        }
    }
}
