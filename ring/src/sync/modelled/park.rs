//! The kernel's sleep as loom has it: one queue, a comparison and a sleep in one step.

use std::time::Instant;

use super::super::futex;
use super::super::word::Word;
use super::model;

loom::lazy_static! {
    /// The kernel's queue of sleepers. Who is woken looks again at what it waits for, so one queue does for all words.
    static ref QUEUE: (loom::sync::Mutex<()>, loom::sync::Condvar) = Default::default();
}

/// As the kernel does it: the comparison and the going to sleep are one step to whoever wakes.
pub(crate) fn sleep(words: &[(&Word, u64)], _deadline: Option<Instant>) {
    let (lock, queue) = &*QUEUE;
    let held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if words.iter().all(|(word, seen)| word.load() == *seen) {
        model::asleep(true);
        drop(queue.wait(held));
        model::asleep(false);
    }
}

pub(crate) fn wake(_word: &Word) {
    if model::is_over() {
        return;
    }
    let (lock, queue) = &*QUEUE;
    let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    queue.notify_all();
}

// The kernel's half is for programs; here it is only compiled.
const _: () = {
    let _ = (futex::sleep, futex::wake);
    let _ = (futex::register_for_barriers, futex::barrier_on_all);
};

/// Loom knows no membarrier: see [`model::fence_for_sleepers`].
pub(crate) fn register_for_barriers() -> bool {
    !model::fences()
}

pub(crate) fn barrier_on_all() -> bool {
    false
}
