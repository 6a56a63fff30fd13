//! The shim's half for models: loom's atomics, the kernel's sleep as loom has it, and the ways to make a ring go wrong.

use std::sync::atomic::Ordering;
use std::time::Duration;

use loom::sync::atomic::AtomicU64;

/// A line holds a message of two words beside its sequence, so that such a message can be torn within its line.
pub(crate) const LINE_WORDS: usize = 3;
pub(crate) const PAD_WORDS: usize = 1;
/// A poll and a receive that finds nothing are the same to a model. (Not constants, these two: clippy would find fault with a
/// loop of no rounds.)
pub(crate) static SPINS: u32 = 0;
/// Models know no time: every empty poll asks whether the publisher lives.
pub(crate) const PROBE_POLLS: u32 = 0;
pub(crate) const PROBE_TIME: Duration = Duration::ZERO;
/// Rings of 4 slots have a margin, of 1; those of 2 have none.
pub(crate) const MARGIN_PART: u64 = model::MARGIN_PART;
pub(crate) const MAPPABLE: bool = false;
pub(crate) static ROUNDS: u32 = 0;

loom::lazy_static! {
    /// The kernel's queue of sleepers. Who is woken looks again at what it waits for, so one queue does for all words.
    static ref QUEUE: (loom::sync::Mutex<()>, loom::sync::Condvar) = Default::default();
}

/// As the kernel does it: the comparison and the going to sleep are one step to whoever wakes.
pub(crate) fn sleep(words: &[(&super::Word, u64)], _deadline: Option<std::time::Instant>) {
    let (lock, queue) = &*QUEUE;
    let held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if words.iter().all(|(word, seen)| word.load() == *seen) {
        model::asleep(true);
        drop(queue.wait(held));
        model::asleep(false);
    }
}

pub(crate) fn wake(_word: &super::Word) {
    if model::is_over() {
        return;
    }
    let (lock, queue) = &*QUEUE;
    let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    queue.notify_all();
}

// The kernel's half is for programs; here it is only compiled.
const _: () = {
    let _ = (crate::futex::sleep, crate::futex::wake);
    let _ = (crate::futex::register_for_barriers, crate::futex::barrier_on_all);
};

/// Loom knows no membarrier: see [`model::fence_for_sleepers`].
pub(crate) fn register_for_barriers() -> bool {
    !model::fences()
}

pub(crate) fn barrier_on_all() -> bool {
    false
}

/// A word as the processor has it: one atomic, or, where it lies across a boundary that the processor does not bridge
/// in one piece, one atomic for each side.
pub(super) enum Atomic {
    Whole(AtomicU64),
    Cut(Vec<(AtomicU64, u64)>),
}

impl Atomic {
    pub(super) fn new(value: u64) -> Self {
        match model::place() {
            Some((offset, grain)) => Self::at(offset, grain, value),
            None => Atomic::Whole(AtomicU64::new(value)),
        }
    }

    /// The word of the eight bytes from `offset`, on a processor that loads and stores what lies within `grain`
    /// aligned bytes in one piece.
    pub(super) fn at(offset: usize, grain: usize, value: u64) -> Self {
        let masks = model::cut(offset, grain);
        match masks.len() {
            1 => Atomic::Whole(AtomicU64::new(value)),
            _ => Atomic::Cut(masks.into_iter().map(|mask| (AtomicU64::new(value & mask), mask)).collect()),
        }
    }

    pub(super) fn load(&self) -> u64 {
        if model::is_over() {
            return 0;
        }
        match self {
            Atomic::Whole(word) => word.load(Ordering::Relaxed),
            Atomic::Cut(pieces) => pieces.iter().fold(0, |all, (piece, _)| all | piece.load(Ordering::Relaxed)),
        }
    }

    pub(super) fn store(&self, value: u64, ordering: Ordering) {
        let Some(value) = model::storing(value) else { return };
        match self {
            Atomic::Whole(word) => word.store(value, ordering),
            Atomic::Cut(pieces) => pieces.iter().for_each(|(piece, mask)| piece.store(value & mask, ordering)),
        }
    }
}

pub(crate) fn fence(site: &str, ordering: Ordering) {
    if on(site) && !model::is_over() {
        loom::sync::atomic::fence(ordering);
    }
}

/// Nothing: loom reorders no program text.
pub(crate) fn compiler_fence(_site: &str, _ordering: Ordering) {}

pub(crate) fn base() -> u64 {
    model::base()
}

pub(crate) fn on(site: &str) -> bool {
    !model::is_weakened(site)
}

pub(super) fn weakened(site: &str, ordering: Ordering) -> Ordering {
    if on(site) { ordering } else { Ordering::Relaxed }
}

pub(crate) fn spin_loop() {
    loom::hint::spin_loop();
}

pub(crate) fn yield_now() {
    loom::thread::yield_now();
}

pub(crate) fn panicking() -> bool {
    model::unwinding()
}

/// What a model can change in the ring it runs: one site weakened, a publisher that dies or lies at a chosen store,
/// one that unwinds, memory at an odd address. All of it holds for the thread that runs the model, on which loom runs
/// every thread of the model; so models may run side by side.
pub mod model {
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

    /// A word of the ring's own kind at any address, to show what becomes of it there.
    pub struct PlacedWord(crate::sync::WriteWord);

    impl PlacedWord {
        /// Eight bytes from `offset`: see [`arena`].
        pub fn at(offset: usize, grain: usize, value: u64) -> Self {
            PlacedWord(crate::sync::WriteWord(crate::sync::Word(super::Atomic::at(offset, grain, value))))
        }

        /// A relaxed load.
        pub fn load(&self) -> u64 {
            self.0.load()
        }

        /// A relaxed store.
        pub fn store(&self, value: u64) {
            self.0.store(value);
        }
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
}
