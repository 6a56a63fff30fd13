//! `dump`: messages or records by their numbers, decoded by what the ring's header says of them, or as bytes.

use std::ops::Range;
use std::path::Path;

use feed_program::say::say;
use feed_program::stdout::OutputError;
use feed_ring::inspect::Unread;
use serde_json::json;

use crate::args::{RingArg, Sequences};
use crate::messages::MessageWriter;
use crate::open::open;
use crate::outcome::Outcome;
use crate::output::Output;

pub(crate) fn run(
    root: &Path,
    arg: &RingArg,
    sequences: &Sequences,
    hex: bool,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    let ring = open(root, arg)?;
    let writer = if hex { MessageWriter::bytes(&ring) } else { MessageWriter::decoding(&ring) };
    let wanted = sequences.of(ring.held());
    let mut outcome = Outcome::Fine;
    if wanted.start > wanted.end {
        // Only one bound was given, and it is outside what the ring holds.
        let (sequence, why) = match sequences.from {
            Some(from) => (from, Unread::NotYet),
            None => (wanted.end.saturating_sub(1), Unread::Overwritten),
        };
        missing(sequence..sequence.saturating_add(1), &why.to_string(), out)?;
        return Ok(Outcome::Wrong);
    }
    let mut bytes = Vec::new();
    let mut next = wanted.start;
    while next < wanted.end {
        match ring.read_record(next, &mut bytes) {
            Ok(kind) => {
                writer.write(&ring, (next, kind), &bytes, out)?;
                next += 1;
                continue;
            }
            Err(Unread::Corrupt { found }) => {
                missing(next..next + 1, &Unread::Corrupt { found }.to_string(), out)?;
                next += 1;
            }
            // Continues at the oldest message that the ring holds, within the range.
            Err(Unread::Overwritten) => {
                let to = ring.held().start.clamp(next + 1, wanted.end);
                missing(next..to, "overwritten", out)?;
                // A message overwritten during the dump is not an error unless its number was given.
                if sequences.from.is_none() {
                    next = to;
                    continue;
                }
                next = to;
            }
            Err(why @ Unread::PassedOver { until }) => {
                let to = until.clamp(next + 1, wanted.end);
                missing(next..to, &why.to_string(), out)?;
                next = to;
                // What its publisher never had is no fault of this ring.
                continue;
            }
            Err(why) => {
                missing(next..wanted.end, &why.to_string(), out)?;
                next = wanted.end;
            }
        }
        outcome = Outcome::Wrong;
    }
    Ok(outcome)
}

/// Reports missing messages and the reason.
fn missing(sequences: Range<u64>, why: &str, out: &mut Output) -> Result<(), OutputError> {
    if out.json {
        return out.json(&json!({ "missing": { "from": sequences.start, "to": sequences.end, "why": why } }));
    }
    out.flush()?;
    match sequences.end - sequences.start {
        // A range that starts at `u64::MAX` is empty.
        0 | 1 => say(format_args!("{}: {why}", sequences.start)),
        _ => say(format_args!("{} to {}: {why}", sequences.start, sequences.end - 1)),
    }
    Ok(())
}
