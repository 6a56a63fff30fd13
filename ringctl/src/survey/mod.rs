//! Surveys of rings: what the commands that show rings have in common.

mod owner;
mod rates;
mod root;
mod snapshot;
mod targets;
mod unreadable;

pub(crate) use rates::Rates;
pub(crate) use root::{Survey, in_order, names_in, readable};
pub(crate) use snapshot::{Epoch, Snapshot, Subscriber, life};
pub(crate) use targets::Targets;
pub(crate) use unreadable::Reason;
