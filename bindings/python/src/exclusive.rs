//! A handle that one thread uses at a time, and that ends when it is closed.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, TryLockError};

use pyo3::prelude::*;

use crate::errors;

/// How many forks lie between the process that loaded this module and this one.
static FORKS: AtomicU64 = AtomicU64::new(0);

/// Python calls it in each forked child (`os.register_at_fork`). What was opened before is not mapped there.
#[pyfunction]
pub(crate) fn forked() {
    // Relaxed, here and below: the child has one thread yet, and a thread's start orders what came before it.
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// A value that calls from Python use one at a time. A second thread gets an exception; it does not wait.
pub(crate) struct Exclusive<T> {
    what: &'static str,
    value: Mutex<Option<T>>,
    /// Whether it was closed, maybe while another thread was using it: that thread then ends it.
    closing: AtomicBool,
    forks: u64,
}

impl<T> Exclusive<T> {
    /// `what` names it in exceptions.
    pub(crate) fn new(what: &'static str, value: T) -> Self {
        let (value, closing) = (Mutex::new(Some(value)), AtomicBool::new(false));
        Exclusive { what, value, closing, forks: FORKS.load(Ordering::Relaxed) }
    }

    /// The value, for one call.
    pub(crate) fn enter(&self, py: Python<'_>) -> PyResult<Held<'_, T>> {
        let what = self.what;
        if self.forks != FORKS.load(Ordering::Relaxed) {
            let text = format!(
                "this {what} was opened before a fork, and its memory is not mapped here: open another one in the child"
            );
            return Err(errors::plain(py, "Forked", &text));
        }
        let guard = match self.value.try_lock() {
            Ok(guard) => guard,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                let text = format!("another thread is in a call of this {what}: give each thread one of its own");
                return Err(errors::plain(py, "Busy", &text));
            }
        };
        if guard.is_none() || self.is_closing() {
            return Err(self.closed(py));
        }
        Ok(Held { guard, closing: &self.closing })
    }

    /// The exception of a use after the end.
    pub(crate) fn closed(&self, py: Python<'_>) -> PyErr {
        errors::plain(py, "HandleClosed", &format!("this {} is closed", self.what))
    }

    pub(crate) fn is_closing(&self) -> bool {
        // Relaxed: whoever sees it late takes the lock, which orders what counts.
        self.closing.load(Ordering::Relaxed)
    }

    /// Ends it: takes the value. If another thread is using it, that thread drops it when its call returns, and `None` comes
    /// back here.
    pub(crate) fn close(&self) -> Option<T> {
        self.closing.store(true, Ordering::Relaxed);
        match self.value.try_lock() {
            Ok(mut guard) => guard.take(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().take(),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Takes the value to end it in another way, unless another thread is using it.
    pub(crate) fn take(&self, py: Python<'_>) -> PyResult<T> {
        let mut held = self.enter(py)?;
        let value = held.guard.take();
        self.closing.store(true, Ordering::Relaxed);
        value.ok_or_else(|| self.closed(py))
    }
}

/// The value while a call uses it.
pub(crate) struct Held<'a, T> {
    guard: MutexGuard<'a, Option<T>>,
    closing: &'a AtomicBool,
}

impl<T> Deref for Held<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.guard.as_ref().expect("enter looked")
    }
}

impl<T> DerefMut for Held<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.guard.as_mut().expect("enter looked")
    }
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        if self.closing.load(Ordering::Relaxed) {
            *self.guard = None;
        }
    }
}
