//! A lock for tests that need all processors of the machine. Such tests must not run at the same time.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. The test holds it while it runs.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
