//! A publisher's files: opened without following links, checked for kind and owner, made with exact modes, and put in
//! place whole.

pub(crate) mod access;
pub(crate) mod directory;
pub(crate) mod fault;
mod proc;

pub(crate) use access::{Access, Trust};
pub(crate) use directory::{Directory, Naming, file};
pub(crate) use fault::{Fault, What};
pub(crate) use proc::has_proc;
