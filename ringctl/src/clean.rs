//! `clean`: removes rings that are certainly dead, and says of all others why they stay.

use std::path::Path;

use feed_ring::inspect::{Kept, Removal, remove_dead};
use serde::Serialize;

use crate::format::{bytes, printable, printable_name};
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::names_in;

#[derive(Serialize)]
struct Cleaned {
    name: String,
    /// `removed`, `would remove` or `kept`.
    result: &'static str,
    /// The memory that this frees, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Why it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

/// The outcome is `Wrong` if a ring could not be examined or removed, or was named and kept.
pub(crate) fn run(
    root: &Path,
    names: &[String],
    kept: bool,
    dry_run: bool,
    out: &mut Output,
) -> anyhow::Result<Outcome> {
    // Naming a ring allows removing it even if its publisher closed and kept it.
    let removal = Removal { dry_run, closed: kept || !names.is_empty() };
    let mut outcome = Outcome::Fine;
    let mut cleaned = Vec::new();
    for name in names_in(root, names)? {
        // A name that is not UTF-8 is no ring's. The replacement character keeps it from matching one.
        let result = remove_dead(root, &name.to_string_lossy(), removal);
        // Its publisher closed and removed it meanwhile.
        if names.is_empty() && matches!(result, Err(Kept::NotFound { .. })) {
            continue;
        }
        if matches!(result, Err(Kept::Io { .. })) || result.is_err() && !names.is_empty() {
            outcome = Outcome::Wrong;
        }
        let name = printable_name(&name);
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
