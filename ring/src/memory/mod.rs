//! Memory as words, in a mapped file or on the heap, and the guard against truncated files.

pub(crate) mod creator;
pub mod guard;
pub(crate) mod mapping;
pub(crate) mod own_thread;
pub(crate) mod words;

pub(crate) use creator::CreatorPid;
pub(crate) use mapping::Mapping;
pub(crate) use own_thread::OwnThread;
pub(crate) use words::{Memory, Pinned, Span};
