//! A ring on disk: files in a directory, by default below `/dev/shm`.

mod files;
mod log;
pub(crate) mod make;
pub(crate) mod open;
