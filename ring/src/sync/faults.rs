//! Kills the process at a chosen point, in builds with `--cfg feed_ring_faults`.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static POINTS_LEFT: AtomicU64 = AtomicU64::new(u64::MAX);

/// Kills this process with SIGKILL at the fault point that follows `points` more. `u64::MAX` disarms.
pub fn arm(points: u64) {
    POINTS_LEFT.store(points, Ordering::Relaxed);
}

static UNREGISTERED: AtomicBool = AtomicBool::new(false);
static WITHOUT_BARRIER: AtomicBool = AtomicBool::new(false);
static WITHOUT_NAPS: AtomicBool = AtomicBool::new(false);

/// From now on publishers of this process claim that barriers reach them, but do not register for them.
pub fn leave_unregistered() {
    UNREGISTERED.store(true, Ordering::Relaxed);
}

/// From now on subscribers of this process fall asleep without a barrier on the publisher.
pub fn leave_out_barrier() {
    WITHOUT_BARRIER.store(true, Ordering::Relaxed);
}

/// From now on a subscriber of this process that lost a wake-up sleeps on.
pub fn leave_out_naps() {
    WITHOUT_NAPS.store(true, Ordering::Relaxed);
}

pub(super) fn is_unregistered() -> bool {
    UNREGISTERED.load(Ordering::Relaxed)
}

pub(super) fn is_without_barrier() -> bool {
    WITHOUT_BARRIER.load(Ordering::Relaxed)
}

pub(super) fn is_without_naps() -> bool {
    WITHOUT_NAPS.load(Ordering::Relaxed)
}

pub(super) fn point() {
    let left = POINTS_LEFT.load(Ordering::Relaxed);
    if left == 0 {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    if left != u64::MAX {
        POINTS_LEFT.store(left - 1, Ordering::Relaxed);
    }
}
