//! Who is there: the publisher's lock, its liveness, and the subscribers' entries. The kernel answers all three, so
//! nothing is left over from a process that was killed.
//!
//! - **Exclusion** is an open-file-description lock on `lock`, a file of mode 0600: on a file that subscribers may open,
//!   one of them could take the lock first.
//! - **Liveness** is a FIFO that the publisher holds open for writing: a read gives `EAGAIN` while it lives and
//!   end-of-file once it is dead, at once and without a timeout.
//! - **Entries** are byte ranges of `control`, one for each subscriber, each locked by its subscriber.

pub(crate) mod entries;
pub(crate) mod liveness;
pub(crate) mod lock;
