//! Faults that a model injects into the ring it runs: a weakened site, a publisher that dies or stores a forged word at
//! a chosen store, an unwinding panic, memory at an odd address.
//!
//! The settings are thread-local. Loom runs all threads of a model on one thread, so several models can run at a time.

use std::cell::Cell;

/// A lapped subscriber resumes at most `1 / MARGIN_PART` of the window after the oldest message.
pub const MARGIN_PART: u64 = 2;

thread_local! {
    static WEAKENED: Cell<Option<&'static str>> = const { Cell::new(None) };
    static STORES: Cell<usize> = const { Cell::new(0) };
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
    static UNWINDING: Cell<bool> = const { Cell::new(false) };
    static SLEEPS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static FENCES: Cell<bool> = const { Cell::new(false) };
    static THREAD_WAKES: Cell<bool> = const { Cell::new(false) };
    static NAPS: Cell<usize> = const { Cell::new(0) };
    static BASE: Cell<u64> = const { Cell::new(0) };
    static RELAYED: Cell<bool> = const { Cell::new(false) };
    static PLACE: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    DieAfter(usize),
    Forge(usize, u64),
}

/// Weakens this site from now on. `None` weakens no site.
pub fn weaken(site: Option<&'static str>) {
    WEAKENED.set(site);
}

/// Ends every injected fault except the weakened site, and counts stores from 0.
pub fn behave() {
    STORES.set(0);
    FAULT.set(Fault::None);
    UNWINDING.set(false);
    SLEEPS.set((0, 0));
    FENCES.set(false);
    THREAD_WAKES.set(false);
    NAPS.set(0);
    BASE.set(0);
    RELAYED.set(false);
    PLACE.set(None);
}

/// Drops every store into shared memory after `stores` more, until [`behave`]. To the other threads the publisher was
/// killed there.
pub fn die_after(stores: usize) {
    STORES.set(0);
    FAULT.set(Fault::DieAfter(stores));
}

/// Whether a store was dropped since [`die_after`].
pub fn died() -> bool {
    matches!(FAULT.get(), Fault::DieAfter(stores) if STORES.get() > stores)
}

/// Replaces the value of the store after `stores` more by `value`.
pub fn forge(stores: usize, value: u64) {
    STORES.set(0);
    FAULT.set(Fault::Forge(stores, value));
}

/// Stores since the last call of [`behave`], [`die_after`] or [`forge`].
pub fn stores() -> usize {
    STORES.get()
}

/// Runs `run` as if a panic were unwinding its thread.
pub fn unwind<R>(run: impl FnOnce() -> R) -> R {
    UNWINDING.set(true);
    let result = run();
    UNWINDING.set(false);
    result
}

/// Gives the words made from now on consecutive addresses from byte `offset`. The modelled processor loads and stores
/// atomically only within `grain` aligned bytes.
pub fn arena(offset: usize, grain: usize) {
    PLACE.set(Some((offset, grain)));
}

/// The parts in which the eight bytes from `offset` are loaded and stored, as masks, lowest address first.
pub fn cut(offset: usize, grain: usize) -> Vec<u64> {
    let mut masks = Vec::new();
    let mut from = offset;
    while from < offset + 8 {
        let to = (from / grain + 1).saturating_mul(grain).min(offset + 8);
        // Little-endian: the lowest address holds the value's lowest byte.
        masks.push((u64::MAX >> (64 - 8 * (to - from))) << (8 * (from - offset)));
        from = to;
    }
    masks
}

/// The number of sleeps in this execution so far, and the number of threads asleep now.
pub fn sleeps() -> (usize, usize) {
    SLEEPS.get()
}

/// Counts a thread that falls asleep (`true`) or wakes (`false`).
pub(super) fn count_sleeper(asleep: bool) {
    let (slept, now) = SLEEPS.get();
    SLEEPS.set(if asleep { (slept + 1, now + 1) } else { (slept, now - 1) });
}

/// Makes publishers created from now on fence after each message. By default they do not, as if sleepers called
/// `membarrier`; loom has none, so nobody may sleep then. The default has no fence because it would hide a missing one.
pub fn fence_for_sleepers() {
    FENCES.set(true);
}

/// Gives publishers created from now on a thread that wakes for them.
pub fn wake_by_thread() {
    THREAD_WAKES.set(true);
}

pub(crate) fn thread_wakes() -> bool {
    THREAD_WAKES.get()
}

/// Counts a pause in which a thread lets the others run. So many in one execution mean that the others cannot.
///
/// # Panics
/// As loom does if no thread can run.
pub(super) fn count_nap() {
    NAPS.set(NAPS.get() + 1);
    assert!(NAPS.get() < 50, "deadlock: a thread looks again and again, and nothing changes");
}

/// Makes rings created from now on begin at sequence `base`, as a ring does that replaces another.
pub fn begin_at(base: u64) {
    BASE.set(base);
}

/// Lets rings created from now on pass over numbers, as a ring does that has another's.
pub fn relay() {
    RELAYED.set(true);
}

pub(super) fn relayed() -> bool {
    RELAYED.get()
}

pub(super) fn base() -> u64 {
    BASE.get()
}

pub(super) fn publisher_fences() -> bool {
    FENCES.get()
}

/// Whether a failed model is being torn down by unwinding its threads. Loom aborts if one of them uses an atomic then.
pub(super) fn is_torn_down() -> bool {
    std::thread::panicking()
}

pub(super) fn is_weakened(site: &str) -> bool {
    WEAKENED.get() == Some(site)
}

pub(super) fn unwinding() -> bool {
    UNWINDING.get()
}

/// The offset and grain of the next word, if [`arena`] was called.
pub(super) fn next_place() -> Option<(usize, usize)> {
    let place = PLACE.get();
    PLACE.set(place.map(|(offset, grain)| (offset + 8, grain)));
    place
}

/// Counts a store of `value`. Returns the value to store; `None` drops the store.
pub(super) fn next_store(value: u64) -> Option<u64> {
    if is_torn_down() {
        return None;
    }
    let stores = STORES.get();
    STORES.set(stores + 1);
    match FAULT.get() {
        Fault::DieAfter(limit) if stores >= limit => None,
        Fault::Forge(at, forged) if stores == at => Some(forged),
        _ => Some(value),
    }
}
