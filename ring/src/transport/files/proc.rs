//! Tells whether `/proc` is there: a path through it names an open file.

/// Whether this process's open files are found in `/proc`.
pub(crate) fn has_proc() -> bool {
    rustix::fs::stat("/proc/self/fd").is_ok()
}
