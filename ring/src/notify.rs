//! A file descriptor that becomes readable when a subscriber has something to receive, for programs built around `epoll`
//! and its like. The publisher knows nothing of it: a thread of the subscriber's own sleeps on the ring and writes to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use crate::absence::Absence;
use crate::layout::{Layout, state};
use crate::memory::Slots;
use crate::presence::{Liveness, Maker};
use crate::slot;
use crate::sync::{Word, on};
use crate::wait::{Interrupter, Sleeper, Until};

/// An event descriptor for one subscriber: [`Subscriber::notifier`](crate::Subscriber::notifier).
///
/// It becomes readable once after an [`arm`](Self::arm): as soon as the armed sequence can be received, or there is anything
/// else to be told (a loss, the ring's end, a restart, the publisher's death). Receive until
/// [`Empty`](crate::TryRecvError::Empty), then arm it again. It waits for one thing at a time: armed again before it became
/// readable, it waits for the newer.
///
/// After `Closed`, `PublisherDead` or `Superseded` there is always something to be told, so that `arm` makes it readable
/// at once, again and again: arm it with [`arm_for_publisher`](Self::arm_for_publisher) instead, or drop it.
///
/// ```
/// use std::os::fd::AsFd;
///
/// use feed_ring::{Join, TryRecvError, in_process};
/// use rustix::event::{PollFd, PollFlags, poll};
///
/// let (mut publisher, ring) = in_process::<u64>(64)?;
/// let mut subscriber = ring.subscribe(Join::Oldest);
/// let notifier = subscriber.notifier()?;
/// notifier.arm(&subscriber);
/// publisher.publish(&42);
/// poll(&mut [PollFd::new(&notifier, PollFlags::IN)], None)?; // among whatever else the program waits for
/// notifier.clear();
/// assert_eq!(subscriber.try_recv(), Ok(42));
/// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty)); // only now is it armed again
/// notifier.arm(&subscriber);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Notifier {
    event: OwnedFd,
    shared: Arc<Shared>,
    interrupter: Interrupter,
    thread: Option<JoinHandle<()>>,
    maker: Maker,
}

/// What a subscriber and its notifier's thread tell each other.
#[derive(Default)]
struct Shared {
    orders: Mutex<Orders>,
    changed: Condvar,
}

#[derive(Default)]
struct Orders {
    /// The last that was asked for, until the thread has taken it up.
    armed: Option<Armed>,
    /// Whether the thread sleeps on the ring, so that it has to be called back from there.
    busy: bool,
    over: bool,
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What there is to wait for.
#[derive(Clone, Copy)]
enum Armed {
    /// This message, or whatever else a subscriber is told that has seen so much.
    Message { sequence: u64, epoch: u64 },
    /// A publisher.
    Publisher(Absence),
}

/// What the thread looks at.
pub(crate) struct Watched<T> {
    pub(crate) slots: Slots<Word, T>,
    pub(crate) layout: Layout,
    pub(crate) liveness: Liveness,
    pub(crate) sleeper: Sleeper,
}

impl Notifier {
    pub(crate) fn start<T: 'static>(watched: Watched<T>) -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let written = event.try_clone()?;
        let interrupter = watched.sleeper.interrupter();
        let shared = Arc::<Shared>::default();
        let ordered = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("feed-ring notify".to_owned())
            .spawn(move || watch(watched, &ordered, &written))?;
        Ok(Notifier { event, shared, interrupter, thread: Some(thread), maker: Maker::this() })
    }

    /// Lets the descriptor become readable when `subscriber`, which is the one that this notifier was made by, has
    /// something to receive. To be called after it has said [`Empty`](crate::TryRecvError::Empty). It also writes down for
    /// tools how far the subscriber is.
    pub fn arm<T: crate::Payload>(&self, subscriber: &crate::Subscriber<T>) {
        subscriber.tell_tools();
        self.order(|orders| {
            orders.armed = Some(Armed::Message { sequence: subscriber.sequence(), epoch: subscriber.epoch() });
        });
    }

    /// Lets the descriptor become readable when a publisher takes the ring over, or there is something else that is new to
    /// `subscriber`: what [`wait_for_publisher`](crate::Subscriber::wait_for_publisher) waits for. To be called after it
    /// has said [`PublisherDead`](crate::TryRecvError::PublisherDead) or [`Closed`](crate::TryRecvError::Closed).
    pub fn arm_for_publisher<T: crate::Payload>(&self, subscriber: &crate::Subscriber<T>) {
        subscriber.tell_tools();
        self.order(|orders| orders.armed = Some(Armed::Publisher(subscriber.absence())));
    }

    /// Has the thread do something else than it does.
    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = self.shared.orders();
        change(&mut orders);
        if orders.busy {
            self.interrupter.interrupt();
        }
        drop(orders);
        self.shared.changed.notify_one();
    }

    /// Makes the descriptor unreadable until it is armed again and there is something.
    pub fn clear(&self) {
        // Nothing in it is as good as emptied.
        let _ = rustix::io::read(&self.event, &mut [0u8; 8]);
    }
}

/// Waits to be armed, then for what the subscriber waits for, and says so; until the notifier is dropped.
fn watch<T>(mut watched: Watched<T>, shared: &Shared, event: &OwnedFd) {
    let mut orders = shared.orders();
    while !orders.over {
        match orders.armed.take() {
            None => orders = shared.changed.wait(orders).unwrap_or_else(PoisonError::into_inner),
            Some(armed) => {
                orders.busy = true;
                drop(orders);
                let came = watched.await_once(armed);
                orders = shared.orders();
                orders.busy = false;
                // Called back, so there is something newer to wait for, or nothing; or else it goes on with this.
                if came {
                    let _ = rustix::io::write(event, &1u64.to_ne_bytes());
                } else if orders.armed.is_none() {
                    orders.armed = Some(armed);
                }
            }
        }
    }
}

impl<T> Watched<T> {
    /// Waits until it is there, or this thread is called back; returns whether it is there.
    fn await_once(&mut self, armed: Armed) -> bool {
        let Watched { slots, layout, liveness, sleeper } = self;
        let until = Until { deadline: None, interruptible: true };
        match armed {
            Armed::Message { sequence, epoch } => {
                let (slot, mask) = (slots.at(sequence), slots.capacity() - 1);
                let something = || {
                    // N1 to N4. All that a receive could have to say, as B6 to B8 and L5.
                    slot::is_there(slot, sequence, mask) && on("N1")
                        || slots.memory()[layout.state()].load() != state::LIVE && on("N2")
                        || slots.memory()[layout.epoch()].load() != epoch && on("N3")
                        || sequence < layout.base && on("N4")
                };
                while !something() && !sleeper.sleep(liveness, until, something) {
                    if sleeper.was_interrupted() {
                        return false;
                    }
                }
            }
            Armed::Publisher(absence) => {
                while !absence.is_over(slots, layout, liveness) {
                    sleeper.sleep_on_event(until, || absence.is_over(slots, layout, liveness));
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
        let Some(thread) = self.thread.take() else { return };
        if !self.maker.is_this() {
            return std::mem::forget(thread); // the thread is not in this process
        }
        self.order(|orders| orders.over = true);
        let _ = thread.join();
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("event", &self.event).finish_non_exhaustive()
    }
}
