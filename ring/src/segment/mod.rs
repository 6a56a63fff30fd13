//! The segment and the control file of any transport: filling new ones, checking existing ones, and checking for room.

pub(crate) mod check;
pub(crate) mod fill;
pub(crate) mod header;
pub(crate) mod room;
