//! The presence of publisher and subscribers: the publisher's lock, its liveness, and the subscribers' entries. The
//! kernel keeps all three, so a killed process leaves none of them behind.
//!
//! - **Exclusion** is an open-file-description lock on the file `lock`. The file has mode 0600, because a subscriber
//!   that could open it could take the lock first.
//! - **Liveness** is a FIFO that the publisher holds open for writing. A read gives `EAGAIN` while the publisher lives,
//!   and end of file from the moment it is dead, without a timeout.
//! - **Entries** are byte ranges of the file `control`. Each subscriber locks its own.

pub(crate) mod entries;
pub(crate) mod liveness;
pub(crate) mod lock;
