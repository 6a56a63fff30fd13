//! `list`: a line for each ring, and a line for each entry that has a ring's name and cannot be inspected.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::format::{bytes, count, rate};
use crate::outcome::Outcome;
use crate::output::{Output, width};
use crate::survey::{Rates, Snapshot, Survey};
use crate::table::{ALWAYS, Column, render};

const COLUMNS: [Column; 11] = [
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

#[derive(Serialize)]
struct Listed<'a> {
    root: String,
    #[serde(flatten)]
    survey: &'a Survey,
}

pub(crate) fn run(root: &Path, sample: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    let mut survey = Survey::take(root, &[])?;
    if !sample.is_zero() && survey.rings.iter().any(|ring| ring.publisher == "alive") {
        let mut rates = Rates::default();
        rates.apply(&mut survey.rings);
        std::thread::sleep(sample);
        survey = Survey::take(root, &[])?;
        rates.apply(&mut survey.rings);
    }
    if out.json {
        out.json(&Listed { root: root.display().to_string(), survey: &survey })?;
        return Ok(Outcome::Fine);
    }
    if survey.rings.is_empty() {
        out.line(&format!("no rings in {}", root.display()))?;
    } else {
        let rows: Vec<_> = survey.rings.iter().map(row).collect();
        out.text(&render(&COLUMNS, &rows, width()))?;
    }
    for other in &survey.others {
        let owner = other.owner.as_deref().unwrap_or("?");
        let name = &other.name;
        match other.is_healthy() {
            true => out.line(&format!(
                "{name}: {} of {} (owner {owner})",
                other.kind.words(),
                other.bytes.map_or("?".to_owned(), bytes)
            ))?,
            false => out.line(&format!("{name}: cannot be looked at (owner {owner}): {}", other.problem))?,
        }
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
