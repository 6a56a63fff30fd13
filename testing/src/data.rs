//! Market data for tests, on machines that have it. The project does not need it.

use std::path::{Path, PathBuf};

/// The path of a market data file, in `$FEED_DATA` or in `../shared/data` beside the workspace. Without the file,
/// prints that the test is skipped and returns `None`.
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

/// Prints that a test is skipped, and why.
pub fn skipped(reason: &str) {
    use std::io::Write;
    // The test harness captures what macros print, but not this. A skip must be visible without --nocapture.
    let _ = writeln!(std::io::stderr(), "SKIPPED: {reason}");
}
