//! What a subscriber was told and has not passed on, and how events reach the caller: raised, or in messages' places.

use std::time::Duration;

use feed_ring::{Notifier, TryRecvError};
use pyo3::prelude::*;

use crate::errors;
use crate::exclusive::Exclusive;
use crate::ring::Ring;
use crate::waiting::{Deadline, wait};

/// A subscriber, and what it was told and has not passed on.
pub(crate) struct Following {
    pub(crate) ring: Ring,
    /// An event that came behind the messages of a batch, for the next call.
    pending: Option<TryRecvError>,
    /// Whether events are returned in messages' places.
    yields: bool,
    /// Whether the publisher's death was returned, and no other publisher came yet. Only if events are returned.
    pub(crate) orphaned: bool,
    /// Whether the end was returned. Only if events are returned.
    pub(crate) ended: bool,
    pub(crate) notifier: Option<Notifier>,
}

impl Following {
    pub(crate) fn new(ring: Ring, yields: bool) -> Self {
        Following { ring, pending: None, yields, orphaned: false, ended: false, notifier: None }
    }

    /// One attempt. After a death that was returned, the same death is no news.
    pub(crate) fn attempt<T>(
        &mut self,
        attempt: impl FnOnce(&mut Ring) -> Result<T, TryRecvError>,
    ) -> Result<T, TryRecvError> {
        if let Some(event) = self.pending.take() {
            return Err(event);
        }
        match attempt(&mut self.ring) {
            Err(TryRecvError::PublisherDead) if self.orphaned => Err(TryRecvError::Empty),
            result => {
                self.orphaned &= matches!(result, Err(TryRecvError::Empty));
                result
            }
        }
    }

    /// Waits for what `within` receives: for a publisher first, where it is told that there is none.
    pub(crate) fn wait<T: Send>(
        &mut self,
        handle: &Exclusive<Following>,
        py: Python<'_>,
        deadline: Deadline,
        mut within: impl FnMut(&mut Ring, Duration) -> Result<T, TryRecvError> + Send,
    ) -> PyResult<Result<T, TryRecvError>> {
        let result = wait(py, deadline, |slice| {
            if handle.is_closing() {
                return Some(None);
            }
            if self.orphaned && !self.ring.wait_for_publisher(slice) {
                return None;
            }
            self.orphaned = false;
            match within(&mut self.ring, slice) {
                Err(TryRecvError::Empty) => None,
                result => Some(Some(result)),
            }
        })?;
        match result {
            Some(Some(result)) => Ok(result),
            Some(None) => Err(handle.closed(py)),
            None => Ok(Err(TryRecvError::Empty)),
        }
    }

    /// What comes behind a message that was received: an event waits for the next call, and `nothing` is returned.
    pub(crate) fn put_off<T>(
        &mut self,
        more: impl FnOnce(&mut Ring) -> Result<T, TryRecvError>,
        nothing: T,
    ) -> Result<T, TryRecvError> {
        match more(&mut self.ring) {
            Ok(more) => return Ok(more),
            Err(TryRecvError::Empty) => {}
            Err(event) => self.pending = Some(event),
        }
        Ok(nothing)
    }

    /// An event as the caller wants it: returned, or raised.
    pub(crate) fn tell<'py>(&mut self, py: Python<'py>, error: TryRecvError) -> PyResult<Bound<'py, PyAny>> {
        let event = errors::event(py, error);
        if !self.yields || error == TryRecvError::Empty || !errors::is_event(error) {
            return Err(event);
        }
        self.orphaned = error == TryRecvError::PublisherDead;
        self.ended = matches!(error, TryRecvError::Closed | TryRecvError::Superseded);
        Ok(event.into_value(py).into_bound(py).into_any())
    }
}
