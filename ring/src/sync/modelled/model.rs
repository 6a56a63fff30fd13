//! What a model can change in the ring it runs: one site weakened, a publisher that dies or stores a forged word at a
//! chosen store, a panic that unwinds, memory at an odd address. All of it holds for the thread that runs the model, on
//! which loom runs every thread of the model, so models may run side by side.

use std::cell::Cell;

/// A lapped subscriber leaves this part of the window between itself and the oldest message.
pub const MARGIN_PART: u64 = 2;

thread_local! {
    static WEAKENED: Cell<Option<&'static str>> = const { Cell::new(None) };
    static STORES: Cell<usize> = const { Cell::new(0) };
    static FAULT: Cell<Fault> = const { Cell::new(Fault::None) };
    static UNWINDING: Cell<bool> = const { Cell::new(false) };
    static SLEEPS: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
    static FENCES: Cell<bool> = const { Cell::new(false) };
    static BASE: Cell<u64> = const { Cell::new(0) };
    static PLACE: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
}

#[derive(Clone, Copy)]
enum Fault {
    None,
    DieAfter(usize),
    Forge(usize, u64),
}

/// Weakens one site in everything that runs from now on, or none.
pub fn weaken(site: Option<&'static str>) {
    WEAKENED.set(site);
}

/// Ends every other change, and counts stores from 0.
pub fn behave() {
    STORES.set(0);
    FAULT.set(Fault::None);
    UNWINDING.set(false);
    SLEEPS.set((0, 0));
    FENCES.set(false);
    BASE.set(0);
    PLACE.set(None);
}

/// Lets `stores` more stores into shared memory happen, and none after them, until [`behave`]: to everybody else,
/// a publisher killed there.
pub fn die_after(stores: usize) {
    STORES.set(0);
    FAULT.set(Fault::DieAfter(stores));
}

/// Whether a store was left out since [`die_after`].
pub fn died() -> bool {
    matches!(FAULT.get(), Fault::DieAfter(stores) if STORES.get() > stores)
}

/// Lets the store after `stores` more say `value`, whatever it would have said.
pub fn forge(stores: usize, value: u64) {
    STORES.set(0);
    FAULT.set(Fault::Forge(stores, value));
}

/// Stores since any of the three was called.
pub fn stores() -> usize {
    STORES.get()
}

/// Does something as a thread does it that a panic unwinds.
pub fn unwind<R>(run: impl FnOnce() -> R) -> R {
    UNWINDING.set(true);
    let result = run();
    UNWINDING.set(false);
    result
}

/// Lays the words that are made from now on one behind the other from byte `offset`, where what lies within
/// `grain` aligned bytes is loaded and stored in one piece.
pub fn arena(offset: usize, grain: usize) {
    PLACE.set(Some((offset, grain)));
}

/// The pieces in which the eight bytes from `offset` are loaded and stored, as masks, lowest address first.
pub fn cut(offset: usize, grain: usize) -> Vec<u64> {
    let mut masks = Vec::new();
    let mut from = offset;
    while from < offset + 8 {
        let to = (from / grain + 1).saturating_mul(grain).min(offset + 8);
        // Little-endian: the byte at the lowest address is the lowest of the value.
        masks.push((u64::MAX >> (64 - 8 * (to - from))) << (8 * (from - offset)));
        from = to;
    }
    masks
}

/// How often somebody went to sleep in this execution, and how many sleep now.
pub fn sleeps() -> (usize, usize) {
    SLEEPS.get()
}

pub(super) fn asleep(asleep: bool) {
    let (slept, now) = SLEEPS.get();
    SLEEPS.set(if asleep { (slept + 1, now + 1) } else { (slept, now - 1) });
}

/// Lets the publishers that are made from now on fence after each message. Without it they do not, as where
/// `membarrier` does it for them: loom has none, so nobody may sleep then; and a fence there would hide that another
/// one is missing.
pub fn fence_for_sleepers() {
    FENCES.set(true);
}

/// Lets the rings that are made from now on begin at sequence `base`, as one does that takes the place of another.
pub fn begin_at(base: u64) {
    BASE.set(base);
}

pub(super) fn base() -> u64 {
    BASE.get()
}

pub(super) fn fences() -> bool {
    FENCES.get()
}

/// Whether a failed model is being torn down, by unwinding its threads: nothing of that is part of it, and loom would
/// abort.
pub(super) fn is_over() -> bool {
    std::thread::panicking()
}

pub(super) fn is_weakened(site: &str) -> bool {
    WEAKENED.get() == Some(site)
}

pub(super) fn unwinding() -> bool {
    UNWINDING.get()
}

pub(super) fn place() -> Option<(usize, usize)> {
    let place = PLACE.get();
    PLACE.set(place.map(|(offset, grain)| (offset + 8, grain)));
    place
}

/// What the next store says, if it happens.
pub(super) fn storing(value: u64) -> Option<u64> {
    if is_over() {
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
