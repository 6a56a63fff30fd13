//! The two halves of a channel within one process, each taken once by the thread that uses it.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;

/// Both halves, until each side has taken its own.
pub(super) struct Halves<S, R> {
    sender: Mutex<Option<S>>,
    receiver: Mutex<Option<R>>,
}

impl<S, R> Halves<S, R> {
    /// Both halves of a new channel.
    pub(super) fn new(sender: S, receiver: R) -> Self {
        Self { sender: Mutex::new(Some(sender)), receiver: Mutex::new(Some(receiver)) }
    }

    /// The sending half.
    pub(super) fn sender(&self) -> anyhow::Result<S> {
        take(&self.sender)
    }

    /// The receiving half.
    pub(super) fn receiver(&self) -> anyhow::Result<R> {
        take(&self.receiver)
    }
}

fn take<T>(half: &Mutex<Option<T>>) -> anyhow::Result<T> {
    half.lock().unwrap_or_else(PoisonError::into_inner).take().context("this half of the channel is taken already")
}
