//! The rings that a command surveys again and again: those of a root, and sealed rings.

use std::path::{Path, PathBuf};

use feed_ring::inspect::{FileFacts, Life, Ring};

use super::root::{Survey, inspect};
use super::snapshot::Snapshot;
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
                Ok(snapshot) => survey.rings.push(snapshot),
                Err(other) => survey.others.push(*other),
            }
        }
        (survey, result)
    }
}

/// A sealed ring and the connection to its publisher. It is kept, because the publisher would notice a new connection
/// for each survey.
struct SealedRing {
    path: PathBuf,
    ring: Option<Ring>,
    /// The last snapshot of a ring that has ended. The ring is unmapped then, so its memory is freed.
    ended: Option<Snapshot>,
}

impl SealedRing {
    fn new(path: &Path) -> Self {
        SealedRing { path: path.to_owned(), ring: None, ended: None }
    }

    fn survey(&mut self) -> Result<Snapshot, Box<Unreadable>> {
        let name = printable_name(self.path.as_os_str());
        let known = self.ring.as_ref().and_then(|ring| Some((ring, Snapshot::of(&name, ring).ok()?)));
        let known = known.map(|(ring, snapshot)| (ring.publisher() == Life::Alive, ring.is_current(), snapshot));
        if let Some((true, true, snapshot)) = known {
            return Ok(snapshot);
        }
        // It ended, or another ring took its socket.
        match (inspect(&name, Ring::connect(&self.path), true), known) {
            (Ok((ring, snapshot)), _) => {
                (self.ring, self.ended) = (Some(ring), None);
                Ok(snapshot)
            }
            (Err(_), Some((true, _, snapshot))) => Ok(snapshot),
            (Err((kind, problem)), known) => {
                self.ring = None;
                if let Some((.., mut snapshot)) = known {
                    // Its subscribers can no longer be seen.
                    (snapshot.subscribers, snapshot.slowest_lag) = (None, None);
                    self.ended = Some(snapshot);
                }
                let file = FileFacts::of_path(&self.path).ok();
                self.ended.clone().ok_or_else(|| Box::new(Unreadable::new(name, file, kind, &problem)))
            }
        }
    }
}
