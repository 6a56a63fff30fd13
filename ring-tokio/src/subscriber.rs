//! The subscriber whose receives are futures, and which is a stream.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use feed_ring::{Notifier, TryRecvError};
use futures_core::stream::{FusedStream, Stream};
use tokio::task::coop::poll_proceed;

use crate::error::Error;
use crate::notice::Notice;
use crate::source::Source;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    /// A message or an event.
    Anything,
    /// A publisher, or an event.
    Publisher,
}

/// A [subscriber](Source) of the core crate within a tokio runtime: see the [crate](crate).
///
/// It is a [`Stream`] of `Result<message, Error>`. Losses, restarts and the publisher's death are items, and the stream goes on
/// after them:
///
/// | item | what the stream does next |
/// |---|---|
/// | a message, `Lagged`, `Restarted`, `RestartsUnknown` | the next message or event |
/// | `PublisherDead` | says so once, then waits for another publisher; for ever, if none comes |
/// | `Closed` | ends. A ring that is kept may be taken over: after [`wait_for_publisher`](Self::wait_for_publisher) the stream goes on |
/// | `Superseded` | ends: open the name again |
/// | `CutShort`, `Corrupt` | ends: nothing can follow |
/// | [`Error::Wait`] | ends. After [`recv`](Self::recv) or [`wait_for_publisher`](Self::wait_for_publisher) it goes on |
///
/// Every future of it is **cancel-safe**: dropped before it is ready, it has received nothing, and the next call goes on.
///
/// Dropping it ends its threads and waits for that, some microseconds.
///
/// # Panics
/// Its futures and its stream panic if they have to wait outside a tokio runtime, or in one that was built without
/// [`enable_io`](tokio::runtime::Builder::enable_io).
#[derive(Debug)]
pub struct AsyncSubscriber<S> {
    source: S,
    buffer: Vec<u8>,
    notice: Notice<Notifier>,
    /// What the notifier was armed for and has not reported yet.
    armed: Option<Awaited>,
    /// Whether the publisher's death was the last thing that the caller was told.
    told_death: bool,
    /// Whether the stream ended.
    ended: bool,
}

impl<S: Source> AsyncSubscriber<S> {
    /// Wraps a subscriber. Starts nothing: a subscriber that never has to wait needs neither a thread nor a descriptor.
    pub fn new(subscriber: S) -> Self {
        let buffer = subscriber.buffer();
        AsyncSubscriber {
            source: subscriber,
            buffer,
            notice: Notice::new(),
            armed: None,
            told_death: false,
            ended: false,
        }
    }

