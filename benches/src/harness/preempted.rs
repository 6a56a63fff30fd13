//! Tells whether the kernel took the core away during a round. Such a round measures the work of other processes.

use anyhow::Context as _;

/// How often the kernel took the core from this thread while it was running.
///
/// # Errors
/// `/proc` cannot be read.
pub fn count() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/thread-self/status").context("/proc/thread-self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("nonvoluntary_ctxt_switches:"));
    Ok(line.context("/proc/thread-self/status: no nonvoluntary_ctxt_switches")?.trim().parse()?)
}
