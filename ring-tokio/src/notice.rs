//! Waiting for a notifier's descriptor, within the runtime.
#![allow(unsafe_code)] // a descriptor registered with tokio

use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use feed_ring::Notifier;
use feed_ring::follow::FollowNotifier;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A notifier, made when it is needed for the first time, and registered with the runtime.
#[derive(Debug)]
pub(crate) struct Notice<N: AsFd>(Option<AsyncFd<Registered<N>>>);

/// A descriptor that becomes readable once after it was armed.
pub(crate) trait Wakes: AsFd {
    /// Makes it unreadable.
    fn clear(&self);
}

impl Wakes for Notifier {
    fn clear(&self) {
        Notifier::clear(self);
    }
}

impl Wakes for FollowNotifier {
    fn clear(&self) {
        FollowNotifier::clear(self);
    }
}

/// A notifier by its descriptor's number.
#[derive(Debug)]
struct Registered<N>(N);

impl<N: AsFd> AsRawFd for Registered<N> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl<N: Wakes> Notice<N> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Notice(None)
    }

    /// Arms the notifier by `arm`, and waits until it is readable. It may be so when there is nothing, so the caller looks
    /// again. `make` makes the notifier if there is none.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        make: impl FnOnce() -> io::Result<N>,
        arm: impl FnOnce(&mut N) -> io::Result<()>,
    ) -> Poll<io::Result<()>> {
        let registered = match &mut self.0 {
            Some(registered) => registered,
            None => self.0.insert(register(make()?)?),
        };
        arm(&mut registered.get_mut().0)?;
        match ready!(registered.poll_read_ready(cx)) {
            Ok(mut readable) => {
                // In this order: what comes in between makes it readable again.
                registered.get_ref().0.clear();
                readable.clear_ready();
                Poll::Ready(Ok(()))
            }
            // The runtime is shutting down. Another one may wait for the same ring.
            Err(error) => {
                self.0 = None;
                Poll::Ready(Err(error))
            }
        }
    }
}

/// Registers the descriptor with the runtime of this thread.
fn register<N: AsFd>(notifier: N) -> io::Result<AsyncFd<Registered<N>>> {
    // SAFETY: the notifier has its descriptor open until it is dropped, always the same one, and nothing replaces the
    // notifier in there.
    let registered = unsafe { AsyncFd::register_with_interest(Registered(notifier), Interest::READABLE) };
    registered.map_err(io::Error::from)
}
