//! What the serving thread tells the log of its program, where the feature `tracing` is on. Nothing else in this crate logs.

use std::os::fd::OwnedFd;

/// A client was handed the ring; `clients` are connected now.
pub(super) fn accepted(client: &OwnedFd, clients: usize) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "feed_ring", uid = super::peer::uid(client).ok(), clients, "client accepted");
    #[cfg(not(feature = "tracing"))]
    let _ = (client, clients);
}

/// A client was told why not.
pub(super) fn refused(reason: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "feed_ring", reason, "client refused");
    #[cfg(not(feature = "tracing"))]
    let _ = reason;
}

/// So many clients hung up; `clients` are connected still.
pub(super) fn left(count: usize, clients: usize) {
    #[cfg(feature = "tracing")]
    if count > 0 {
        tracing::info!(target: "feed_ring", count, clients, "clients left");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (count, clients);
}
