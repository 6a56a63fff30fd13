//! `stat`: everything about one ring, table or cell.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use feed_ring::inspect::Inspected;
use feed_ring::raw::MessageFormat;
use feed_ring::records::RecordsFormat;
use serde::Serialize;

use crate::args::RingArg;
use crate::format::{bytes, count, printable, rate};
use crate::open::open_any;
use crate::outcome::Outcome;
use crate::output::{Output, width};
use crate::subscribers::{COLUMNS, cells};
use crate::survey::{Rates, Snapshot, TableSnapshot, time};
use crate::table::render;

#[derive(Serialize)]
struct Stat<'a, T> {
    #[serde(flatten)]
    snapshot: &'a T,
    /// The schema as it is in the header: of the message, or of a table's value; of records what they are.
    schema: &'a str,
    /// The schema of a table's keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_schema: Option<&'a str>,
}

pub(crate) fn run(root: &Path, arg: &RingArg, watch: Option<Duration>, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut rates = Rates::default();
    loop {
        // Opened again each time: another may have taken the name.
        let opened = open_any(root, arg)?;
        let facts = opened.segment().facts();
        let (schema, key_schema) = (&*facts.schema, facts.key.as_ref().map(|key| &*key.schema));
        match &opened {
            Inspected::Ring(ring) => {
                let mut snapshot = Snapshot::of(&arg.title(), ring)?;
                rates.apply(std::slice::from_mut(&mut snapshot));
                match out.json {
                    true => out.json(&Stat { snapshot: &snapshot, schema, key_schema })?,
                    false => out.text(&text(&snapshot, schema, ring.records_format().and_then(Result::ok)))?,
                }
            }
            Inspected::Table(table) => {
                let mut snapshot = TableSnapshot::of(&arg.title(), table)?;
                rates.apply(std::slice::from_mut(&mut snapshot));
                match out.json {
                    true => out.json(&Stat { snapshot: &snapshot, schema, key_schema })?,
                    false => out.text(&table_text(&snapshot, schema, key_schema))?,
                }
            }
        }
        let Some(interval) = watch else { return Ok(Outcome::Fine) };
        if !out.json {
            out.line("")?;
        }
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn table_text(table: &TableSnapshot, schema: &str, key_schema: Option<&str>) -> String {
    let mut text = String::new();
    let TableSnapshot { uid, gid, mode, owner, epoch, kind, .. } = table;
    row(&mut text, kind, printable(&table.path));
    let sealed = if table.sealed { ", sealed" } else { "" };
    row(
        &mut text,
        "file",
        format!("{}{sealed}, mode {mode}, owner {owner} (uid {uid}, gid {gid})", bytes(table.bytes)),
    );
    row(&mut text, "made", format!("{}, ABI {}, nonce {}", table.created, table.abi, table.nonce));
    if let Some(ring) = &table.ring {
        row(&mut text, "ring", format!("keeps the messages of the ring with nonce {ring}"));
    }
    let alive = if table.writer == "alive" { "" } else { "last " };
    row(&mut text, "writer", format!("{} ({alive}pid {}, epoch {epoch})", table.writer, table.writer_pid));
    let rows = format!("{} of {}, {} copies of each", count(table.rows), count(table.capacity), table.copies);
    row(&mut text, "rows", rows);
    let rate = table.rate.map_or(String::new(), |now| format!(", {}", rate(now)));
    row(&mut text, "stores", format!("{}{rate}", count(table.stores)));
    let wake = table.wake.unwrap_or("what nobody knows");
    row(&mut text, "wakes", format!("{}, counting starts and ends (by {wake})", count(table.wakes)));
    if let Some(schema) = key_schema {
        row(&mut text, "key", table.key());
        fields(&mut text, schema);
    }
    row(&mut text, "value", format!("{}, align {}", table.value(), table.value_align));
    match table.bridge.as_ref().and_then(|bridge| bridge.told.as_ref()) {
        Some(told) => told.fields().for_each(|(name, value)| row_of_bridge(&mut text, name, value)),
        None => fields(&mut text, schema),
    }
    match table.readers.as_deref() {
        None => text.push_str("readers: unknown, the control file cannot be read\n"),
        Some([]) => text.push_str("readers: none\n"),
        Some(pids) => {
            let pids: Vec<_> = pids.iter().map(u64::to_string).collect();
            row(&mut text, "readers", format!("{} (pid {})", pids.len(), pids.join(", ")));
        }
    }
    text
}

/// Writes one fact.
fn row(text: &mut String, what: &str, value: String) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{what:<12}{value}");
}

/// Writes what an end of a bridge tells under one name.
fn row_of_bridge(text: &mut String, name: &str, value: u64) {
    let value = match name {
        "last_frame" if value == 0 => "never".to_owned(),
        "last_frame" | "updated" => time(value),
        "bytes" | "sent_bytes" => format!("{} ({})", count(value), bytes(value)),
        _ => count(value),
    };
    let _ = writeln!(text, "  {name:<18} {value}");
}

/// Writes the fields of a schema.
fn fields(text: &mut String, schema: &str) {
    for line in schema.lines().skip(1) {
        let mut words = line.split(' ');
        let mut word = || printable(words.next().unwrap_or(""));
        let (name, ty, offset) = (word(), word(), word());
        let _ = writeln!(text, "  {offset:>6}  {name}: {ty}");
    }
}

/// What the records are.
fn records(ring: &Snapshot) -> String {
    let encoding = match ring.encoding.as_deref() {
        None => "what they are cannot be read".to_owned(),
        Some("") => "bytes".to_owned(),
        Some(encoding) => format!("encoding {}", printable(encoding)),
    };
    format!("{encoding}, the longest of {} B, schema {}", count(ring.message_bytes as u64), ring.fingerprint)
}

/// Writes what the records of a kind are.
fn kind_text(text: &mut String, kind: u8, format: &MessageFormat) {
    let name = printable(format.schema().split(' ').next().unwrap_or(""));
    let _ = writeln!(text, "  kind {kind}: {name} ({} B), align {}", format.size(), format.align());
    fields(text, format.schema());
}

fn text(ring: &Snapshot, schema: &str, format: Option<RecordsFormat>) -> String {
    let mut text = String::new();
    let mut row = |what: &str, value: String| row(&mut text, what, value);
    let Snapshot { uid, gid, mode, owner, epoch, .. } = ring;
    row("ring", printable(&ring.path));
    let sealed = if ring.sealed { ", sealed" } else { "" };
    row("file", format!("{}{sealed}, mode {mode}, owner {owner} (uid {uid}, gid {gid})", bytes(ring.bytes)));
    row("made", format!("{}, ABI {}, nonce {}", ring.created, ring.abi, ring.nonce));
    let alive = if ring.publisher == "alive" { "" } else { "last " };
    row("publisher", format!("{} ({alive}pid {}, epoch {epoch})", ring.publisher, ring.publisher_pid));
    let held = ring.published - ring.oldest;
    row("slots", format!("{} of {} bytes; {} {} held", count(ring.capacity), ring.slot_bytes, count(held), ring.kind));
    let rate = ring.rate.map_or(String::new(), |now| format!(", {}", rate(now)));
    row("published", format!("{} (the ring begins at {}){rate}", count(ring.published), ring.base));
    let began = |epoch: &crate::survey::Epoch| format!("{} from sequence {}", epoch.epoch, epoch.sequence);
    row("epochs", ring.epochs.iter().map(began).collect::<Vec<_>>().join(", "));
    let wake = ring.wake.unwrap_or("what nobody knows");
    row("wakes", format!("{}, counting starts and ends (by {wake})", count(ring.wakes)));
    if ring.kind == "records" {
        row("records", records(ring));
        format.iter().flat_map(RecordsFormat::kinds).for_each(|(kind, format)| kind_text(&mut text, kind, format));
    } else {
        row("message", format!("{}, align {}, schema {}", ring.message(), ring.message_align, ring.fingerprint));
        fields(&mut text, schema);
    }
    match ring.subscribers.as_deref() {
        None => text.push_str("subscribers: unknown, the control file cannot be read\n"),
        Some([]) => text.push_str("subscribers: none\n"),
        Some(subscribers) => {
            let rows: Vec<_> = subscribers.iter().map(|subscriber| cells(subscriber, ring.holds())).collect();
            text.push_str(&render(&COLUMNS, &rows, width()));
        }
    }
    text
}
