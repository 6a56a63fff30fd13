//! `list`: a line for each ring, table and cell, and one for each entry that has a ring's name and cannot be inspected.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::format::{bytes, count, rate};
use crate::outcome::Outcome;
use crate::output::{Output, width};
use crate::survey::{Rates, Snapshot, Survey, TableSnapshot};
use crate::table::{ALWAYS, Column, render};

const COLUMNS: [Column<'static>; 11] = [
    Column { title: "NAME", right: false, rank: ALWAYS },
    Column { title: "OWNER", right: false, rank: 3 },
    Column { title: "MODE", right: false, rank: 2 },
    Column { title: "SIZE", right: true, rank: 4 },
    Column { title: "MESSAGE", right: false, rank: 1 },
    Column { title: "CAPACITY", right: true, rank: 0 },
    Column { title: "PUBLISHED", right: true, rank: 6 },
    Column { title: "RATE", right: true, rank: 7 },
    Column { title: "PUBLISHER", right: false, rank: ALWAYS },
    Column { title: "SUBS", right: true, rank: 5 },
    Column { title: "LAG", right: true, rank: 8 },
];

/// Of tables and cells.
const TABLES: [Column<'static>; 11] = [
    Column { title: "TABLE", right: false, rank: ALWAYS },
    Column { title: "OWNER", right: false, rank: 3 },
    Column { title: "MODE", right: false, rank: 2 },
    Column { title: "SIZE", right: true, rank: 4 },
    Column { title: "KEY", right: false, rank: 1 },
    Column { title: "VALUE", right: false, rank: 0 },
    Column { title: "ROWS", right: true, rank: 8 },
    Column { title: "STORES", right: true, rank: 6 },
    Column { title: "RATE", right: true, rank: 7 },
    Column { title: "WRITER", right: false, rank: ALWAYS },
    Column { title: "READERS", right: true, rank: 5 },
];

#[derive(Serialize)]
struct Listed<'a> {
    root: String,
    #[serde(flatten)]
    survey: &'a Survey,
}

pub(crate) fn run(root: &Path, sample: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut survey = Survey::take(root, &[])?;
    let is_alive = |ring: &Snapshot| ring.publisher == "alive";
    if !sample.is_zero() && (survey.rings.iter().any(is_alive) || survey.tables.iter().any(|it| it.writer == "alive")) {
        let (mut rings, mut tables) = (Rates::default(), Rates::default());
        rings.apply(&mut survey.rings);
        tables.apply(&mut survey.tables);
        std::thread::sleep(sample);
        survey = Survey::take(root, &[])?;
        rings.apply(&mut survey.rings);
        tables.apply(&mut survey.tables);
    }
    if out.json {
        out.json(&Listed { root: root.display().to_string(), survey: &survey })?;
        return Ok(Outcome::Fine);
    }
    if survey.rings.is_empty() && survey.tables.is_empty() {
        out.line(&format!("no rings in {}", root.display()))?;
    }
    if !survey.rings.is_empty() {
        let rows: Vec<_> = survey.rings.iter().map(row).collect();
        out.text(&render(&COLUMNS, &rows, width()))?;
    }
    if !survey.tables.is_empty() {
        let rows: Vec<_> = survey.tables.iter().map(table_row).collect();
        out.text(&render(&TABLES, &rows, width()))?;
    }
    for other in &survey.others {
        let owner = other.owner.as_deref().unwrap_or("?");
        out.line(&format!("{}: cannot be looked at (owner {owner}): {}", other.name, other.problem))?;
    }
    Ok(Outcome::Fine)
}

/// The cells of a ring.
fn row(ring: &Snapshot) -> Vec<String> {
    vec![
        ring.name.clone(),
        ring.owner.clone(),
        ring.mode.clone(),
        bytes(ring.bytes),
        ring.message(),
        count(ring.capacity),
        count(ring.published),
        ring.rate.map_or("-".to_owned(), rate),
        ring.publisher.to_owned(),
        ring.subscribers.as_ref().map_or("?".to_owned(), |subscribers| subscribers.len().to_string()),
        ring.slowest_lag.map_or("-".to_owned(), count),
    ]
}

/// The cells of a table.
fn table_row(table: &TableSnapshot) -> Vec<String> {
    vec![
        table.name.clone(),
        table.owner.clone(),
        table.mode.clone(),
        bytes(table.bytes),
        table.key(),
        table.value(),
        count(table.rows),
        count(table.stores),
        table.rate.map_or("-".to_owned(), rate),
        table.writer.to_owned(),
        table.readers.as_ref().map_or("?".to_owned(), |readers| readers.len().to_string()),
    ]
}
