//! The subscriber: a reader of a ring, typed or untyped.

pub(crate) mod handle;
mod hold_back;
pub(crate) mod notify;
pub(crate) mod options;
pub(crate) mod raw;
pub(crate) mod received;
pub(crate) mod receiver;
