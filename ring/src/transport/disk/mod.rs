//! A ring in the files of a directory, by default in `/dev/shm`.

mod files;
pub(crate) mod make;
pub(crate) mod open;