    /// Waits for the next message and receives it. A message that is there is received without a system call.
    ///
    /// # Errors
    /// [`Error::Ring`] is an event, after which to receive again, except after `CutShort` and `Corrupt`. After `Closed`,
    /// `PublisherDead` and `Superseded` the next call returns the same at once: see
    /// [`wait_for_publisher`](Self::wait_for_publisher). [`Error::Wait`] if it cannot wait.
    #[inline]
    pub async fn recv(&mut self) -> Result<S::Message<'_>, Error> {
        let taken = poll_fn(|cx| self.poll_take(cx)).await?;
        Ok(S::lend(taken, &self.buffer))
    }

    /// Receives the next message, if there is one. Needs no runtime, and takes nothing of the task's budget.
    ///
    /// # Errors
    /// [`TryRecvError`]; `Empty` if there is no message yet.
    #[inline]
    pub fn try_recv(&mut self) -> Result<S::Message<'_>, TryRecvError> {
        let result = self.source.take(&mut self.buffer);
        self.told(result.as_ref().err());
        result.map(|taken| S::lend(taken, &self.buffer))
    }

    /// Waits for a message, then receives as many as there are and fit into `batch`. Returns how many: at least one, or 0 if
    /// `batch` has no room. What is in `batch` after these has no meaning. Whatever their number, they take one of the 128
    /// units of the task's budget.
    ///
    /// # Errors
    /// As [`recv`](Self::recv), if there was no message at all. An event that ends a batch is returned by the next call.
    ///
    /// # Panics
    /// Of a [`raw::Subscriber`](feed_ring::raw::Subscriber): if the length of `batch` is not a multiple of the format's size.
    pub async fn recv_batch(&mut self, batch: &mut S::Batch) -> Result<usize, Error> {
        poll_fn(|cx| self.poll_with(cx, |source, _| source.take_batch(batch))).await
    }

    /// Waits until a publisher takes the ring over, or there is another event to receive. Call it after `PublisherDead`, or
    /// after `Closed` where closed rings are kept. Some rings never come back: a ring that was closed and removed, and a sealed
    /// ring. For these, set a timeout, and then open the name again.
    ///
    /// # Errors
    /// If the descriptor or its thread cannot be made, or the runtime is shutting down.
    pub async fn wait_for_publisher(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.poll_publisher(cx)).await
    }

    /// The wrapped subscriber: its position, its account, whether its publisher lives.
    pub fn get_ref(&self) -> &S {
        &self.source
    }

    /// The wrapped subscriber. The thread of its notifier ends.
    pub fn into_inner(self) -> S {
        self.source
    }

    #[inline]
    fn poll_take(&mut self, cx: &mut Context<'_>) -> Poll<Result<S::Taken, Error>> {
        self.poll_with(cx, |source, buffer| source.take(buffer))
    }

    /// Receives by `receive`, or waits until it is worth trying again. Nothing was received unless it is returned.
    #[inline]
    fn poll_with<R>(
        &mut self,
        cx: &mut Context<'_>,
        mut receive: impl FnMut(&mut S, &mut Vec<u8>) -> Result<R, TryRecvError>,
    ) -> Poll<Result<R, Error>> {
        loop {
            let budget = ready!(poll_proceed(cx));
            let result = receive(&mut self.source, &mut self.buffer);
            self.told(result.as_ref().err());
            if let Err(TryRecvError::Empty) = result {
                ready!(self.poll_notice(cx, Awaited::Anything)).map_err(Error::Wait)?;
                budget.made_progress();
                continue;
            }
            budget.made_progress();
            return Poll::Ready(result.map_err(Error::Ring));
        }
    }

    fn poll_publisher(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let budget = ready!(poll_proceed(cx));
            if self.source.publisher_wait_is_over() {
                budget.made_progress();
                self.told_death = false;
                self.ended = false;
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_notice(cx, Awaited::Publisher))?;
            budget.made_progress();
        }
    }

    /// Waits until the notifier reports what is awaited. A wait that was dropped left it armed, and the next goes on with it.
    fn poll_notice(&mut self, cx: &mut Context<'_>, awaited: Awaited) -> Poll<io::Result<()>> {
        let AsyncSubscriber { source, notice, armed, .. } = self;
        let arm = |notifier: &mut Notifier| {
            if *armed != Some(awaited) {
                match awaited {
                    Awaited::Anything => source.arm(notifier),
                    Awaited::Publisher => source.arm_for_publisher(notifier),
                }
                *armed = Some(awaited);
            }
            Ok(())
        };
        let result = ready!(notice.poll(cx, || source.notifier(), arm));
        self.armed = None;
        Poll::Ready(result)
    }

    /// Notes what the caller is told, if it is anything.
    #[inline]
    fn told(&mut self, error: Option<&TryRecvError>) {
        if error != Some(&TryRecvError::Empty) {
            self.armed = None;
            self.told_death = error == Some(&TryRecvError::PublisherDead);
        }
    }
}

impl<S: Source> Stream for AsyncSubscriber<S> {
    type Item = Result<S::Owned, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.ended {
            return Poll::Ready(None);
        }
        // Its death was an item. Without waiting for another publisher, it would be the next item too.
        let waited = if this.told_death { ready!(this.poll_publisher(cx)).map_err(Error::Wait) } else { Ok(()) };
        let taken = match waited {
            Ok(()) => ready!(this.poll_take(cx)),
            Err(error) => Err(error),
        };
        this.ended = match &taken {
            Ok(_) => false,
            Err(Error::Ring(event)) => !matches!(
                event,
                TryRecvError::Lagged { .. }
                    | TryRecvError::Restarted { .. }
                    | TryRecvError::RestartsUnknown { .. }
                    | TryRecvError::PublisherDead
            ),
            Err(_) => true,
        };
        Poll::Ready(Some(taken.map(|taken| S::own(taken, &this.buffer))))
    }
}

impl<S: Source> FusedStream for AsyncSubscriber<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// Nothing in it is pinned.
impl<S> Unpin for AsyncSubscriber<S> {}
