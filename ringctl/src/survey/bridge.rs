//! What an end of a bridge (`feed-bridge`) tells of itself: a cell beside the ring that it carries.

use feed_program::bridge::{ReceiveStatus, SendStatus};
use feed_ring::Payload;
use feed_ring::inspect::Table;
use serde::{Serialize, Serializer};

/// An end of a bridge.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Bridge {
    /// The ring's name on this machine.
    pub(crate) ring: String,
    pub(crate) end: End,
    /// What it told last. `None` if it told nothing yet, or its cell could not be read whole.
    pub(crate) told: Option<Told>,
}

/// Which end it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum End {
    Send,
    Receive,
}

/// The fields of a [`SendStatus`] or [`ReceiveStatus`] by name, in their order.
#[derive(Clone, Debug)]
pub(crate) struct Told(Vec<(String, u64)>);

impl Bridge {
    /// The end of a bridge that this cell, of this name, is of. `None` for any other cell: its value's schema is another.
    pub(super) fn of(name: &str, cell: &Table) -> Option<Self> {
        let schema = &cell.facts().schema;
        let (end, suffix) = if *schema == SendStatus::SCHEMA.text::<SendStatus>() {
            (End::Send, ".sending")
        } else if *schema == ReceiveStatus::SCHEMA.text::<ReceiveStatus>() {
            (End::Receive, ".receiving")
        } else {
            return None;
        };
        let ring = name.strip_suffix(suffix).unwrap_or(name).to_owned();
        Some(Bridge { ring, end, told: Told::read(cell) })
    }

    /// What it told under this name. `None` if this end tells no such thing.
    pub(crate) fn field(&self, name: &str) -> Option<u64> {
        self.told.as_ref()?.fields().find(|field| field.0 == name).map(|field| field.1)
    }
}

impl End {
    pub(crate) fn name(self) -> &'static str {
        match self {
            End::Send => "send",
            End::Receive => "receive",
        }
    }
}

impl Told {
    /// Reads a cell of one of the two. `None` if nothing was stored, or no copy is whole.
    fn read(cell: &Table) -> Option<Self> {
        let (ty, mut value) = (cell.message_type().ok()?, Vec::new());
        cell.read(0, &mut value).ok()??;
        let field = |offset: usize| value.get(offset..offset + 8)?.try_into().ok().map(u64::from_ne_bytes);
        // Both have fields of type `u64` only.
        ty.fields.into_iter().map(|each| Some((each.name, field(each.offset)?))).collect::<Option<_>>().map(Told)
    }

    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(name, value)| (&**name, *value))
    }
}

impl Serialize for Told {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.fields())
    }
}
