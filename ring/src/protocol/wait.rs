//! How a subscriber waits for the next message: it spins, yields, or sleeps until the publisher wakes it.
//!
//! A sleeper sets a flag in `control`, then sleeps on the event word. Whoever wakes for the publisher (`wake.rs`) sees the
//! flag, clears it, changes the event and wakes all sleepers. It is a flag and not a count, because a killed sleeper would
//! leave a count too high for ever.
//!
//! A wake-up may be lost all the same, by what other processes do. Whoever may write to `control` can clear the flag, or
//! cut the file short. Whoever may read the segment can move a sleeper from the event word to a word of its own
//! (`FUTEX_REQUEUE`), or put an entry before it at which the kernel stops waking (`FUTEX_WAIT_REQUEUE_PI`). A sleeper
//! therefore sleeps in naps of at most [`LONGEST_NAP`], and looks for itself after each. No ordinary wake-up depends on
//! that.

use std::time::{Duration, Instant};

use super::watch::{DEAD, MAX_UNWATCHED_SLEEP, OWN_WORDS, Watcher};
use crate::format::layout::{Layout, wake as mode};
use crate::memory::{Memory, Pinned};
use crate::presence::liveness::Liveness;
use crate::sync::{Ordering, Word, WriteWord, barrier_on_all, fence, naps, on, sleep, wake};

/// How [`recv`](crate::Subscriber::recv) waits when there is nothing yet.
///
/// The default is [`Block`](WaitStrategy::Block): it needs no core of its own, and takes none from the publisher or from
/// another subscriber. Choose [`Spin`](WaitStrategy::Spin) for a subscriber that has a core to itself: a message then
/// arrives after some hundred nanoseconds, not after the microseconds that a wake-up takes, and the publisher never makes
/// a system call to wake it. docs/performance.md compares the three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitStrategy {
    /// Polls and never gives up the processor. Lowest latency, for a subscriber with a core of its own.
    Spin,
    /// Polls a little, then lets other threads run between polls. It uses all the processor time that others leave.
    Yield,
    /// Polls a little (some ten microseconds), then sleeps until the publisher wakes it. On a ring in files it looks for
    /// itself ten times a second all the same, because other processes can keep it from being woken. There it also
    /// starts a thread, when it first sleeps, that sleeps until the publisher dies.
    ///
    /// If the kernel refuses a part of this (a filter of system calls, a limit on threads, an old kernel), the
    /// subscriber wakes up at intervals to look for itself. Without `futex_waitv` (Linux 5.16) or without the thread,
    /// it looks for a death or an interruption every 20 ms. Without `membarrier`, it looks for a message every 5 ms, if
    /// the publisher relies on that ([`Wake::Membarrier`](crate::Wake::Membarrier)).
    #[default]
    Block,
}

/// How long a sleeper may sleep whose flag the publisher may not see: a message may come without a wake.
const MAX_UNSEEN_SLEEP: Duration = Duration::from_millis(5);

/// The longest time that a lost wake-up delays what the sleeper waits for.
const LONGEST_NAP: Duration = Duration::from_millis(100);

/// What ends a sleep apart from what it waits for.
#[derive(Clone, Copy)]
pub(crate) struct Until {
    /// When to give up.
    pub(crate) deadline: Option<Instant>,
    /// Whether an [`Interrupter`] ends the sleep. If not, the interruption is kept for the next wait that it can end.
    pub(crate) interruptible: bool,
}

impl Until {
    /// Neither a deadline nor an interruption.
    pub(crate) const UNLIMITED: Self = Until { deadline: None, interruptible: false };

    /// The same, ending after `most` at the latest.
    fn within(self, most: Duration) -> Self {
        let latest = Instant::now() + most;
        Until { deadline: Some(self.deadline.map_or(latest, |deadline| deadline.min(latest))), ..self }
    }
}

/// The subscriber's half: sleeps until the publisher wakes it.
pub(crate) struct Sleeper {
    event: Pinned<Word>,
    mode: Pinned<Word>,
    /// The flag. `None` if this subscriber cannot write to it: then it never sleeps for long.
    sleepers: Option<Pinned<WriteWord>>,
    own: Memory<WriteWord>,
    interrupter: Interrupter,
    watcher: Option<Watcher>,
}

impl Sleeper {
    pub(crate) fn new(memory: &Memory<Word>, layout: &Layout, sleepers: Option<Pinned<WriteWord>>) -> Self {
        Sleeper {
            event: Pinned::new(memory, layout.event),
            mode: Pinned::new(memory, layout.wake()),
            sleepers,
            own: Memory::heap(OWN_WORDS),
            interrupter: Interrupter::new(),
            watcher: None,
        }
    }

