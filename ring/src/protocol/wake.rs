//! How a publisher wakes subscribers that sleep.
//!
//! A sleeper sets a flag and then looks at the slot once more; a publisher publishes and then looks at the flag. Both
//! need a full barrier in between, or each could miss what the other did. The sleeper's `membarrier` makes both
//! barriers, so while nobody sleeps the publisher pays for one load only.
//!
//! The flag is in `control`, where every admitted subscriber may write. A publisher that must not depend on them does not
//! look at the flag at all: a thread of its own does (`wake_thread.rs`).

use super::sleepers::Sleepers;
use super::wake_thread::WakeThread;
use crate::format::layout::{Layout, wake as mode};
use crate::memory::{Memory, Pinned};
use crate::sync::{Ordering, WriteWord, compiler_fence, fence, register_for_barriers, thread_wakes};

/// How a publisher finds out that a subscriber sleeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wake {
    /// It looks at a flag after each message, without a fence. A subscriber that goes to sleep makes the publisher's
    /// processor fence, with `membarrier`: that takes the subscriber one or two microseconds and interrupts the
    /// publisher for less. While nobody goes to sleep it costs nothing. Where the kernel refuses `membarrier`, `Fence`
    /// is used.
    ///
    /// For a ring whose subscribers the publisher trusts: each of them can make it wake sleepers after every message.
    /// And **every** process of the machine, of whatever user, can interrupt this one by calling `membarrier` in a loop:
    /// docs/reliability.md has the figures. That lasts as long as the process, also for publishers that it makes later.
    #[default]
    Membarrier,
    /// It fences after each message. That costs a few nanoseconds each time, and no `membarrier` interrupts it, unless the
    /// process once made a publisher with [`Membarrier`](Self::Membarrier). Otherwise as that.
    Fence,
    /// It does not look at all. A thread of its own looks for sleepers and for new messages, every 70 µs or so while
    /// somebody sleeps, and after a longer silence every sixteenth of it, at most 1 ms. So a sleeper wakes up that much
    /// later, and **nothing that any subscriber or any other user does delays a publish**. Where the kernel refuses a
    /// thread, [`Fence`](Self::Fence) is used: subscribers can then delay it, other users cannot.
    ///
    /// The thread must not share a pinned publisher's processor. Pin with
    /// [`pin_to_cpu`](crate::placement::pin_to_cpu), which keeps the thread off it, and leave it another one. The thread
    /// inherits a real-time priority.
    Thread,
}

impl Wake {
    /// Its name: `membarrier`, `fence` or `thread`.
    pub const fn name(self) -> &'static str {
        match self {
            Wake::Membarrier => "membarrier",
            Wake::Fence => "fence",
            Wake::Thread => "thread",
        }
    }
}

/// The publisher's half: checks whether a subscriber sleeps, and wakes all sleepers.
pub(crate) struct Waker {
    /// The flag that is looked at after each message: the sleepers', or a private word that is always 0.
    flag: Pinned<WriteWord>,
    fence: bool,
    sleepers: Sleepers,
    thread: Option<WakeThread>,
}

impl Waker {
    /// Writes its mode into the header, then wakes all sleepers: they may sleep in the way that suits another
    /// publisher's mode.
    pub(crate) fn new(memory: &Memory<WriteWord>, layout: &Layout, flag: Pinned<WriteWord>, wanted: Wake) -> Self {
        let sleepers = Sleepers { event: Pinned::new(memory, layout.event), flag };
        let begin = |value| {
            memory[layout.wake()].store(value);
            sleepers.wake_all();
        };
        if wanted == Wake::Thread || thread_wakes() {
            begin(mode::FENCE);
            if let Ok(thread) = WakeThread::start(memory.reader(), *layout, sleepers.clone()) {
                let flag = Pinned::new(&Memory::heap(1), 0);
                return Waker { flag, fence: false, sleepers, thread: Some(thread) };
            }
        }
        let fence = wanted != Wake::Membarrier || !register_for_barriers();
        begin(if fence { mode::FENCE } else { mode::MEMBARRIER });
        Waker { flag: sleepers.flag.clone(), fence, sleepers, thread: None }
    }

    /// How it finds out that a subscriber sleeps.
    pub(crate) fn mode(&self) -> Wake {
        match (&self.thread, self.fence) {
            (Some(_), _) => Wake::Thread,
            (None, true) => Wake::Fence,
            (None, false) => Wake::Membarrier,
        }
    }

    /// Called after each message.
    #[inline(always)]
    pub(crate) fn published(&self) {
        if self.fence {
            return self.published_with_fence();
        }
        // W0. Pairs with B2, whose membarrier puts a full fence wherever this processor is in its program. That orders
        // the load after the message only if the compiled program does, so the compiler must not move the load before
        // the stores.
        compiler_fence("W0", Ordering::SeqCst);
        if self.flag.load() != 0 {
            self.sleepers.wake_all();
        }
    }

    /// The path for [`Wake::Fence`]. Not inlined, so other publishers do not pay.
    #[inline(never)]
    fn published_with_fence(&self) {
        // W1. Pairs with B2: either this publisher sees the flag, or the sleeper's second look sees the message. Only
        // SeqCst keeps a store and a later load in order.
        fence("W1", Ordering::SeqCst);
        if self.flag.load() != 0 {
            self.sleepers.wake_all();
        }
    }

    /// Ends its thread, which may not have looked since the last message, and wakes for it. Nothing wakes sleepers after
    /// that but [`wake_all`](Self::wake_all).
    pub(crate) fn stop(&mut self) {
        if self.thread.take().is_some() {
            self.sleepers.wake_all();
        }
    }

    /// Wakes all sleepers, after a change that is no message. Its thread must have been stopped.
    pub(crate) fn wake_all(&self) {
        self.sleepers.wake_all();
    }
}
