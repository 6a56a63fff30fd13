//! What a publisher and its subscribers do with the words they share. docs/protocol.md argues it, and the models of
//! loom-tests run all of it.

pub(crate) mod copy;
pub(crate) mod cursor;
pub(crate) mod end;
pub(crate) mod pending;
pub(crate) mod slot;
pub(crate) mod slots;
pub(crate) mod takeover;
pub(crate) mod view;
pub(crate) mod wait;
pub(crate) mod watch;
