//! The rings that a command surveys again and again: those of a root, and sealed rings.

use std::path::{Path, PathBuf};

use feed_ring::inspect::{FileFacts, Inspected};

use super::root::{Survey, inspect};
use super::seen::{Seen, is_alive};
use super::unreadable::Unreadable;
use crate::format::printable_name;

/// The rings to survey: those of a root, and sealed rings, which are in no root.
pub(crate) struct Targets<'a> {
    root: &'a Path,
    /// The names to survey in the root; all rings if it is empty.
    names: &'a [String],
    sealed: Vec<SealedRing>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(root: &'a Path, names: &'a [String], connect: &[PathBuf]) -> Self {
        let mut paths: Vec<&PathBuf> = Vec::new();
        for path in connect {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Targets { root, names, sealed: paths.into_iter().map(|path| SealedRing::new(path)).collect() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root
    }

    /// Surveys all of them. If the root cannot be read, the survey still has the sealed rings, and the error is beside
    /// it.
    pub(crate) fn survey(&mut self) -> (Survey, anyhow::Result<()>) {
        let (mut survey, result) = match Survey::take(self.root, self.names) {
            Ok(survey) => (survey, Ok(())),
            Err(error) => (Survey::default(), Err(error)),
        };
        for sealed in &mut self.sealed {
            match sealed.survey() {
                Ok(Seen::Ring(ring)) => survey.rings.push(ring),
                Ok(Seen::Table(table)) => survey.tables.push(table),
                Err(other) => survey.others.push(*other),
            }
        }
        (survey, result)
    }
}

/// A sealed ring or table and the connection to its publisher. It is kept, because the publisher would notice a new
/// connection for each survey.
struct SealedRing {
    path: PathBuf,
    opened: Option<Inspected>,
    /// The last snapshot of one that has ended. It is unmapped then, so its memory is freed.
    ended: Option<Seen>,
}

impl SealedRing {
    fn new(path: &Path) -> Self {
        SealedRing { path: path.to_owned(), opened: None, ended: None }
    }

    fn survey(&mut self) -> Result<Seen, Box<Unreadable>> {
        let name = printable_name(self.path.as_os_str());
        let known = self.opened.as_ref().and_then(|opened| Some((opened, Seen::of(&name, opened).ok()?)));
        let known = known.map(|(opened, seen)| (is_alive(opened), opened.segment().is_current(), seen));
        if let Some((true, true, seen)) = known {
            return Ok(seen);
        }
        // It ended, or another took its socket.
        match (inspect(&name, Inspected::connect(&self.path), true), known) {
            (Ok((opened, seen)), _) => {
                (self.opened, self.ended) = (Some(opened), None);
                Ok(seen)
            }
            (Err(_), Some((true, _, seen))) => Ok(seen),
            (Err((kind, problem)), known) => {
                self.opened = None;
                if let Some((.., seen)) = known {
                    self.ended = Some(seen.ended());
                }
                let file = FileFacts::of_path(&self.path).ok();
                self.ended.clone().ok_or_else(|| Box::new(Unreadable::new(name, file, kind, &problem)))
            }
        }
    }
}
