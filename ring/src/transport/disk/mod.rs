//! A ring on disk: files in a directory, by default below `/dev/shm`.

mod files;
pub(crate) mod make;
pub(crate) mod open;
