//! Surveys of rings, tables and cells: what the commands that show them have in common.

mod bridge;
mod owner;
mod rates;
mod root;
mod seen;
mod snapshot;
mod table;
mod targets;
mod unreadable;

pub(crate) use bridge::{Bridge, End};
pub(crate) use rates::{Counted, Rates};
pub(crate) use root::{Survey, in_order, names_in, readable};
pub(crate) use snapshot::{Epoch, Snapshot, Subscriber, life, time};
pub(crate) use table::TableSnapshot;
pub(crate) use targets::Targets;
pub(crate) use unreadable::Reason;
