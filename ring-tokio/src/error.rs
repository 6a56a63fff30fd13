//! Why there is no message.

use std::io;

use feed_ring::TryRecvError;
use feed_ring::follow::FollowError;

/// Why [`recv`](crate::AsyncSubscriber::recv) returned no message, and what a stream has in place of one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An event of the ring: a loss, a restart, the publisher's death, the ring's end. Never
    /// [`Empty`](TryRecvError::Empty).
    #[error(transparent)]
    Ring(TryRecvError),
    /// Following a ring ended, and not because the ring was closed. Only of [`AsyncFollow`](crate::AsyncFollow).
    #[error(transparent)]
    Follow(FollowError),
    /// It could not wait, because the descriptor or its thread could not be made, or the runtime is shutting down. No
    /// message is lost by that: the next call tries again.
    #[error(
        "cannot wait for the ring: {0}: raise the limits on threads (ulimit -u) and open files (ulimit -n), or leave the runtime running"
    )]
    Wait(#[source] io::Error),
}
