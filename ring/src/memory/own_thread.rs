//! A thread of the library's own that ends with the value that it serves.

use super::creator::CreatorPid;
use crate::sync::Thread;

/// The running thread.
pub(crate) struct OwnThread {
    thread: Option<Thread>,
    creator: CreatorPid,
}

impl OwnThread {
    /// The thread that was just started.
    pub(crate) fn new(thread: Thread) -> Self {
        OwnThread { thread: Some(thread), creator: CreatorPid::this() }
    }

    /// Tells the thread to end, by `stop`, and waits for it. Does nothing in a forked child, which has the value but not
    /// the thread.
    pub(crate) fn end(&mut self, stop: impl FnOnce()) {
        let Some(thread) = self.thread.take() else { return };
        if !self.creator.is_this() {
            return std::mem::forget(thread);
        }
        stop();
        thread.join();
    }
}
