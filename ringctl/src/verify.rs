//! `verify`: what is wrong with rings, tables and cells, and where.

use std::path::Path;

use feed_ring::OpenError;
use feed_ring::inspect::{Finding, Inspected, open_each};
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
    /// `slot` or `row`: what was checked.
    #[serde(skip)]
    what: &'static str,
    /// The number of slots, or of a table's rows, that were checked.
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
        Some(path) => vec![verified(printable_name(path.as_os_str()), Inspected::connect(path), true)],
        None => {
            let found = names_in(root, names)?;
            let mut verdicts = Vec::new();
            open_each(root, &readable(&found), |index, opened| {
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
    for Verified { name, fine, what, slots, findings, more } in verdicts {
        if fine {
            let plural = if slots == 1 { "" } else { "s" };
            out.line(&format!("{name}: fine ({} {what}{plural})", count(slots)))?;
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

fn verified(name: String, opened: Result<Inspected, OpenError>, sealed: bool) -> Verified {
    let (what, verdict) = match opened {
        Ok(Inspected::Ring(ring)) => ("slot", ring.verify()),
        Ok(Inspected::Table(table)) => ("row", table.verify()),
        Err(error) => {
            // The text already says where, what was found and what was expected.
            let found = printable(&explain(&error, sealed));
            let found = Found { place: "opening it".to_owned(), found, expected: String::new() };
            return Verified { name, fine: false, what: "slot", slots: 0, findings: vec![found], more: 0 };
        }
    };
    let (fine, slots, more) = (verdict.is_fine(), verdict.slots, verdict.more);
    let found =
        |finding: Finding| Found { place: finding.place, found: printable(&finding.found), expected: finding.expected };
    Verified { name, fine, what, slots, findings: verdict.findings.into_iter().map(found).collect(), more }
}
