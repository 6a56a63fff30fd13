//! Following a ring of one name within the runtime.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use feed_ring::follow::{Event, Follow, FollowNotifier, Followed, Next};
use feed_ring::keyed::Holds;
use feed_ring::records::Record;
use feed_ring::{KeyedSubscriber, Payload, Received, RecordSubscriber, Subscriber, raw};
use futures_core::stream::{FusedStream, Stream};
use tokio::task::coop::poll_proceed;

use crate::error::Error;
use crate::notice::Notice;
use crate::records::OwnedRecord;

/// Follows the ring of one name, whatever happens to it: [`feed_ring::follow`] within a tokio runtime.
///
/// It is a [`Stream`] of `Result<Item, Error>`, which ends as a [`Follow`] does: after the last event, or after an error. Cancel-safe:
/// a future that is dropped before it is ready has received nothing. Each item takes one unit of the task's
/// [budget](tokio::task::coop). Its threads are those of the present ring's [`AsyncSubscriber`](crate::AsyncSubscriber), from the
/// first wait for that ring on.
///
/// Without a ring or a publisher it wakes up every 2 ms, and after 10 s every 20 ms, to look for one: see [`FollowNotifier`].
///
/// ```no_run
/// // Cargo.toml: tokio = { version = "1", features = ["macros", "net", "rt"] }
/// use feed_ring::Subscriber;
/// use feed_ring_tokio::{AsyncFollow, Item};
///
/// #[tokio::main(flavor = "current_thread")]
/// async fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let mut numbers = AsyncFollow::new(Subscriber::<u64>::options("numbers").follow());
///     while let Some(item) = numbers.next().await {
///         match item? {
///             Item::Message(received) => println!("{} of epoch {}: {}", received.number, received.epoch, received.message),
///             Item::Event(event) => eprintln!("{event}"), // after most, state that came from messages has to be rebuilt
///         }
///     }
///     println!("{:?}", numbers.get_ref().overall());
///     Ok(())
/// }
/// ```
///
/// # Panics
/// It panics if it has to wait outside a tokio runtime, or in one that was built without
/// [`enable_io`](tokio::runtime::Builder::enable_io).
#[derive(Debug)]
pub struct AsyncFollow<S> {
    follow: Follow<S>,
    notice: Notice<FollowNotifier>,
    ended: bool,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item<M> {
    /// A message, with its number in its ring and its epoch.
    Message(Received<M>),
    /// Something that happened to the ring.
    Event(Event),
}

/// A subscriber with which a ring can be followed within tokio: every one that [`Followed`] has.
pub trait Follows: Followed {
    /// A message on its own: `T`, the bytes of a [`raw::Subscriber`] as a `Vec<u8>`, or an [`OwnedRecord`].
    type Owned;

    #[doc(hidden)]
    fn own(message: Self::Message<'_>) -> Self::Owned;
}

impl<S: Follows> AsyncFollow<S> {
    /// Wraps what follows. Opens nothing, and starts nothing.
    pub fn new(follow: Follow<S>) -> Self {
        AsyncFollow { follow, notice: Notice::new(), ended: false }
    }

    /// Waits for what comes next. `None` is the end.
    ///
    /// # Errors
    /// [`Error::Follow`], after which there is only `None`. [`Error::Wait`] if it cannot wait: the next call tries again.
    pub async fn next(&mut self) -> Option<Result<Item<S::Owned>, Error>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// What follows: its account, the subscriber of the present ring.
    pub fn get_ref(&self) -> &Follow<S> {
        &self.follow
    }

    /// The same, without the runtime. The thread of its notifier ends.
    pub fn into_inner(self) -> Follow<S> {
        self.follow
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Item<S::Owned>, Error>>> {
        loop {
            let budget = ready!(poll_proceed(cx));
            let found = match self.follow.try_next() {
                Ok(Next::Message(received)) => Ok(Some(Item::Message(received.map(S::own)))),
                Ok(Next::Event(event)) => Ok(Some(Item::Event(event))),
                Ok(Next::Empty) => Ok(None),
                Ok(Next::End) => {
                    self.ended = true;
                    return Poll::Ready(None);
                }
                Err(error) => Err(Error::Follow(error)),
            };
            let item = match found {
                Ok(Some(item)) => Ok(item),
                Ok(None) => {
                    // Armed anew each time: what it waits for may have changed although nothing was told.
                    let AsyncFollow { follow, notice, .. } = self;
                    let woken = ready!(notice.poll(cx, || follow.notifier(), |notifier| notifier.arm(follow)));
                    budget.made_progress();
                    match woken {
                        Ok(()) => continue,
                        Err(error) => return Poll::Ready(Some(Err(Error::Wait(error)))),
                    }
                }
                Err(error) => Err(error),
            };
            budget.made_progress();
            return Poll::Ready(Some(item));
        }
    }
}

impl<S: Follows> Stream for AsyncFollow<S> {
    type Item = Result<Item<S::Owned>, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(cx)
    }
}

impl<S: Follows> FusedStream for AsyncFollow<S> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// Nothing in it is pinned.
impl<S> Unpin for AsyncFollow<S> {}

impl<T: Payload> Follows for Subscriber<T> {
    type Owned = T;

    #[inline]
    fn own(message: T) -> T {
        message
    }
}

impl<K: Payload, V: Holds<T>, T: Payload> Follows for KeyedSubscriber<K, V, T> {
    type Owned = T;

    #[inline]
    fn own(message: T) -> T {
        message
    }
}

impl Follows for raw::Subscriber {
    type Owned = Vec<u8>;

    fn own(message: &[u8]) -> Vec<u8> {
        message.to_vec()
    }
}

impl Follows for RecordSubscriber {
    type Owned = OwnedRecord;

    fn own(Record { number, kind, bytes }: Record<'_>) -> OwnedRecord {
        OwnedRecord { number, kind, bytes: bytes.to_vec() }
    }
}
