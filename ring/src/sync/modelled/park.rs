//! The kernel's sleep in models: a wake reaches those who sleep on its word, and the comparison is atomic with falling asleep.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::futex;
use super::super::word::Word;
use super::model;

loom::lazy_static! {
    /// Everybody who sleeps.
    static ref QUEUE: loom::sync::Mutex<Vec<Sleeper>> = Default::default();
}

/// A thread that sleeps.
struct Sleeper {
    /// The addresses of the words that it sleeps on.
    words: Vec<usize>,
    woken: Arc<loom::sync::Condvar>,
}

fn address(word: &Word) -> usize {
    std::ptr::from_ref(word).addr()
}

/// Holds the lock from the comparison until the thread sleeps, so that no wake can come in between.
pub(crate) fn sleep(words: &[(&Word, u64)], _deadline: Option<Instant>) {
    let mut queue = QUEUE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if words.iter().all(|(word, seen)| word.load() == *seen) {
        let woken = Arc::new(loom::sync::Condvar::new());
        queue.push(Sleeper { words: words.iter().map(|(word, _)| address(word)).collect(), woken: Arc::clone(&woken) });
        model::count_sleeper(true);
        drop(woken.wait(queue));
        model::count_sleeper(false);
    }
}

pub(crate) fn wake(word: &Word) {
    if model::is_torn_down() {
        return;
    }
    let mut queue = QUEUE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for sleeper in queue.extract_if(.., |sleeper| sleeper.words.contains(&address(word))) {
        sleeper.woken.notify_one();
    }
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
pub(crate) fn remember_pinned(_before: rustix::thread::CpuSet, _cpu: usize) {}

/// Models have no CPUs.
pub(crate) struct Apart;

impl Apart {
    pub(crate) fn from_this_thread() -> Self {
        Apart
    }

    pub(crate) fn keep(&mut self) {}
}

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
