//! Log events of a publisher that makes a ring on disk, with the feature `tracing`.

use std::path::Path;

/// A takeover mended the control file of the ring at `path`.
pub(super) fn mended(path: &Path, found: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "feed_ring", ring = %path.display(), found, "control file mended");
    #[cfg(not(feature = "tracing"))]
    let _ = (path, found);
}
