//! Memory as words: a mapped file or the heap, and the guard against files that are cut short.

pub(crate) mod creator;
pub mod guard;
pub(crate) mod mapping;
pub(crate) mod words;

pub(crate) use creator::CreatorPid;
pub(crate) use mapping::Mapping;
pub(crate) use words::{Memory, Pinned, Span};
