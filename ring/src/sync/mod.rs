//! Atomics, fences and futexes: std's in programs, loom's in models. No other folder names either.
//!
//! A segment is a slice of words. [`Word`] offers a load and nothing else, which is all that a subscriber's read-only
//! mapping allows. [`WriteWord`] adds stores. Loads are always relaxed: on read-only memory std promises nothing
//! stronger ("Atomic accesses to read-only memory" in `std::sync::atomic`), so every acquire is a `fence` of its own.
//!
//! Each ordering and each check of the protocol has a name, its *site* (`"P1"`). docs/protocol.md argues it under that
//! name, and the models weaken exactly that one to see that something fails. In programs a site costs nothing: the name
//! is never looked at, and `on` is the constant `true`.

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
pub(crate) mod tuning;
mod word;

pub(crate) use std::sync::atomic::Ordering;

#[cfg(loom)]
pub(crate) use modelled::{
    atomic::{EPOCHS, LINE_WORDS, MAPPABLE, PAD_WORDS, base, compiler_fence, fence, on, panicking, spin_loop, yield_now},
    park::{barrier_on_all, register_for_barriers, sleep, wake},
};
#[cfg(loom)]
pub use modelled::{model, placed::PlacedWord};
#[cfg(not(loom))]
pub(crate) use park::{barrier_on_all, register_for_barriers, sleep, wake};
pub(crate) use point::fault_point;
#[cfg(not(loom))]
pub(crate) use real::{
    EPOCHS, LINE_WORDS, MAPPABLE, PAD_WORDS, base, compiler_fence, fence, on, panicking, spin_loop, yield_now,
};
pub(crate) use word::{Word, WriteWord};

/// std's own atomics, for what no model runs: the guard's table, which a signal handler reads.
pub(crate) mod outside_models {
    use std::sync::atomic::Ordering;
    pub(crate) use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize};

    /// An ordering under a name. The name stands for its argument and its litmus test.
    #[inline(always)]
    pub(crate) const fn ordered(_site: &str, ordering: Ordering) -> Ordering {
        ordering
    }
}
