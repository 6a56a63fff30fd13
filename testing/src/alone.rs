//! Tests of one program that must not run at the same time, because each needs the machine's processors.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this program holds it; to be held by the test that runs.
pub fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
