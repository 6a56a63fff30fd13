//! Sleeping on a word of shared memory and waking who sleeps there: Linux's futexes, and the barrier on all processors.
//!
//! A futex word has 32 bits: the low half of ours. Sleeping and waking work through a read-only mapping.
#![allow(unsafe_code)] // FUTEX_WAKE on a word that is no AtomicU32

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{Wait, WaitFlags, WaitPtr, WaitvFlags, waitv};
use rustix::thread::{ClockId, MembarrierCommand, membarrier, membarrier_query};
use rustix::time::{Timespec, clock_gettime};

use crate::sync::Word;

/// Where kernels before 5.16 cannot sleep on several words, a sleeper looks at the others so often.
const LOOK: Duration = Duration::from_millis(20);

/// The low 32 bits of a word, which is what the kernel compares and sleeps on.
fn low_half(word: &Word) -> *mut u32 {
    let half = std::ptr::from_ref(word).cast::<u32>().cast_mut();
    if cfg!(target_endian = "big") { half.wrapping_add(1) } else { half }
}

/// Sleeps until one of the words is woken, if each still has the value that its sleeper saw, or until the deadline. Comes
/// back early whenever it likes: who waits looks again.
pub(crate) fn sleep(words: &[(&Word, u64)], deadline: Option<Instant>) {
    let mut waits = [Wait::new(); 4];
    for (wait, (word, seen)) in waits.iter_mut().zip(words) {
        wait.val = seen & u64::from(u32::MAX);
        wait.uaddr = WaitPtr::new(low_half(word).cast());
        wait.flags = WaitFlags::SIZE_U32; // not private: other processes wake
    }
    let waits = &waits[..words.len().min(4)];
    let until = |deadline: Instant| {
        // The kernel's clock and Instant are the same clock, but Instant does not say its time.
        let left = deadline.saturating_duration_since(Instant::now());
        let now = clock_gettime(ClockId::Monotonic);
        now.checked_add(Timespec::try_from(left).ok()?)
    };
    // A time beyond the clock's end never comes.
    let until = deadline.and_then(until);
    if waitv(waits, WaitvFlags::empty(), until.as_ref(), ClockId::Monotonic) == Err(Errno::NOSYS) {
        let unchanged = |(word, seen): &(&Word, u64)| word.load() == *seen;
        if words.iter().all(unchanged) {
            let most = deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()).min(LOOK));
            std::thread::sleep(most);
        }
    }
}

/// Wakes everybody who sleeps on the word, in any process.
pub(crate) fn wake(word: &Word) {
    // SAFETY: the kernel looks sleepers up by the address and does not touch the memory.
    unsafe { libc::syscall(libc::SYS_futex, low_half(word), libc::FUTEX_WAKE, i32::MAX) };
}

/// Lets the barriers of others reach this process's threads; false where the kernel refuses.
pub(crate) fn register_for_barriers() -> bool {
    membarrier_query().contains_command(MembarrierCommand::RegisterGlobalExpedited)
        && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// Makes every running thread of every registered process fence; false where the kernel refuses.
pub(crate) fn barrier_on_all() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
