//! Death at a chosen point, in builds with `--cfg feed_ring_faults`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Kills this process with SIGKILL at the fault point after `points` more. `u64::MAX` disarms.
pub fn arm(points: u64) {
    LEFT.store(points, Ordering::Relaxed);
}

static UNREGISTERED: AtomicBool = AtomicBool::new(false);
static WITHOUT_BARRIER: AtomicBool = AtomicBool::new(false);

/// Lets the next publisher of this process claim that barriers reach it, without having registered for them.
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
