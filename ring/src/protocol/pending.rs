//! Whether a receive would have anything to say: what a subscriber asks before it sleeps, a notifier before it makes its
//! descriptor readable, and a wait for a publisher before it goes on.

use super::slot;
use super::view::View;
use crate::format::layout::state;
use crate::presence::liveness::Liveness;
use crate::sync::on;

/// What a subscriber was told last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told {
    /// The message that it waits for.
    pub(crate) sequence: u64,
    /// The epoch that it was told of last.
    pub(crate) epoch: u64,
    /// The state of the ring that it was told of last.
    pub(crate) state: u64,
}

impl Told {
    /// Whether there is anything that it was not told.
    pub(crate) fn is_outdated(&self, view: &View) -> bool {
        let Told { sequence, epoch, state } = *self;
        // B6. The message, or whatever else its slot says.
        slot::is_there(view.slot(sequence), sequence, view.mask()) && on("B6")
            // B7. The ring ended.
            || view.state() != state && on("B7")
            // B8. Another publisher took over.
            || view.epoch() != epoch && on("B8")
            // B9. A message from before this ring never comes.
            || sequence < view.layout().base && on("B9")
    }

    /// The same for a wait until a publisher takes over: whether there is one counts as well.
    pub(crate) fn is_over(&self, view: &View, liveness: &Liveness) -> bool {
        // The state of a segment that was cut short is outdated once the guard has replaced it.
        view.memory().look_if_cut_short();
        self.is_outdated(view) || view.state() == state::LIVE && !liveness.is_dead()
    }
}
