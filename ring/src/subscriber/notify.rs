//! The notifier: a file descriptor that becomes readable when a subscriber has something to receive, for programs built
//! around `epoll` and the like. The publisher does not know of it: a thread of the subscriber sleeps on the ring and
//! writes to the descriptor.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::event::{EventfdFlags, eventfd};

use crate::memory::OwnThread;
use crate::presence::liveness::Liveness;
use crate::protocol::pending::Told;
use crate::protocol::view::View;
use crate::protocol::wait::{Interrupter, Sleeper, Until};
use crate::sync::spawn;

/// An event descriptor for one subscriber: [`Subscriber::notifier`](crate::Subscriber::notifier).
///
/// It becomes readable once after each [`arm`](Self::arm): as soon as the awaited message can be received, or there is
/// an event (a loss, the ring's end, a restart, the publisher's death). Receive until
/// [`Empty`](crate::TryRecvError::Empty), then arm it again. It waits for one thing at a time: if it is armed again
/// before it became readable, it waits only for the newer one.
///
/// After `Closed`, `PublisherDead` or `Superseded` the subscriber has the same event to return again at once, so `arm`
/// makes the descriptor readable at once, every time. Use [`arm_for_publisher`](Self::arm_for_publisher) instead, or
/// drop the notifier.
///
/// ```
/// // Cargo.toml: rustix = { version = "1", features = ["event"] }
/// use feed_ring::{Join, TryRecvError, in_process};
/// use rustix::event::{PollFd, PollFlags, poll};
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let (mut publisher, ring) = in_process::<u64>(64)?;
///     let mut subscriber = ring.subscribe(Join::Oldest);
///     let notifier = subscriber.notifier()?;
///     notifier.arm(&subscriber);
///     publisher.publish(&42);
///     poll(&mut [PollFd::new(&notifier, PollFlags::IN)], None)?; // together with whatever else the program waits for
///     notifier.clear();
///     assert_eq!(subscriber.try_recv(), Ok(42));
///     assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty)); // only now arm it again
///     notifier.arm(&subscriber);
///     Ok(())
/// }
/// ```
///
/// A whole program is `ring/examples/event_loop.rs`.
pub struct Notifier {
    event: OwnedFd,
    shared: Arc<Shared>,
    interrupter: Interrupter,
    thread: OwnThread,
}

/// What the notifier and its thread share.
#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    /// The newest request that the thread has not taken yet.
    armed: Option<Armed>,
    /// Whether the thread is waiting on the ring and must be interrupted to see a new request.
    waiting: bool,
    stop: bool,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the thread new orders.
    fn order(&self, interrupter: &Interrupter, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.orders();
        change(&mut orders);
        if orders.waiting {
            interrupter.interrupt();
        }
        drop(orders);
        self.changed.notify_one();
    }
}

/// What to wait for.
#[derive(Clone, Copy)]
pub(super) enum Armed {
    /// Anything that the subscriber's caller was not told.
    Anything(Told),
    /// A publisher, or anything else that the caller was not told.
    Publisher(Told),
}

/// What the thread reads.
pub(super) struct Watched {
    pub(super) view: View,
    pub(super) liveness: Liveness,
    pub(super) sleeper: Sleeper,
}

impl Notifier {
    pub(super) fn start(watched: Watched) -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let written = event.try_clone()?;
        let interrupter = watched.sleeper.interrupter();
        let shared = Arc::<Shared>::default();
        let ordered = Arc::clone(&shared);
        let thread = spawn("feed-ring notify", move || run(watched, &ordered, &written))?;
        Ok(Notifier { event, shared, interrupter, thread: OwnThread::new(thread) })
    }

    /// Makes the descriptor readable once what `armed` describes is there.
    pub(super) fn arm_for(&self, armed: Armed) {
        self.shared.order(&self.interrupter, |orders| orders.armed = Some(armed));
    }

    /// Makes the descriptor unreadable. It becomes readable again after the next arm.
    pub fn clear(&self) {
        // An error means that it was already empty.
        let _ = rustix::io::read(&self.event, &mut [0u8; 8]);
    }
}

/// The thread: waits to be armed, then waits on the ring, then writes to the descriptor. Ends when the notifier is
/// dropped.
fn run(mut watched: Watched, shared: &Shared, event: &OwnedFd) {
    let mut orders = shared.orders();
    while !orders.stop {
        match orders.armed.take() {
            None => orders = shared.changed.wait(orders).unwrap_or_else(PoisonError::into_inner),
            Some(armed) => {
                orders.waiting = true;
                drop(orders);
                let came = watched.wait_for(armed);
                orders = shared.orders();
                orders.waiting = false;
                // Interrupted. If no newer order arrived, wait for the same one again.
                if came {
                    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
                } else if orders.armed.is_none() {
                    orders.armed = Some(armed);
                }
            }
        }
    }
}

impl Watched {
    /// Waits until what `armed` describes is there: true. False if the thread is interrupted.
    fn wait_for(&mut self, armed: Armed) -> bool {
        let Watched { view, liveness, sleeper } = self;
        let until = Until { deadline: None, interruptible: true };
        match armed {
            Armed::Anything(told) => {
                let outdated = || told.is_outdated(view);
                while !outdated() && !sleeper.sleep(liveness, until, outdated) {
                    if sleeper.was_interrupted() {
                        return false;
                    }
                }
            }
            Armed::Publisher(told) => {
                let is_over = || told.publisher_wait_is_over(view, liveness);
                while !is_over() {
                    sleeper.sleep_on_event(until, is_over);
                    if sleeper.was_interrupted() {
                        return false;
                    }
                }
            }
        }
        true
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        let Notifier { shared, interrupter, thread, .. } = self;
        thread.end(|| shared.order(interrupter, |orders| orders.stop = true));
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("event", &self.event).finish_non_exhaustive()
    }
}
