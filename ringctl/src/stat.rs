//! `stat`: everything about one ring.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::args::RingArg;
use crate::format::{bytes, count, printable, rate};
use crate::open::open;
use crate::outcome::Outcome;
use crate::output::{Output, width};
use crate::subscribers::{COLUMNS, cells};
use crate::survey::{Rates, Snapshot};
use crate::table::render;

#[derive(Serialize)]
struct Stat<'a> {
    #[serde(flatten)]
    snapshot: &'a Snapshot,
    /// The schema as it is in the header.
    schema: &'a str,
}

pub(crate) fn run(root: &Path, arg: &RingArg, watch: Option<Duration>, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut rates = Rates::default();
    loop {
        // Opened again each time: another ring may have taken the name.
        let ring = open(root, arg)?;
        let mut snapshot = Snapshot::of(&arg.title(), &ring)?;
        rates.apply(std::slice::from_mut(&mut snapshot));
        let schema = &*ring.facts().schema;
        match out.json {
            true => out.json(&Stat { snapshot: &snapshot, schema })?,
            false => out.text(&text(&snapshot, schema))?,
        }
        let Some(interval) = watch else { return Ok(Outcome::Fine) };
        if !out.json {
            out.line("")?;
        }
        out.flush()?;
        std::thread::sleep(interval);
    }
}

fn text(ring: &Snapshot, schema: &str) -> String {
    let mut text = String::new();
    let mut row = |what: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<12}{value}");
    };
    let Snapshot { uid, gid, mode, owner, epoch, .. } = ring;
    row("ring", printable(&ring.path));
    let sealed = if ring.sealed { ", sealed" } else { "" };
    row("file", format!("{}{sealed}, mode {mode}, owner {owner} (uid {uid}, gid {gid})", bytes(ring.bytes)));
    row("made", format!("{}, ABI {}, nonce {}", ring.created, ring.abi, ring.nonce));
    let alive = if ring.publisher == "alive" { "" } else { "last " };
    row("publisher", format!("{} ({alive}pid {}, epoch {epoch})", ring.publisher, ring.publisher_pid));
    let held = ring.published - ring.oldest;
    row("slots", format!("{} of {} bytes; {} messages held", count(ring.capacity), ring.slot_bytes, count(held)));
    let rate = ring.rate.map_or(String::new(), |now| format!(", {}", rate(now)));
    row("published", format!("{} (the ring begins at {}){rate}", count(ring.published), ring.base));
    let began = |epoch: &crate::survey::Epoch| format!("{} from sequence {}", epoch.epoch, epoch.sequence);
    row("epochs", ring.epochs.iter().map(began).collect::<Vec<_>>().join(", "));
    let wake = ring.wake.unwrap_or("what nobody knows");
    row("wakes", format!("{}, counting starts and ends (by {wake})", count(ring.wakes)));
    let align = ring.message_align;
    row("message", format!("{}, align {align}, schema {}", ring.message(), ring.fingerprint));
    for line in schema.lines().skip(1) {
        let mut words = line.split(' ');
        let mut word = || printable(words.next().unwrap_or(""));
        let (name, ty, offset) = (word(), word(), word());
        let _ = writeln!(text, "  {offset:>6}  {name}: {ty}");
    }
    match ring.subscribers.as_deref() {
        None => text.push_str("subscribers: unknown, the control file cannot be read\n"),
        Some([]) => text.push_str("subscribers: none\n"),
        Some(subscribers) => {
            let rows: Vec<_> = subscribers.iter().map(|subscriber| cells(subscriber, ring.capacity)).collect();
            text.push_str(&render(&COLUMNS, &rows, width()));
        }
    }
    text
}