    /// Sleeps until the publisher wakes it, the publisher dies, or `until` ends the sleep. Does not sleep if `ready` is
    /// true already. Returns whether the publisher may be dead.
    pub(crate) fn sleep(&mut self, liveness: &Liveness, mut until: Until, ready: impl Fn() -> bool) -> bool {
        if self.own[DEAD].load() != 0 {
            if liveness.is_dead() {
                return true;
            }
            // Another publisher has taken over since.
            self.own[DEAD].store(0);
            self.watcher = None;
        }
        if self.watcher.is_none()
            && let Liveness::Fifo(fifo) = liveness
        {
            match Watcher::start(fifo, self.own.clone()) {
                Ok(watcher) => self.watcher = Some(watcher),
                // Nobody would report a death: the sleeper returns soon and asks the kernel itself, but not in a busy
                // loop.
                Err(_) if liveness.is_dead() => return true,
                Err(_) => until = until.within(MAX_UNWATCHED_SLEEP),
            }
        }
        let seen = self.event.load();
        // B1. Pairs with W2: the flag is set after the publisher cleared it, and this sleeper sees why the event
        // changed.
        fence("B1", Ordering::Acquire);
        if let Some(flag) = &self.sleepers {
            flag.store(1);
        }
        // B2. Pairs with W1: either the second look sees the message, or the publisher sees the flag.
        fence("B2", Ordering::SeqCst);
        match (&self.sleepers, self.mode.load()) {
            // B10. The publisher may have a thread that sleeps on the flag while it is 0.
            (Some(flag), mode::FENCE) if on("B10") => wake(flag),
            (Some(_), mode::FENCE) => {}
            (Some(_), _) if barrier_on_all() => {}
            // The publisher does not see the flag, or may read it too early, so this sleeper must look again soon.
            _ => until = until.within(MAX_UNSEEN_SLEEP),
        }
        // B3. The second look. A message that came before the flag was set woke nobody. Within a process a death is a
        // word too, and wakes like a message.
        let gone: &Word = match liveness {
            Liveness::Fifo(_) => &self.own[DEAD],
            Liveness::Word(gone) => gone,
        };
        let dead = gone.load() != 0;
        if (dead || ready()) && on("B3") {
            return dead;
        }
        // B4. The event's value from before the second look. A later value could be the very change that was to wake
        // this sleeper.
        let seen = if on("B4") { seen } else { self.event.load() };
        // The event comes first: where the kernel allows a sleep on one word only, it is the one used.
        let words: [(&Word, u64); 3] = [(&self.event, seen), (gone, 0), (self.interrupter.word(), 0)];
        let words = if until.interruptible { &words[..] } else { &words[..2] };
        match liveness {
            Liveness::Fifo(_) if naps() => self.sleep_in_naps(words, until, ready),
            // No other process reaches the words of a ring within this one.
            _ => sleep(words, until.deadline),
        }
        gone.load() != 0
    }

    /// Sleeps until one of the words is woken, `until` ends the sleep, or it finds something after a nap.
    fn sleep_in_naps(&self, words: &[(&Word, u64)], until: Until, ready: impl Fn() -> bool) {
        loop {
            let nap = until.within(LONGEST_NAP).deadline;
            sleep(words, nap);
            let woken = nap.is_some_and(|end| Instant::now() < end);
            if woken || nap == until.deadline || self.event.memory().look_if_cut_short() || ready() {
                return;
            }
        }
    }

    /// Sleeps until the event changes or `until` ends the sleep. Does not sleep if `ready` is true already. The event
    /// changes when another publisher takes the ring over or replaces it, which wakes without a flag. The publisher is
    /// gone, so there is no death to wait for. It sleeps for at most [`LONGEST_NAP`]: see there.
    pub(crate) fn sleep_on_event(&self, until: Until, ready: impl Fn() -> bool) {
        let until = until.within(LONGEST_NAP);
        let seen = self.event.load();
        // B5. Pairs with W2 and W4: a sleeper that sees the event changed sees why.
        fence("B5", Ordering::Acquire);
        if !ready() {
            let words: [(&Word, u64); 2] = [(&self.event, seen), (self.interrupter.word(), 0)];
            sleep(if until.interruptible { &words } else { &words[..1] }, until.deadline);
        }
    }

    /// Another sleeper on the same ring, for use by another thread.
    pub(crate) fn for_another_thread(&self) -> Self {
        Sleeper {
            event: self.event.clone(),
            mode: self.mode.clone(),
            sleepers: self.sleepers.clone(),
            own: Memory::heap(OWN_WORDS),
            interrupter: Interrupter::new(),
            watcher: None,
        }
    }

    /// Whether it was interrupted since the last call.
    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupter.take()
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        self.interrupter.clone()
    }

    /// From now on this one interrupts it.
    pub(crate) fn set_interrupter(&mut self, interrupter: Interrupter) {
        self.interrupter = interrupter;
    }
}

/// Ends a subscriber's wait from another thread or from a signal handler: see
/// [`Subscriber::interrupter`](crate::Subscriber::interrupter).
#[derive(Clone)]
pub struct Interrupter {
    /// One word: 1 after an interruption that ended no wait yet.
    interrupted: Memory<WriteWord>,
}

impl Interrupter {
    pub(crate) fn new() -> Self {
        Interrupter { interrupted: Memory::heap(1) }
    }

    fn word(&self) -> &Word {
        &self.interrupted[0]
    }

    /// Whether there was an interruption since the last call.
    pub(crate) fn take(&self) -> bool {
        let interrupted = self.word().load() != 0;
        if interrupted {
            self.interrupted[0].store(0);
        }
        interrupted
    }

    /// Sleeps until an interruption or the deadline. May return early.
    pub(crate) fn sleep(&self, deadline: Instant) {
        sleep(&[(self.word(), 0)], Some(deadline));
    }

    /// Makes the subscriber's [`recv_timeout`](crate::Subscriber::recv_timeout) return `Empty`, or its
    /// [`wait_for_publisher`](crate::Subscriber::wait_for_publisher) `false`. This ends the current wait, or else the
    /// next one. Two interruptions before it returns count as one. [`recv`](crate::Subscriber::recv) cannot return
    /// without a message or an event, so it goes on waiting.
    pub fn interrupt(&self) {
        self.interrupted[0].store(1);
        wake(self.word());
    }
}

impl std::fmt::Debug for Interrupter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Interrupter").finish_non_exhaustive()
    }
}
