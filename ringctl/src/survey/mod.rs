//! What every command that shows rings shows of them.

mod other;
mod owner;
mod rates;
mod root;
mod snapshot;
mod targets;

pub(crate) use other::Kind;
pub(crate) use rates::Rates;
pub(crate) use root::{Survey, names_in};
pub(crate) use snapshot::{Epoch, Snapshot, Subscriber, life};
pub(crate) use targets::Targets;
