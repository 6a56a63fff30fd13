//! Linux's futexes for sleeping and waking on a word of shared memory, and `membarrier` for fencing all processors.
//!
//! A futex has 32 bits: the low half of a word. Sleeping and waking work through a read-only mapping, too.
#![allow(unsafe_code)] // FUTEX_WAIT and FUTEX_WAKE on a word that is no AtomicU32

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{Wait, WaitFlags, WaitPtr, WaitvFlags, waitv};
use rustix::thread::{ClockId, MembarrierCommand, membarrier, membarrier_query};
use rustix::time::{Timespec, clock_gettime};

use super::word::Word;

/// Longest sleep where `futex_waitv` is missing (kernels before 5.16) or refused (seccomp). A sleeper notices a change
/// of any word but the first only after it.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// The low 32 bits of a word. The kernel compares them and sleeps on their address.
fn low_half(word: &Word) -> *mut u32 {
    let half = std::ptr::from_ref(word).cast::<u32>().cast_mut();
    if cfg!(target_endian = "big") { half.wrapping_add(1) } else { half }
}

/// Sleeps until one of the words is woken or the deadline passes. Returns at once if a word no longer has the value
/// given for it. May return early, so the caller must check its condition again. Uses at most four words.
pub(crate) fn sleep(words: &[(&Word, u64)], deadline: Option<Instant>) {
    let mut waits = [Wait::new(); 4];
    for (wait, (word, seen)) in waits.iter_mut().zip(words) {
        wait.val = seen & u64::from(u32::MAX);
        wait.uaddr = WaitPtr::new(low_half(word).cast());
        wait.flags = WaitFlags::SIZE_U32; // not private: other processes call wake
    }
    let waits = &waits[..words.len().min(4)];
    let until = |deadline: Instant| {
        // Instant is CLOCK_MONOTONIC but does not give its value, so the deadline is computed anew.
        let left = deadline.saturating_duration_since(Instant::now());
        let now = clock_gettime(ClockId::Monotonic);
        now.checked_add(Timespec::try_from(left).ok()?)
    };
    // A deadline beyond the clock's range never passes: no timeout.
    let until = deadline.and_then(until);
    match waitv(waits, WaitvFlags::empty(), until.as_ref(), ClockId::Monotonic) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
        // ENOSYS on an old kernel, EPERM under seccomp. Returning at once would make the caller spin.
        Err(_) => sleep_on_first(words, deadline),
    }
}

/// [`sleep`] where the kernel refuses several words. A wake of the first word takes effect at once, a wake of another
/// only after [`POLL_INTERVAL`].
fn sleep_on_first(words: &[(&Word, u64)], deadline: Option<Instant>) {
    let unchanged = |(word, seen): &(&Word, u64)| word.load() == *seen;
    let Some((first, seen)) = words.first().filter(|_| words.iter().all(unchanged)) else { return };
    let nap = deadline
        .map_or(POLL_INTERVAL, |deadline| deadline.saturating_duration_since(Instant::now()).min(POLL_INTERVAL));
    let timeout = libc::timespec { tv_sec: 0, tv_nsec: libc::c_long::from(nap.subsec_nanos() as i32) };
    // SAFETY: the kernel reads the word and the timeout, both of which outlive the call, and writes nothing.
    let slept =
        unsafe { libc::syscall(libc::SYS_futex, low_half(first), libc::FUTEX_WAIT, *seen as u32, &raw const timeout) };
    let expected = [Errno::AGAIN, Errno::INTR, Errno::TIMEDOUT];
    if slept != 0 && !Errno::from_io_error(&std::io::Error::last_os_error()).is_some_and(|e| expected.contains(&e)) {
        std::thread::sleep(nap); // futex is refused as well: poll
    }
}

/// Wakes every thread that sleeps on the word, in any process.
pub(crate) fn wake(word: &Word) {
    // SAFETY: the kernel uses the address only to find sleepers and does not write to it.
    unsafe { libc::syscall(libc::SYS_futex, low_half(word), libc::FUTEX_WAKE, i32::MAX) };
}

/// Registers this process, so that other processes' barriers reach its threads. False if the kernel refuses.
pub(crate) fn register_for_barriers() -> bool {
    membarrier_query().contains_command(MembarrierCommand::RegisterGlobalExpedited)
        && membarrier(MembarrierCommand::RegisterGlobalExpedited).is_ok()
}

/// Makes every running thread of every registered process execute a full fence. False if the kernel refuses.
pub(crate) fn barrier_on_all() -> bool {
    membarrier(MembarrierCommand::GlobalExpedited).is_ok()
}
