//! Which process made a thing.

/// The process that made something. A forked child inherits the value and must leave alone what is still its parent's:
/// locks and files are shared with the parent, and the parent's threads do not exist in the child.
pub(crate) struct CreatorPid(u32);

impl CreatorPid {
    pub(crate) fn this() -> Self {
        CreatorPid(std::process::id())
    }

    pub(crate) fn is_this(&self) -> bool {
        self.0 == std::process::id()
    }
}
