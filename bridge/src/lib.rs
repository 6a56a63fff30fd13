//! `feed-bridge`: carries rings to other machines, with their numbers and epochs.

pub mod engine;
pub mod engine_options;
pub mod far;
pub mod near;
pub mod options;
pub mod outgoing;
pub mod receiver;
pub mod run;
pub mod sender;
mod source;
mod status;
mod summary;
pub mod wire;
pub mod zenoh;

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
