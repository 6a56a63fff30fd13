//! Reads the kernel's limits under `/proc/sys`.

use anyhow::Context as _;

use crate::harness::contender::Unavailable;

/// The limit in the file `path`.
///
/// # Errors
/// The file does not exist: the kernel does not offer the mechanism.
pub fn limit(path: &str) -> anyhow::Result<usize> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Unavailable(format!("{path}: {error}: the kernel does not offer this")))?;
    text.trim().parse().with_context(|| format!("{path}: `{}`", text.trim()))
}
