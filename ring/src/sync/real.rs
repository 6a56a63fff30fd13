//! The atomics and fences of programs: std's.

use std::sync::atomic::{AtomicU64, Ordering};
pub(crate) use std::thread::panicking;

use super::point::fault_point;

/// Words of a cache line (64 bytes). Payloads are copied line by line.
pub(crate) const LINE_WORDS: usize = 8;

/// Words between two header words that change at different times: 128 bytes, because x86-64 prefetches lines in pairs.
pub(crate) const PAD_WORDS: usize = 16;

/// Beginnings of epochs that a ring keeps, one of which may be being written.
pub(crate) const EPOCHS: u64 = 8;

/// The fewest entries of a table's log of stores.
pub(crate) const LEAST_LOG: u64 = 64;

/// A record takes at most so small a part of its ring.
pub(crate) const RECORD_PART: u64 = 4;

/// The first sequence of a ring within one process.
pub(crate) const fn base() -> u64 {
    0
}

/// Whether a ring within one process may pass over numbers.
pub(crate) const fn relayed() -> bool {
    false
}

/// Whether an atomic may lie over mapped memory.
pub(crate) const MAPPABLE: bool = true;

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
        fault_point();
    }
}

/// Whether a ring within one process has a thread that wakes for its publisher. Only in models.
pub(crate) const fn thread_wakes() -> bool {
    false
}

/// A fence. `site` is its name in docs/protocol.md.
#[inline(always)]
pub(crate) fn fence(_site: &str, ordering: Ordering) {
    std::sync::atomic::fence(ordering);
}

/// Keeps the compiler from moving memory accesses across it. Emits no instruction: another process's `membarrier`
/// fences the processor. `site` is its name in docs/protocol.md.
#[inline(always)]
pub(crate) fn compiler_fence(_site: &str, ordering: Ordering) {
    std::sync::atomic::compiler_fence(ordering);
}

/// Whether the store or check of this name is done. Always true here; a model can leave it out.
#[inline(always)]
pub(crate) const fn on(_site: &str) -> bool {
    true
}

#[inline(always)]
pub(super) const fn weakened(_site: &str, ordering: Ordering) -> Ordering {
    ordering
}

/// Tells the processor that the thread is polling.
#[inline(always)]
pub(crate) fn spin_loop() {
    std::hint::spin_loop();
}

/// Lets another thread run.
#[inline]
pub(crate) fn yield_now() {
    std::thread::yield_now();
}

/// Called in one arm of a choice, keeps the compiler from making both and choosing by a conditional move. The processor then
/// guesses, and goes on before it knows.
#[inline(always)]
pub(crate) fn keep_branch() {
    // Costs nothing: it orders nothing but the compiler, and only in that arm.
    std::sync::atomic::compiler_fence(Ordering::SeqCst);
}
