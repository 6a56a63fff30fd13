//! The segment and the control file, whatever file holds them: what is written into new ones, what is believed of found
//! ones, and how much memory there is for them.

pub(crate) mod check;
pub(crate) mod fill;
pub(crate) mod header;
pub(crate) mod room;
