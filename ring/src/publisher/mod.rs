//! The one that writes.

pub(crate) mod ahead;
pub(crate) mod handle;
pub(crate) mod options;
pub(crate) mod raw;
mod writer;
