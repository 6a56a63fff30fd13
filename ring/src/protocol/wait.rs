//! How a subscriber waits for the next message: it spins, yields, or sleeps until it is woken.
//!
//! A sleeper sets a flag in `control`, not a count, which a killed one would leave behind for ever. It sleeps on the event
//! word, which the publisher changes when it has seen the flag. Between setting the flag and looking at the slot once more
//! there must be a full barrier, as there must be in the publisher between publishing and looking at the flag: else each
//! could miss what the other did. `membarrier` lets the sleeper make both, so that a publisher whom nobody sleeps on pays
//! one load and nothing else.

use std::time::{Duration, Instant};

use super::watch::{DEAD, INTERRUPTED, NUDGED, OWN, UNWATCHED, VIGILANCE, Watched, Watcher};
use crate::format::layout::{Layout, wake as mode};
use crate::memory::{Memory, Pinned};
use crate::presence::liveness::Liveness;
use crate::sync::{
    Ordering, Word, WriteWord, barrier_on_all, compiler_fence, fence, on, register_for_barriers, sleep, wake,
};

/// How [`recv`](crate::Subscriber::recv) waits when there is nothing yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Polls without ever giving the processor away: the lowest latency, for a subscriber with a core to itself.
    #[default]
    Spin,
    /// Polls a little, then lets other threads run between polls.
    Yield,
    /// Polls a little, then sleeps until the publisher wakes it: for a subscriber that shares its core. On a ring on disk
    /// it starts a thread of its own that sleeps, too, and would notice the publisher's death.
    ///
    /// Where the kernel refuses something of that to this process (a filter of system calls, a limit on threads, an old
    /// kernel), it wakes up now and then to look for itself: for a death or an interruption every 20 ms without
    /// `futex_waitv` (Linux 5.16) or without the thread; for a message every 5 ms without `membarrier`, if the publisher
    /// counts on that ([`Wake::Membarrier`]).
    Block,
}

/// How a publisher finds out that a subscriber sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wake {
    /// It looks at a flag after each message, without a fence: a subscriber that goes to sleep makes the publisher's
    /// processor fence, with `membarrier`. That costs the subscriber one or two microseconds and interrupts the publisher
    /// for less, each time that somebody goes to sleep; nothing while nobody does. Where the kernel refuses, `Fence`.
    #[default]
    Membarrier,
    /// It fences after each message: a few nanoseconds each time, and nobody ever interrupts it.
    Fence,
}

/// The publisher's half: looks whether anybody sleeps, and wakes them.
pub(crate) struct Waker {
    event: Pinned<WriteWord>,
    sleepers: Pinned<WriteWord>,
    fence: bool,
}

impl Waker {
    /// Says in the header how it looks, and wakes whoever sleeps in a way that another publisher asked for.
    pub(crate) fn new(memory: &Memory<WriteWord>, layout: &Layout, sleepers: Pinned<WriteWord>, wanted: Wake) -> Self {
        let fence = wanted == Wake::Fence || !register_for_barriers();
        memory[layout.wake()].store(if fence { mode::FENCE } else { mode::MEMBARRIER });
        let waker = Waker { event: Pinned::new(memory, layout.event), sleepers, fence };
        waker.wake_all();
        waker
    }

    /// How it looks.
    pub(crate) fn mode(&self) -> Wake {
        if self.fence { Wake::Fence } else { Wake::Membarrier }
    }

    /// After each message.
    #[inline(always)]
    pub(crate) fn published(&self) {
        if self.fence {
            return self.published_with_fence();
        }
        // W0. Pairs with B2, whose membarrier makes a full fence of wherever this processor is. That orders what the
        // processor was given, in the order of the program: so the compiler must not put this load before the stores.
        compiler_fence("W0", Ordering::SeqCst);
        if self.sleepers.load() != 0 {
            self.wake_all();
        }
    }

    /// The path for [`Wake::Fence`]. Not inlined, so other publishers do not pay.
    #[inline(never)]
    fn published_with_fence(&self) {
        // W1. Pairs with B2: either this publisher sees the flag, or the sleeper's second look sees the message. It stands
        // between a store and a later load, which nothing less than SeqCst keeps in order.
        fence("W1", Ordering::SeqCst);
        if self.sleepers.load() != 0 {
            self.wake_all();
        }
    }

    /// After a message that somebody may sleep on, and after everything else that a sleeper must be told of.
    #[cold]
    pub(crate) fn wake_all(&self) {
        // W3. Cleared before the event changes: whoever sets it from now on has seen the change, or will not sleep.
        let first = on("W3");
        if first {
            self.sleepers.store(0);
        }
        // W2. Pairs with B1: who sees the event changed sets its flag after it was cleared here, and sees what it is woken
        // for. Only the low half is compared by the kernel; it may wrap.
        self.event.store_ordered("W2", Ordering::Release, self.event.load().wrapping_add(1) & u64::from(u32::MAX));
        wake(&self.event);
        if !first {
            self.sleepers.store(0);
        }
    }
}

/// How long a sleeper sleeps whose barrier was refused: a message may come unseen.
const WITHOUT_BARRIER: Duration = Duration::from_millis(5);

/// What may end a sleep beside what it waits for.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    /// When to give up.
    pub(crate) deadline: Option<Instant>,
    /// Whether an [`Interrupter`] ends it. If not, the interruption is kept for the next wait that it does end.
    pub(crate) interruptible: bool,
}

impl Until {
    /// Nothing else.
    pub(crate) const WHATEVER: Self = Until { deadline: None, interruptible: false };

