//! Opens a ring to inspect it, and explains why that failed.

use std::path::Path;

use feed_program::remedy;
use feed_ring::inspect::{Inspected, Ring};
use feed_ring::{OpenError, SegmentKind};

use crate::args::RingArg;

/// Opens what a command line names, to inspect it.
pub(crate) fn open_any(root: &Path, arg: &RingArg) -> anyhow::Result<Inspected> {
    match (&arg.connect, &arg.name) {
        (Some(path), _) => Inspected::connect(path),
        // clap requires one of the two.
        (None, name) => Inspected::open(root, name.as_deref().unwrap_or_default()),
    }
    .map_err(|error| anyhow::anyhow!(explain(&error, arg.connect.is_some())))
}

/// Opens the ring that a command line names, to inspect it.
pub(crate) fn open(root: &Path, arg: &RingArg) -> anyhow::Result<Ring> {
    open_any(root, arg)?.ring().map_err(|error| anyhow::anyhow!(explain(&error, arg.connect.is_some())))
}

/// Why a ring was not opened. The library's text suggests to wait for the ring, which `ringctl` cannot, and `ringctl
/// list` does not show sealed rings.
pub(crate) fn explain(error: &OpenError, sealed: bool) -> String {
    let place = if sealed { "--connect PATH" } else { "--root DIRECTORY" };
    match error {
        OpenError::Io { path, source, .. } => {
            format!("{error}: {}", remedy::ring(source, path.parent().unwrap_or(path), place))
        }
        OpenError::NotFound { path } if sealed => format!(
            "{}: no such socket: start the publisher that serves it (feed-publisher --serve PATH), or mend the path",
            path.display()
        ),
        OpenError::NotFound { path } => {
            format!("{}: no such ring: start its publisher, or see what there is (ringctl list)", path.display())
        }
        OpenError::NotServed { path } => {
            format!("{}: nobody serves this socket any more: restart its publisher", path.display())
        }
        OpenError::Unfinished { path } => format!(
            "{}: its files do not belong together (yet): look again; if it stays so, restart its publisher",
            path.display()
        ),
        OpenError::Kind { path, found: found @ (SegmentKind::Ring | SegmentKind::Records), .. } => {
            format!("{}: {found}, without a table: look at it with ringctl stat, or ringctl tail", path.display())
        }
        OpenError::Kind { path, found, .. } => {
            format!("{}: {found}, not a ring: look at it with ringctl stat, or ringctl table", path.display())
        }
        error => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn remedies_are_possible_with_ringctl() {
        let path = || PathBuf::from("p");
        let errors = [
            OpenError::NotFound { path: path() },
            OpenError::NotServed { path: path() },
            OpenError::Unfinished { path: path() },
        ];
        for (error, sealed) in errors.iter().flat_map(|error| [(error, false), (error, true)]) {
            let why = explain(error, sealed);
            assert!(why.starts_with("p: ") && why.matches(": ").count() == 2, "{why}");
            assert!(!why.contains("open timeout"), "it waits for nothing: {why}");
            assert!(!(sealed && why.contains("ringctl list")), "it shows no sealed rings: {why}");
        }
    }
}
