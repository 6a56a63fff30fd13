//! The kernel's sleep in models: one queue, and a comparison that is atomic with falling asleep.

use std::io;
use std::time::{Duration, Instant};

use super::super::futex;
use super::super::word::Word;
use super::model;

loom::lazy_static! {
    /// The kernel's queue of sleepers. One queue serves all words, because a woken thread checks its condition again.
    static ref QUEUE: (loom::sync::Mutex<()>, loom::sync::Condvar) = Default::default();
}

/// Holds the lock from the comparison until the thread sleeps, so that no wake can come in between.
pub(crate) fn sleep(words: &[(&Word, u64)], _deadline: Option<Instant>) {
    let (lock, queue) = &*QUEUE;
    let held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if words.iter().all(|(word, seen)| word.load() == *seen) {
        model::count_sleeper(true);
        drop(queue.wait(held));
        model::count_sleeper(false);
    }
}

pub(crate) fn wake(_word: &Word) {
    if model::is_torn_down() {
        return;
    }
    let (lock, queue) = &*QUEUE;
    let _held = lock.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    queue.notify_all();
}

/// A model has no clock, so nothing but a wake ends a sleep.
pub(crate) fn naps() -> bool {
    false
}

/// Lets other threads run: a model has no clock.
pub(crate) fn nap(_unless: (&Word, u64), _pause: Duration) {
    model::count_nap();
    loom::thread::yield_now();
}

/// A thread of the library's own.
pub(crate) struct Thread(loom::thread::JoinHandle<()>);

/// Models pin no thread.
pub(crate) fn remember_unpinned(_cpus: rustix::thread::CpuSet) {}

pub(crate) use spawn as spawn_unpinned;

/// Starts a thread.
pub(crate) fn spawn(_name: &str, run: impl FnOnce() + Send + 'static) -> io::Result<Thread> {
    Ok(Thread(loom::thread::spawn(run)))
}

impl Thread {
    /// Waits for its end.
    pub(crate) fn join(self) {
        if model::is_torn_down() {
            return;
        }
        let _ = self.0.join();
    }
}

// Models use none of these. They are named only to be compiled.
const _: () = {
    let _ = (futex::sleep, futex::wake);
    let _ = (futex::register_for_barriers, futex::barrier_on_all);
};

/// Loom has no membarrier: see [`model::fence_for_sleepers`].
pub(crate) fn register_for_barriers() -> bool {
    !model::publisher_fences()
}

pub(crate) fn barrier_on_all() -> bool {
    false
}
