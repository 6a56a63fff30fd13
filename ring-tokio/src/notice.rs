//! Waiting for the notifier's descriptor, within the runtime.
#![allow(unsafe_code)] // a descriptor registered with tokio

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use feed_ring::Notifier;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use crate::source::Source;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// A message or an event.
    Anything,
    /// A publisher, or an event.
    Publisher,
}

/// A subscriber's notifier, made when the subscriber waits for the first time, and registered with the runtime.
#[derive(Debug, Default)]
pub(crate) struct Notice {
    registered: Option<AsyncFd<Registered>>,
    /// What the notifier was armed for and has not reported yet.
    armed: Option<Awaited>,
}

/// A notifier by its descriptor's number.
#[derive(Debug)]
struct Registered(Notifier);

impl AsRawFd for Registered {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Notice {
    /// Waits until the notifier reports what is awaited. It may report it when there is nothing, so the caller looks
    /// again. Cancelling a wait leaves the notifier armed, and the next wait goes on with it.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &impl Source,
        awaited: Awaited,
    ) -> Poll<io::Result<()>> {
        let registered = match &self.registered {
            Some(registered) => registered,
            None => self.registered.insert(register(source.notifier()?)?),
        };
        let Registered(notifier) = registered.get_ref();
        if self.armed != Some(awaited) {
            match awaited {
                Awaited::Anything => source.arm(notifier),
                Awaited::Publisher => source.arm_for_publisher(notifier),
            }
            self.armed = Some(awaited);
        }
        match ready!(registered.poll_read_ready(cx)) {
            Ok(mut readable) => {
                // In this order: what comes in between makes it readable again.
                notifier.clear();
                readable.clear_ready();
                self.armed = None;
                Poll::Ready(Ok(()))
            }
            // The runtime is shutting down. Another one may wait for the same subscriber.
            Err(error) => {
                *self = Self::default();
                Poll::Ready(Err(error))
            }
        }
    }

    /// The caller was told something, so the notifier has to wait for something else.
    pub(crate) fn caller_was_told(&mut self) {
        self.armed = None;
    }
}

/// Registers the descriptor with the runtime of this thread.
fn register(notifier: Notifier) -> io::Result<AsyncFd<Registered>> {
    // SAFETY: the notifier has its descriptor open until it is dropped, always the same one, and nothing replaces the
    // notifier in there.
    let registered = unsafe { AsyncFd::register_with_interest(Registered(notifier), Interest::READABLE) };
    registered.map_err(io::Error::from)
}
