//! The shim: atomics, fences and futexes, std's in programs and loom's in models. No other folder names std's or
//! loom's.
//!
//! A segment is a slice of words. `Word` has only a load, because a subscriber maps the segment read-only.
//! `WriteWord` adds stores. Loads are always relaxed, and every acquire is a `fence` of its own: std guarantees
//! nothing stronger on read-only memory ("Atomic accesses to read-only memory" in `std::sync::atomic`).
//!
//! Each ordering and each check of the protocol is a *site* with a name (`"P1"`). docs/protocol.md argues it under that
//! name. The models weaken one site at a time and check that a test fails. In programs a site costs nothing: the name
//! is unused, and `on` is the constant `true`.

#[cfg(not(loom))]
mod apart;
#[cfg(feed_ring_faults)]
pub mod faults;
mod futex;
#[cfg(loom)]
mod modelled;
#[cfg(not(loom))]
mod park;
mod point;
#[cfg(not(loom))]
mod real;
mod signals;
pub(crate) mod tuning;
mod word;

pub(crate) use std::sync::atomic::Ordering;

#[cfg(not(loom))]
pub(crate) use apart::{Apart, remember_pinned};
#[cfg(loom)]
pub(crate) use modelled::model::thread_wakes;
#[cfg(loom)]
pub(crate) use modelled::{
    atomic::{
        EPOCHS, LEAST_LOG, LINE_WORDS, MAPPABLE, PAD_WORDS, RECORD_PART, base, compiler_fence, fence, keep_branch, on,
        panicking, relayed, spin_loop, yield_now,
    },
    park::{Apart, Thread, barrier_on_all, nap, naps, register_for_barriers, remember_pinned, sleep, spawn, wake},
};
#[cfg(loom)]
pub use modelled::{model, placed::PlacedWord};
#[cfg(not(loom))]
pub(crate) use park::{Thread, barrier_on_all, nap, naps, register_for_barriers, sleep, spawn, wake};
pub(crate) use point::fault_point;
#[cfg(not(loom))]
pub(crate) use real::{
    EPOCHS, LEAST_LOG, LINE_WORDS, MAPPABLE, PAD_WORDS, RECORD_PART, base, compiler_fence, fence, keep_branch, on,
    panicking, relayed, spin_loop, thread_wakes, yield_now,
};
pub(crate) use signals::without_signals;
pub(crate) use word::{Word, WriteWord};

/// std's own atomics, for code that no model runs: the guard's table, which a signal handler reads.
pub(crate) mod outside_models {
    use std::sync::atomic::Ordering;
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

    /// The ordering itself. `site` is its name in docs/protocol.md and in the litmus tests.
    #[inline(always)]
    pub(crate) const fn ordered(_site: &str, ordering: Ordering) -> Ordering {
        ordering
    }
}
