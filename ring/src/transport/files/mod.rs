//! A publisher's files: opened without following links, checked for kind and owner, made with exact modes, and put in
//! place whole.

pub(crate) mod access;
pub(crate) mod directory;
pub(crate) mod fault;

pub(crate) use access::{Access, Trust};
pub(crate) use directory::{Directory, file};
pub(crate) use fault::{Fault, What};
