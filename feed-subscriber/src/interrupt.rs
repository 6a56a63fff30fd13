//! How the thread that handles signals ends a wait.

use std::sync::{Arc, Mutex, PoisonError};

use feed_ring::Interrupter;

/// Wakes a sleeping subscriber from the thread that handles signals. Shared, because each reopened ring has an
/// interrupter of its own.
#[derive(Clone, Default)]
pub(crate) struct SharedInterrupter(Arc<Mutex<Option<Interrupter>>>);

impl SharedInterrupter {
    /// Wakes the subscriber if it sleeps.
    pub(crate) fn interrupt(&self) {
        if let Some(interrupter) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            interrupter.interrupt();
        }
    }

    pub(crate) fn set(&self, interrupter: Interrupter) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(interrupter);
    }
}
