//! Waiting without Python's lock, so that other threads run, and in slices, so that Ctrl-C ends it.

use std::time::{Duration, Instant};

use pyo3::prelude::*;

use crate::errors;

/// The longest time until a wait looks for a signal. A subscriber that sleeps looks for itself as often anyway.
const SLICE: Duration = Duration::from_millis(100);

/// Until when to wait. `None` is for ever.
#[derive(Clone, Copy)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// So many seconds from now.
    pub(crate) fn after(seconds: Option<f64>) -> PyResult<Self> {
        let Some(seconds) = seconds else { return Ok(Deadline(None)) };
        if seconds.is_nan() || seconds < 0.0 {
            return Err(errors::value(format!("a timeout of {seconds} s"), "0 or more, or None to wait for ever"));
        }
        // Too long for a Duration or an Instant is for ever as well.
        let duration = Duration::try_from_secs_f64(seconds).ok();
        Ok(Deadline(duration.and_then(|duration| Instant::now().checked_add(duration))))
    }

    /// The next slice of the wait. `None` if there is no time left.
    pub(crate) fn slice(self) -> Option<Duration> {
        let Some(deadline) = self.0 else { return Some(SLICE) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { None } else { Some(left.min(SLICE)) }
    }
}

/// Calls `attempt` with slices of the time, without Python's lock, until it returns something, the time is over (`None`) or a
/// signal's handler raises.
pub(crate) fn wait<T: Send>(
    py: Python<'_>,
    deadline: Deadline,
    mut attempt: impl FnMut(Duration) -> Option<T> + Send,
) -> PyResult<Option<T>> {
    while let Some(slice) = deadline.slice() {
        let result = py.detach(|| attempt(slice));
        if result.is_some() {
            return Ok(result);
        }
        py.check_signals()?;
    }
    Ok(None)
}
