//! The process that created a value, to tell a forked child from its parent.

/// The process id of a value's creator. A forked child inherits the value but must not release its locks, files and
/// threads: locks and files are shared with the parent, and the parent's threads do not exist in the child.
pub(crate) struct CreatorPid(u32);

impl CreatorPid {
    pub(crate) fn this() -> Self {
        CreatorPid(std::process::id())
    }

    pub(crate) fn is_this(&self) -> bool {
        self.0 == std::process::id()
    }
}
