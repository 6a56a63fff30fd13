//! `verify`: what is wrong with a ring, and where.

use std::ffi::OsString;
use std::path::Path;

use feed_ring::OpenError;
use feed_ring::inspect::Ring;
use serde::Serialize;

use crate::format::{count, printable, shown};
use crate::open::explain;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::names_in;

/// A ring's verdict as JSON.
#[derive(Serialize)]
struct Verified {
    name: String,
    fine: bool,
    /// Slots that were looked at.
    slots: u64,
    findings: Vec<Found>,
    /// Findings that are not listed.
    more: u64,
}

#[derive(Serialize)]
struct Found {
    place: String,
    found: String,
    expected: String,
}

pub(crate) fn run(root: &Path, names: &[String], connect: Option<&Path>, out: &mut Output) -> anyhow::Result<Outcome> {
    let verdicts: Vec<_> = match connect {
        Some(path) => vec![verified(shown(path.as_os_str()), Ring::connect(path), true)],
        None => {
            // What is no UTF-8 is no ring's name, with the letter in it that stands for such bytes.
            let verified = |name: OsString| verified(shown(&name), Ring::open(root, &name.to_string_lossy()), false);
            names_in(root, names)?.into_iter().map(verified).collect()
        }
    };
    let outcome = if verdicts.iter().all(|verdict| verdict.fine) { Outcome::Fine } else { Outcome::Wrong };
    if out.json {
        out.json(&verdicts)?;
        return Ok(outcome);
    }
    if verdicts.is_empty() {
        out.line(&format!("no rings in {}", root.display()))?;
    }
    for Verified { name, fine, slots, findings, more } in verdicts {
        if fine {
            out.line(&format!("{name}: fine ({} slots)", count(slots)))?;
        }
        for Found { place, found, expected } in findings {
            match expected.is_empty() {
                true => out.line(&format!("{name}: {found}"))?,
                false => out.line(&format!("{name}: {place}: found {found}; expected {expected}"))?,
            }
        }
        if more > 0 {
            out.line(&format!("{name}: and {} more", count(more)))?;
        }
    }
    Ok(outcome)
}

fn verified(name: String, ring: Result<Ring, OpenError>, sealed: bool) -> Verified {
    let verdict = match ring {
        Ok(ring) => ring.verify(),
        Err(error) => {
            // One line that says where, what was found and what was expected.
            let found = printable(&explain(&error, sealed));
            let found = Found { place: "opening it".to_owned(), found, expected: String::new() };
            return Verified { name, fine: false, slots: 0, findings: vec![found], more: 0 };
        }
    };
    let findings = verdict.findings.iter().map(|finding| Found {
        place: finding.place.clone(),
        found: printable(&finding.found),
        expected: finding.expected.clone(),
    });
    Verified { name, fine: verdict.is_fine(), slots: verdict.slots, findings: findings.collect(), more: verdict.more }
}
