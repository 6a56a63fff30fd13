//! Files of a publisher: found without following a link, checked for kind and owner, made with exact modes, put into place
//! whole.

pub(crate) mod access;
pub(crate) mod directory;
pub(crate) mod fault;

pub(crate) use access::{Access, Trust};
pub(crate) use directory::{Directory, file};
pub(crate) use fault::{Fault, What};
