//! Whether the next receive would return something. A subscriber checks this before it sleeps, a notifier before it
//! makes its descriptor readable, and a wait for a publisher before it returns.

use super::view::View;
use super::{position, slot};
use crate::format::layout::{Parts, state};
use crate::presence::liveness::Liveness;
use crate::sync::on;

/// What the caller of a subscriber was told last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The sequence number of the message it waits for.
    pub(crate) sequence: u64,
    /// Where it will be. In a ring of messages of one size that is the number.
    pub(crate) position: u64,
    /// The header's epoch when it was last compared with what the caller was told. It is not the epoch told last: the header
    /// may name one of which nothing is to be told yet.
    pub(crate) epoch: u64,
    /// The state of the ring that was reported last.
    pub(crate) state: u64,
}

impl Told {
    /// Whether there is anything that the caller was not told.
    pub(crate) fn is_outdated(&self, view: &View) -> bool {
        let Told { sequence, position, epoch, state } = *self;
        // B6. The slot holds the message, or shows a loss or damage.
        is_decided(view, position) && on("B6")
            // B7. The ring ended.
            || view.state() != state && on("B7")
            // B8. Another publisher took over.
            || view.epoch() != epoch && on("B8")
            // B9. This ring never gets a message from before its base: the sleep would never end.
            || sequence < view.layout().base && on("B9")
    }

    /// Whether a wait for a publisher is over: there is one, or something else that the caller was not told.
    pub(crate) fn publisher_wait_is_over(&self, view: &View, liveness: &Liveness) -> bool {
        // Reading the segment lets the guard replace it if it was cut short. The state then differs from the reported
        // one.
        view.memory().look_if_cut_short();
        self.is_outdated(view) || view.state() == state::LIVE && !liveness.is_dead()
    }
}

/// Whether the slot at `position` decides what becomes of the message there.
fn is_decided(view: &View, position: u64) -> bool {
    match view.layout().parts {
        Parts::Records { .. } => position::is_decided(view, position),
        Parts::Messages | Parts::Rows(_) => slot::is_decided(view.slot(position), position, view.mask()),
    }
}
