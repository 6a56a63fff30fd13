//! A file descriptor that becomes readable when a subscriber has something to receive, for programs built around `epoll`
//! and its like. The publisher knows nothing of it: a thread of the subscriber's own sleeps on the ring and writes to it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use crate::layout::{Layout, state};
use crate::memory::Slots;
use crate::presence::Liveness;
use crate::slot;
use crate::sync::{Word, on};
use crate::wait::{Interrupter, Sleeper};

/// An event descriptor for one subscriber: [`Subscriber::notifier`](crate::Subscriber::notifier).
///
/// It becomes readable once for each [`arm`](Self::arm): as soon as the armed sequence can be received, or there is anything
/// else to be told (a loss, the ring's end, a restart, the publisher's death). Receive until
/// [`Empty`](crate::TryRecvError::Empty), then arm it again.
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
    armed: Option<Sender<Armed>>,
    interrupter: Interrupter,
    thread: Option<JoinHandle<()>>,
}

/// What a subscriber has seen when it arms.
struct Armed {
    sequence: u64,
    epoch: u64,
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
        let (armed, arming) = channel();
        let thread = std::thread::Builder::new()
            .name("feed-ring notify".to_owned())
            .spawn(move || watch(watched, &arming, &written))?;
        Ok(Notifier { event, armed: Some(armed), interrupter, thread: Some(thread) })
    }

    /// Lets the descriptor become readable when `subscriber`, which is the one that this notifier was made by, has
    /// something to receive. To be called after it has said [`Empty`](crate::TryRecvError::Empty).
    pub fn arm<T: crate::Payload>(&self, subscriber: &crate::Subscriber<T>) {
        if let Some(armed) = &self.armed {
            // The thread lives as long as the sender.
            let _ = armed.send(Armed { sequence: subscriber.sequence(), epoch: subscriber.epoch() });
        }
    }

    /// Makes the descriptor unreadable until it is armed again and there is something.
    pub fn clear(&self) {
        // Nothing in it is as good as emptied.
        let _ = rustix::io::read(&self.event, &mut [0u8; 8]);
    }
}

/// Waits to be armed, then for what the subscriber waits for, and says so; until the notifier is dropped.
fn watch<T>(mut watched: Watched<T>, arming: &Receiver<Armed>, event: &OwnedFd) {
    while let Ok(armed) = arming.recv() {
        let Watched { slots, layout, liveness, sleeper } = &mut watched;
        let (slot, mask) = (slots.at(armed.sequence), slots.capacity() - 1);
        let something = || {
            // N1 to N4. All that a receive could have to say, as B6 to B8 and L5.
            slot::is_there(slot, armed.sequence, mask) && on("N1")
                || slots.memory()[layout.state()].load() != state::LIVE && on("N2")
                || slots.memory()[layout.epoch()].load() != armed.epoch && on("N3")
                || armed.sequence < layout.base && on("N4")
        };
        while !something() && !sleeper.sleep(liveness, None, something) {
            if sleeper.was_interrupted() && matches!(arming.try_recv(), Err(TryRecvError::Disconnected)) {
                return;
            }
        }
        let _ = rustix::io::write(event, &1u64.to_ne_bytes());
    }
}

impl AsFd for Notifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.armed = None;
        self.interrupter.interrupt();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Notifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Notifier").field("event", &self.event).finish_non_exhaustive()
    }
}
