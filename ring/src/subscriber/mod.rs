//! Those that read.

pub(crate) mod handle;
mod hold_back;
pub(crate) mod notify;
pub(crate) mod options;
pub(crate) mod raw;
mod receiver;
