//! The meaning of a ring's bytes: names, messages and their schemas, the header, the control file.

pub(crate) mod difference;
pub(crate) mod fields;
pub(crate) mod layout;
pub(crate) mod message;
pub(crate) mod name;
pub(crate) mod padding;
pub mod payload;
pub(crate) mod records;
pub(crate) mod rows;
pub(crate) mod text;
