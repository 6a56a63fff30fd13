//! Waiting for a publisher to come back: what a subscriber knew of the ring when its publisher was gone, and whether there
//! is anything new since.

use crate::layout::{Layout, state};
use crate::memory::Slots;
use crate::presence::Liveness;
use crate::slot;
use crate::sync::Word;

/// The ring as it was when a subscriber was told of its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absence {
    /// The subscriber's next message.
    pub(crate) sequence: u64,
    pub(crate) epoch: u64,
    pub(crate) state: u64,
}

impl Absence {
    /// Whether there is a publisher, or anything else that the next receive tells of.
    pub(crate) fn is_over<T>(&self, slots: &Slots<Word, T>, layout: &Layout, liveness: &Liveness) -> bool {
        // One that was cut short says so in its state, once that was looked at.
        slots.memory().look_if_cut_short();
        let now = slots.memory()[layout.state()].load();
        now != self.state
            || slots.memory()[layout.epoch()].load() != self.epoch
            || slot::is_there(slots.at(self.sequence), self.sequence, slots.capacity() - 1)
            || now == state::LIVE && !liveness.is_dead()
    }
}
