//! Surveys of rings: what the commands that show rings have in common.

mod other;
mod owner;
mod rates;
mod root;
mod snapshot;
mod targets;

pub(crate) use other::Reason;
pub(crate) use rates::Rates;
pub(crate) use root::{Survey, names_in};
pub(crate) use snapshot::{Epoch, Snapshot, Subscriber, life};
pub(crate) use targets::Targets;
