//! The rings that a command inspects again and again: those of a root, and sealed rings.

use std::path::{Path, PathBuf};

use feed_ring::inspect::{FileFacts, Life, Ring};

use super::other::Other;
use super::root::{Survey, look};
use super::snapshot::Snapshot;
use crate::format::shown;

/// Where a command looks again and again: a root, and sealed rings, which stand in none.
pub(crate) struct Targets<'a> {
    root: &'a Path,
    /// The rings of the root that are looked at; all of them if none is named.
    names: &'a [String],
    sealed: Vec<Sealed>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(root: &'a Path, names: &'a [String], connect: &[PathBuf]) -> Self {
        let mut paths: Vec<&PathBuf> = Vec::new();
        for path in connect {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Targets { root, names, sealed: paths.into_iter().map(|path| Sealed::at(path)).collect() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root
    }

    /// Looks at all of them: at the sealed rings, too, if the root cannot be read.
    pub(crate) fn look(&mut self) -> (Survey, anyhow::Result<()>) {
        let (mut survey, result) = match Survey::take(self.root, self.names) {
            Ok(survey) => (survey, Ok(())),
            Err(error) => (Survey::default(), Err(error)),
        };
        for sealed in &mut self.sealed {
            match sealed.look() {
                Ok(snapshot) => survey.rings.push(snapshot),
                Err(other) => survey.others.push(*other),
            }
        }
        (survey, result)
    }
}

/// A sealed ring that is looked at again and again. Its publisher would notice each connection, so there is one for each
/// ring, and not one for each look.
struct Sealed {
    path: PathBuf,
    ring: Option<Ring>,
    /// How the ring was last seen that has ended: its memory is given back then.
    ended: Option<Snapshot>,
}

impl Sealed {
    fn at(path: &Path) -> Self {
        Sealed { path: path.to_owned(), ring: None, ended: None }
    }

    fn look(&mut self) -> Result<Snapshot, Box<Other>> {
        let name = shown(self.path.as_os_str());
        let known = self.ring.as_ref().and_then(|ring| Some((ring, Snapshot::of(&name, ring).ok()?)));
        let known = known.map(|(ring, snapshot)| (ring.publisher() == Life::Alive, ring.is_current(), snapshot));
        if let Some((true, true, snapshot)) = known {
            return Ok(snapshot);
        }
        // It ended, or another took its socket.
        match (look(&name, |_| Ring::connect(&self.path), true), known) {
            (Ok((ring, snapshot)), _) => {
                (self.ring, self.ended) = (Some(ring), None);
                Ok(snapshot)
            }
            (Err(_), Some((true, _, snapshot))) => Ok(snapshot),
            (Err((kind, problem)), known) => {
                self.ring = None;
                if let Some((.., mut snapshot)) = known {
                    // Who is still attached to it can no longer be seen.
                    (snapshot.subscribers, snapshot.slowest_lag) = (None, None);
                    self.ended = Some(snapshot);
                }
                let file = FileFacts::of_path(&self.path).ok();
                self.ended.clone().ok_or_else(|| Box::new(Other::new(name, file, kind, &problem)))
            }
        }
    }
}
