//! All rings of a root at one moment.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;
use feed_ring::OpenError;
use feed_ring::inspect::{self, FileFacts, Ring};
use serde::Serialize;

use super::other::{Kind, Other};
use super::snapshot::Snapshot;
use crate::format::shown;
use crate::open::explain;

/// All that stands in a root.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Survey {
    pub(crate) rings: Vec<Snapshot>,
    /// What ends in `.ring` and is none.
    pub(crate) others: Vec<Other>,
}

impl Survey {
    /// Looks at every ring in `root`, or at those of these names.
    pub(crate) fn take(root: &Path, names: &[String]) -> anyhow::Result<Self> {
        let mut survey = Survey::default();
        for name in names_in(root, names)? {
            // What is no UTF-8 is no ring's name, with the letter in it that stands for such bytes.
            match look(&name.to_string_lossy(), |text| Ring::open(root, text), false) {
                Ok((_, snapshot)) => survey.rings.push(snapshot),
                // Its publisher closed it between two looks.
                Err(_) if names.is_empty() && FileFacts::of_candidate(root, &name).is_err() => {}
                Err((kind, problem)) => {
                    let file = FileFacts::of_candidate(root, &name).ok();
                    survey.others.push(Other::new(shown(&name), file, kind, &problem));
                }
            }
        }
        Ok(survey)
    }
}

/// Opens a ring and looks at it, or says why that cannot be.
pub(super) fn look(
    name: &str,
    open: impl FnOnce(&str) -> Result<Ring, OpenError>,
    sealed: bool,
) -> Result<(Ring, Snapshot), (Kind, String)> {
    let ring = open(name).map_err(|error| (Kind::of(&error), explain(&error, sealed)))?;
    match Snapshot::of(name, &ring) {
        Ok(snapshot) => Ok((ring, snapshot)),
        Err(error) => Err((Kind::Damaged, format!("{error:#}"))),
    }
}

/// The names that were given, or those of everything in `root` that may be a ring.
pub(crate) fn names_in(root: &Path, names: &[String]) -> anyhow::Result<Vec<OsString>> {
    if !names.is_empty() {
        return Ok(names.iter().map(OsString::from).collect());
    }
    inspect::names(root)
        .with_context(|| format!("{}: cannot list the rings (choose another --root DIRECTORY)", root.display()))
}
