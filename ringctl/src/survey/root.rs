//! Surveys all rings of a root.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use feed_ring::OpenError;
use feed_ring::inspect::{FileFacts, Ring, names as ring_names};
use serde::Serialize;

use super::snapshot::Snapshot;
use super::unreadable::{Reason, Unreadable};
use crate::format::printable_name;
use crate::open::explain;

/// All rings of a root, and all entries that only have a ring's name.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Survey {
    pub(crate) rings: Vec<Snapshot>,
    /// The entries that end in `.ring` and cannot be inspected.
    pub(crate) others: Vec<Unreadable>,
}

impl Survey {
    /// Surveys every ring in `root`, or those of these names.
    pub(crate) fn take(root: &Path, names: &[String]) -> anyhow::Result<Self> {
        let mut survey = Survey::default();
        for name in names_in(root, names)? {
            // A name that is not UTF-8 is no ring's. The replacement character keeps it from matching one.
            match inspect(&name.to_string_lossy(), |text| Ring::open(root, text), false) {
                Ok((_, snapshot)) => survey.rings.push(snapshot),
                // Its publisher closed and removed it meanwhile.
                Err(_) if names.is_empty() && FileFacts::of_candidate(root, &name).is_err() => {}
                Err((kind, problem)) => {
                    let file = FileFacts::of_candidate(root, &name).ok();
                    survey.others.push(Unreadable::new(printable_name(&name), file, kind, &problem));
                }
            }
        }
        Ok(survey)
    }
}

/// Opens a ring and takes a snapshot, or says why that failed.
pub(super) fn inspect(
    name: &str,
    open: impl FnOnce(&str) -> Result<Ring, OpenError>,
    sealed: bool,
) -> Result<(Ring, Snapshot), (Reason, String)> {
    let ring = open(name).map_err(|error| (Reason::of(&error), explain(&error, sealed)))?;
    match Snapshot::of(name, &ring) {
        Ok(snapshot) => Ok((ring, snapshot)),
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
