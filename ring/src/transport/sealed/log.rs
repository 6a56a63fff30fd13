//! Log events of the serving thread, with the feature `tracing`.

/// A client of this user received the ring. `clients` are connected now.
pub(super) fn accepted(uid: u32, clients: usize) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: "feed_ring", uid, clients, "client accepted");
    #[cfg(not(feature = "tracing"))]
    let _ = (uid, clients);
}

/// A client was refused.
pub(super) fn refused(reason: &str) {
    #[cfg(feature = "tracing")]
    tracing::warn!(target: "feed_ring", reason, "client refused");
    #[cfg(not(feature = "tracing"))]
    let _ = reason;
}

/// `count` clients disconnected. `clients` are still connected.
pub(super) fn left(count: usize, clients: usize) {
    #[cfg(feature = "tracing")]
    if count > 0 {
        tracing::info!(target: "feed_ring", count, clients, "clients left");
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (count, clients);
}
