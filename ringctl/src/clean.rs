//! `clean`: removes rings that are dead for certain, and says of all others why they stay.

use std::path::Path;

use feed_ring::inspect::{Kept, Removal, remove_dead};
use serde::Serialize;

use crate::format::{bytes, printable, shown};
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::names_in;

#[derive(Serialize)]
struct Cleaned {
    name: String,
    /// `removed`, `would remove` or `kept`.
    result: &'static str,
    /// Bytes of memory that this frees.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Why it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// Something is wrong if a ring could not be asked or removed, or was asked for by its name and kept.
pub(crate) fn run(
    root: &Path,
    names: &[String],
    kept: bool,
    dry_run: bool,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    // Who says a ring's name means it.
    let removal = Removal { dry_run, closed: kept || !names.is_empty() };
    let mut outcome = Outcome::Fine;
    let mut cleaned = Vec::new();
    for name in names_in(root, names)? {
        // What is no UTF-8 is no ring's name, with the letter in it that stands for such bytes.
        let result = remove_dead(root, &name.to_string_lossy(), removal);
        if matches!(result, Err(Kept::Io { .. })) || result.is_err() && !names.is_empty() {
            outcome = Outcome::Wrong;
        }
        let name = shown(&name);
        cleaned.push(match result {
            Ok(bytes) => {
                let result = if dry_run { "would remove" } else { "removed" };
                Cleaned { name, result, bytes: Some(bytes), reason: None }
            }
            Err(kept) => {
                let remedy = match kept {
                    Kept::Closed { .. } => ": say its name, or --kept, to remove it",
                    _ => "",
                };
                let reason = Some(format!("{}{remedy}", printable(&kept.to_string())));
                Cleaned { name, result: "kept", bytes: None, reason }
            }
        });
    }
    if out.json {
        out.json(&cleaned)?;
        return Ok(outcome);
    }
    if cleaned.is_empty() {
        out.line(&format!("no rings in {}", root.display()))?;
    }
    for Cleaned { name, result, bytes: freed, reason } in cleaned {
        match (freed, reason) {
            (Some(freed), _) => out.line(&format!("{result} {name} ({})", bytes(freed)))?,
            (None, reason) => out.line(&format!("{result} {name}: {}", reason.unwrap_or_default()))?,
        }
    }
    Ok(outcome)
}
