//! The market data that tests read where it is; the project is used without it.

use std::path::{Path, PathBuf};

/// A file of the market data: in `$FEED_DATA`, or in `../shared/data` from the workspace's root. Where it is not, says so
/// and returns none.
pub fn market_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("FEED_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    if path.is_file() {
        return Some(path);
    }
    skipped(&format!("no {} (set FEED_DATA to the folder of the market data)", path.display()));
    None
}

/// Says that a test did not run, and why, on a line of its own that the test harness does not capture.
pub fn skipped(reason: &str) {
    use std::io::Write;
    // The harness captures the macros' output, not the stream's: a skip must be seen without --nocapture.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}