    /// In so long at the latest.
    fn within(self, most: Duration) -> Self {
        let latest = Instant::now() + most;
        Until { deadline: Some(self.deadline.map_or(latest, |deadline| deadline.min(latest))), ..self }
    }
}

/// The subscriber's half.
pub(crate) struct Sleeper {
    event: Pinned<Word>,
    mode: Pinned<Word>,
    sleepers: Pinned<WriteWord>,
    own: Memory<WriteWord>,
    watcher: Option<Watcher>,
}

impl Sleeper {
    pub(crate) fn new(memory: &Memory<Word>, layout: &Layout, sleepers: Pinned<WriteWord>) -> Self {
        Sleeper {
            event: Pinned::new(memory, layout.event),
            mode: Pinned::new(memory, layout.wake()),
            sleepers,
            own: Memory::heap(OWN),
            watcher: None,
        }
    }

    /// Sleeps until the publisher has something to tell, dies, or `until` says so; not at all if `ready` says that there is
    /// something already. Returns whether the publisher may be dead.
    pub(crate) fn sleep(&mut self, liveness: &Liveness, mut until: Until, ready: impl Fn() -> bool) -> bool {
        if self.own[DEAD].load() != 0 {
            if liveness.is_dead() {
                return true;
            }
            // Taken over since.
            self.own[DEAD].store(0);
            self.watcher = None;
        }
        if self.watcher.is_none()
            && let Liveness::Fifo(fifo) = liveness
        {
            let watched = Watched { event: self.event.clone(), sleepers: self.sleepers.clone(), own: self.own.clone() };
            match Watcher::start(fifo, watched) {
                Ok(watcher) => self.watcher = Some(watcher),
                // Nobody would tell of a death: whoever waits comes back and asks, but not in a busy loop.
                Err(_) if liveness.is_dead() => return true,
                Err(_) => until = until.within(UNWATCHED),
            }
        }
        let nudged = self.own[NUDGED].load();
        let seen = self.event.load();
        // B1. Pairs with W2: the flag is set after the publisher cleared it, and what it woke for is seen.
        fence("B1", Ordering::Acquire);
        self.sleepers.store(1);
        // B2. Pairs with W1: either the second look sees the message, or the publisher sees the flag.
        fence("B2", Ordering::SeqCst);
        if self.mode.load() != mode::FENCE && !barrier_on_all() {
            // The publisher may look at the flag before its message is out, and see none; so this must look again.
            until = until.within(WITHOUT_BARRIER);
        }
        // B3. The second look. Within a process a death is a word, too, and wakes as a message does.
        let gone: &Word = match liveness {
            Liveness::Fifo(_) => &self.own[DEAD],
            Liveness::Word(gone) => gone,
        };
        let dead = gone.load() != 0;
        if (dead || ready()) && on("B3") {
            return dead;
        }
        // B4. The value from before the second look: what changed since then must not be slept over.
        let seen = if on("B4") { seen } else { self.event.load() };
        // The event comes first: where the kernel lets nobody sleep on several words, it is the one to sleep on.
        let words: [(&Word, u64); 4] =
            [(&self.event, seen), (gone, 0), (&self.own[NUDGED], nudged), (&self.own[INTERRUPTED], 0)];
        sleep(if until.interruptible { &words } else { &words[..3] }, until.deadline);
        gone.load() != 0
    }

    /// Sleeps until the event changes, as it does when another publisher takes the ring over or replaces it, or `until`
    /// says so; not at all if `ready` says that there is something already, and no longer than the watcher would leave
    /// a sleeper alone. Nobody needs a flag for that, or tells of a death: the publisher is gone.
    pub(crate) fn sleep_on_event(&self, until: Until, ready: impl Fn() -> bool) {
        let until = until.within(VIGILANCE);
        let seen = self.event.load();
        // B5. Pairs with W2 and W4: who sees the event changed sees what for.
        fence("B5", Ordering::Acquire);
        if !ready() {
            let words: [(&Word, u64); 2] = [(&self.event, seen), (&self.own[INTERRUPTED], 0)];
            sleep(if until.interruptible { &words } else { &words[..1] }, until.deadline);
        }
    }

    /// Another sleeper on the same ring, for another thread.
    pub(crate) fn another(&self) -> Self {
        let (event, mode, sleepers) = (self.event.clone(), self.mode.clone(), self.sleepers.clone());
        Sleeper { event, mode, sleepers, own: Memory::heap(OWN), watcher: None }
    }

    /// Whether it was interrupted since it was last asked.
    pub(crate) fn was_interrupted(&self) -> bool {
        let interrupted = self.own[INTERRUPTED].load() != 0;
        if interrupted {
            self.own[INTERRUPTED].store(0);
        }
        interrupted
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        Interrupter { own: self.own.clone() }
    }
}

/// Calls a subscriber back that waits, from another thread or from a signal handler's: see
/// [`Subscriber::interrupter`](crate::Subscriber::interrupter).
#[derive(Clone)]
pub struct Interrupter {
    own: Memory<WriteWord>,
}

impl Interrupter {
    /// Lets the subscriber's [`recv_timeout`](crate::Subscriber::recv_timeout) return `Empty`, or its
    /// [`wait_for_publisher`](crate::Subscriber::wait_for_publisher) `false`: the one that waits now or the next. Two
    /// interruptions before it returns are one. [`recv`](crate::Subscriber::recv), which has no way to say so, goes on
    /// waiting.
    pub fn interrupt(&self) {
        self.own[INTERRUPTED].store(1);
        wake(&self.own[INTERRUPTED]);
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupter").finish_non_exhaustive()
    }
}
