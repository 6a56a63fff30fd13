//! How a publisher and its subscribers use the words they share. docs/protocol.md has the argument; the models of
//! loom-tests run all of this code.

pub(crate) mod copy;
mod copy_slots;
pub(crate) mod cursor;
pub(crate) mod end;
pub(crate) mod epochs;
pub(crate) mod join;
pub(crate) mod pending;
pub(crate) mod place;
pub(crate) mod position;
pub(crate) mod record;
pub(crate) mod records;
pub(crate) mod row;
pub(crate) mod rows;
mod sleepers;
pub(crate) mod slot;
pub(crate) mod slots;
pub(crate) mod takeover;
pub(crate) mod view;
pub(crate) mod wait;
pub(crate) mod wake;
mod wake_thread;
pub(crate) mod watch;
