//! Surveys all rings, tables and cells of a root.

use std::borrow::Cow;
use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use feed_ring::OpenError;
use feed_ring::inspect::{FileFacts, Inspected, names as ring_names, open_each};
use serde::Serialize;

use super::seen::Seen;
use super::snapshot::Snapshot;
use super::table::TableSnapshot;
use super::unreadable::{Reason, Unreadable};
use crate::format::printable_name;
use crate::open::explain;

/// All rings, tables and cells of a root, and all entries that only have a ring's name.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Survey {
    pub(crate) rings: Vec<Snapshot>,
    /// Tables and cells.
    pub(crate) tables: Vec<TableSnapshot>,
    /// The entries that end in `.ring` and cannot be inspected.
    pub(crate) others: Vec<Unreadable>,
}

impl Survey {
    /// Surveys everything in `root`, or what has these names.
    pub(crate) fn take(root: &Path, names: &[String]) -> anyhow::Result<Self> {
        let found = names_in(root, names)?;
        let (mut rings, mut tables, mut others) = (Vec::new(), Vec::new(), Vec::new());
        open_each(root, &readable(&found), |index, opened| {
            let name = &found[index];
            match inspect(&name.to_string_lossy(), opened, false) {
                // Unmapped at once, so that not all are mapped at a time.
                Ok((_, Seen::Ring(ring))) => rings.push((index, ring)),
                Ok((_, Seen::Table(table))) => tables.push((index, table)),
                // Its publisher closed and removed it meanwhile.
                Err(_) if names.is_empty() && FileFacts::of_candidate(root, name).is_err() => {}
                Err((kind, problem)) => {
                    let file = FileFacts::of_candidate(root, name).ok();
                    others.push((index, Unreadable::new(printable_name(name), file, kind, &problem)));
                }
            }
        });
        Ok(Survey { rings: in_order(rings), tables: in_order(tables), others: in_order(others) })
    }
}

/// The names as text. A name that is not UTF-8 is no ring's. The replacement character keeps it from matching one.
pub(crate) fn readable(names: &[OsString]) -> Vec<Cow<'_, str>> {
    names.iter().map(|name| name.to_string_lossy()).collect()
}

/// What was found for names, in the order of the names.
pub(crate) fn in_order<T>(mut found: Vec<(usize, T)>) -> Vec<T> {
    found.sort_by_key(|&(index, _)| index);
    found.into_iter().map(|(_, found)| found).collect()
}

/// Takes a snapshot of what was opened, or says why it could not be opened.
pub(super) fn inspect(
    name: &str,
    opened: Result<Inspected, OpenError>,
    sealed: bool,
) -> Result<(Inspected, Seen), (Reason, String)> {
    let opened = opened.map_err(|error| (Reason::of(&error), explain(&error, sealed)))?;
    match Seen::of(name, &opened) {
        Ok(seen) => Ok((opened, seen)),
        Err(error) => Err((Reason::Damaged, format!("{error:#}"))),
    }
}

/// The given names, or the names of all entries of `root` that may be rings.
pub(crate) fn names_in(root: &Path, names: &[String]) -> anyhow::Result<Vec<OsString>> {
    if !names.is_empty() {
        return Ok(names.iter().map(OsString::from).collect());
    }
    ring_names(root)
        .with_context(|| format!("{}: cannot list the rings (choose another --root DIRECTORY)", root.display()))
}
