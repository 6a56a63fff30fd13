//! The one door to atomics: std's in programs, loom's in models. No other file names either.
//!
//! A segment is a slice of words. `Word` offers a load and nothing else, which is all that a subscriber's read-only
//! mapping allows; `WriteWord` adds stores. Loads are always relaxed: on read-only memory std promises nothing
//! stronger ("Atomic accesses to read-only memory" in `std::sync::atomic`), so every acquire is a `fence` of its own.
//!
//! Each ordering and each check of the protocol has a name, its *site* (`"P1"`): docs/protocol.md argues it under that
//! name, and the models weaken exactly it, to see that something fails. In programs a site costs nothing: the name is
//! never looked at, and `on` is the constant `true`.

pub(crate) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub use modelled::model;
#[cfg(loom)]
pub(crate) use modelled::*;
#[cfg(not(loom))]
pub(crate) use real::*;

/// std's own, for what no model runs: the guard's table, which a signal handler reads.
pub(crate) mod outside_models {
    use std::sync::atomic::Ordering;
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

    /// An ordering under a name, for the argument and the litmus test that it stands for.
    #[inline(always)]
    pub(crate) const fn ordered(_site: &str, ordering: Ordering) -> Ordering {
        ordering
    }
}

/// A word that may only be read. Its memory may be mapped read-only.
#[repr(transparent)]
pub(crate) struct Word(Atomic);

/// A word that may also be written. It dereferences to `Word` for reading.
#[repr(transparent)]
pub(crate) struct WriteWord(Word);

impl Word {
    /// A relaxed load.
    #[inline(always)]
    pub(crate) fn load(&self) -> u64 {
        self.0.load()
    }
}

impl WriteWord {
    /// A word of heap memory, for rings within one process.
    pub(crate) fn new(value: u64) -> Self {
        WriteWord(Word(Atomic::new(value)))
    }

    /// A relaxed store.
    #[inline(always)]
    pub(crate) fn store(&self, value: u64) {
        self.0.0.store(value, Ordering::Relaxed);
    }

    /// A store that is ordered after everything before it; `site` names it.
    #[inline(always)]
    pub(crate) fn store_ordered(&self, site: &str, ordering: Ordering, value: u64) {
        self.0.0.store(value, weakened(site, ordering));
    }
}

impl std::ops::Deref for WriteWord {
    type Target = Word;

    #[inline(always)]
    fn deref(&self) -> &Word {
        &self.0
    }
}

/// Where a publisher may be killed in a build that injects faults: after each store into shared memory and after each
/// change of a file. In any other build it is nothing at all.
#[inline(always)]
pub(crate) fn fault_point() {
    #[cfg(feed_ring_faults)]
    faults::point();
}

/// Death at a chosen point, in builds with `--cfg feed_ring_faults`.
#[cfg(feed_ring_faults)]
pub mod faults {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

    /// Kills this process with SIGKILL at the fault point after `points` more; `u64::MAX` disarms.
    pub fn arm(points: u64) {
        LEFT.store(points, Ordering::Relaxed);
    }

    static UNREGISTERED: AtomicBool = AtomicBool::new(false);
    static WITHOUT_BARRIER: AtomicBool = AtomicBool::new(false);

    /// Lets the next publisher of this process say that barriers reach it without having registered for them.
    pub fn leave_unregistered() {
        UNREGISTERED.store(true, Ordering::Relaxed);
    }

    /// Lets the subscribers of this process go to sleep without a barrier on the publisher.
    pub fn leave_out_barrier() {
        WITHOUT_BARRIER.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_unregistered() -> bool {
        UNREGISTERED.load(Ordering::Relaxed)
    }

    pub(super) fn is_without_barrier() -> bool {
        WITHOUT_BARRIER.load(Ordering::Relaxed)
    }

    pub(super) fn point() {
        let left = LEFT.load(Ordering::Relaxed);
        if left == 0 {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        if left != u64::MAX {
            LEFT.store(left - 1, Ordering::Relaxed);
        }
    }
}

/// What programs run on.
#[cfg(not(loom))]
mod real {
    use std::sync::atomic::{AtomicU64, Ordering};
    pub(crate) use std::thread::panicking;
    use std::time::Duration;

    /// Words of a cache line: the unit in which payloads are copied and lines are owned.
    pub(crate) const LINE_WORDS: usize = 8;

    /// Words between two header words that change at different times: 128 bytes, because x86-64 fetches lines in pairs.
    pub(crate) const PAD_WORDS: usize = 16;

    /// Polls of a slot between two looks at anything else.
    pub(crate) const SPINS: u32 = 64;

    /// Empty polls between two questions to the kernel whether the publisher lives, at least.
    pub(crate) const PROBE_POLLS: u32 = 16;

    /// And the time between them, at least.
    pub(crate) const PROBE_TIME: Duration = Duration::from_micros(500);

    /// A lapped subscriber leaves this part of the ring between itself and the oldest message: an eighth.
    pub(crate) const MARGIN_PART: u64 = 8;

    /// The first sequence number of a ring within a process.
    pub(crate) const fn base() -> u64 {
        0
    }

    /// Whether the words may lie over mapped memory.
    pub(crate) const MAPPABLE: bool = true;

    /// Rounds of polls before a blocking subscriber sleeps: some ten microseconds, which is what sleeping costs.
    pub(crate) const ROUNDS: u32 = 8;

    pub(crate) use crate::futex::{sleep, wake};

    /// Lets the barriers of others reach this process's threads; false where the kernel refuses.
    pub(crate) fn register_for_barriers() -> bool {
        #[cfg(feed_ring_faults)]
        if super::faults::is_unregistered() {
            return true;
        }
        // Miri has no membarrier.
        !cfg!(miri) && crate::futex::register_for_barriers()
    }

    /// Makes every running thread of every registered process fence; false where the kernel refuses.
    pub(crate) fn barrier_on_all() -> bool {
        #[cfg(feed_ring_faults)]
        if super::faults::is_without_barrier() {
            return true;
        }
        crate::futex::barrier_on_all()
    }

    #[repr(transparent)]
    pub(super) struct Atomic(AtomicU64);

    impl Atomic {
        pub(super) fn new(value: u64) -> Self {
            Atomic(AtomicU64::new(value))
        }

        #[inline(always)]
        pub(super) fn load(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }

        #[inline(always)]
        pub(super) fn store(&self, value: u64, ordering: Ordering) {
            self.0.store(value, ordering);
            super::fault_point();
        }
    }

    /// A fence; `site` names it.
    #[inline(always)]
    pub(crate) fn fence(_site: &str, ordering: Ordering) {
        std::sync::atomic::fence(ordering);
    }

    /// Keeps the compiler from moving memory accesses across, and emits no instruction; `site` names it. To the compiler it
    /// is what `membarrier` makes of it for the processor: a fence.
    #[inline(always)]
    pub(crate) fn compiler_fence(_site: &str, ordering: Ordering) {
        std::sync::atomic::compiler_fence(ordering);
    }

    /// Whether a named store or check of the protocol is in force: always, except where a model leaves it out.
    #[inline(always)]
    pub(crate) const fn on(_site: &str) -> bool {
        true
    }

    #[inline(always)]
    pub(super) const fn weakened(_site: &str, ordering: Ordering) -> Ordering {
        ordering
    }

    /// Tells the processor that this is a waiting loop.
    #[inline(always)]
    pub(crate) fn spin_loop() {
        std::hint::spin_loop();
    }

    /// Lets another thread run.
    #[inline]
    pub(crate) fn yield_now() {
        std::thread::yield_now();
    }
}

/// What models run on.
#[cfg(loom)]
mod modelled;
