//! Whether the kernel took the core away: a round during which it did measures somebody else's work.

use anyhow::Context as _;

/// How often this thread had to leave its core although it wanted to go on.
///
/// # Errors
/// `/proc` cannot be read.
pub fn count() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").context("/proc/thread-self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    Ok(line.context("/proc/thread-self/status: no nonvoluntary_ctxt_switches")?.trim().parse()?)
}
