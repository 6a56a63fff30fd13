//! `verify`: what is wrong with rings, and where.

use std::path::Path;

use feed_ring::OpenError;
use feed_ring::inspect::{Ring, open_each};
use serde::Serialize;

use crate::format::{count, printable, printable_name};
use crate::open::explain;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::{in_order, names_in, readable};

/// The verdict on a ring as JSON.
#[derive(Serialize)]
struct Verified {
    name: String,
    fine: bool,
    /// The number of slots that were checked.
    slots: u64,
    findings: Vec<Found>,
    /// The number of findings that are not listed.
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
        Some(path) => vec![verified(printable_name(path.as_os_str()), Ring::connect(path), true)],
        None => {
            let found = names_in(root, names)?;
            let mut verdicts = Vec::new();
            open_each(root, &readable(&found), |index, opened| {
                // Tables and cells are not checked here. One that was asked for is told of.
                if names.is_empty() && matches!(opened, Err(OpenError::Kind { .. })) {
                    return;
                }
                verdicts.push((index, verified(printable_name(&found[index]), opened, false)));
            });
            in_order(verdicts)
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
            // The text already says where, what was found and what was expected.
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
