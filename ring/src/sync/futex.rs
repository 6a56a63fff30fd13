//! Sleeping on a word of shared memory and waking who sleeps there: Linux's futexes, and the barrier on all processors.
//!
//! A futex word has 32 bits: the low half of ours. Sleeping and waking work through a read-only mapping.
#![allow(unsafe_code)] // FUTEX_WAIT and FUTEX_WAKE on a word that is no AtomicU32

use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::thread::futex::{Wait, WaitFlags, WaitPtr, WaitvFlags, waitv};
use rustix::thread::{ClockId, MembarrierCommand, membarrier, membarrier_query};
use rustix::time::{Timespec, clock_gettime};

use super::word::Word;

/// Where the kernel cannot let anybody sleep on several words (before 5.16) or will not (a filter of system calls), a
/// sleeper looks at all but the first so often.
const LOOK: Duration = Duration::from_millis(20);

/// The low 32 bits of a word, which is what the kernel compares and sleeps on.
fn low_half(word: &Word) -> *mut u32 {
    let half = std::ptr::from_ref(word).cast::<u32>().cast_mut();
    if cfg!(target_endian = "big") { half.wrapping_add(1) } else { half }
}

/// Sleeps until one of the words is woken, if each still has the value that its sleeper saw, or until the deadline. Comes
/// back early whenever it likes: who waits looks again. Where several words are refused, it sleeps on the first.
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
    match waitv(waits, WaitvFlags::empty(), until.as_ref(), ClockId::Monotonic) {
        Ok(_) | Err(Errno::AGAIN | Errno::INTR | Errno::TIMEDOUT) => {}
        // Whatever the reason: an old kernel's ENOSYS, a filter's EPERM. To come back at once would be to spin.
        Err(_) => sleep_on_first(words, deadline),
    }
}

/// The same where the kernel lets nobody sleep on more than one word: what wakes the first, wakes at once; the others are
/// looked at every [`LOOK`].
fn sleep_on_first(words: &[(&Word, u64)], deadline: Option<Instant>) {
    let unchanged = |(word, seen): &(&Word, u64)| word.load() == *seen;
    let Some((first, seen)) = words.first().filter(|_| words.iter().all(unchanged)) else { return };
    let most = deadline.map_or(LOOK, |deadline| deadline.saturating_duration_since(Instant::now()).min(LOOK));
    let timeout = libc::timespec { tv_sec: 0, tv_nsec: libc::c_long::from(most.subsec_nanos() as i32) };
    // SAFETY: the kernel reads the word and the timeout, both of which outlive the call, and writes nothing.
    let slept =
        unsafe { libc::syscall(libc::SYS_futex, low_half(first), libc::FUTEX_WAIT, *seen as u32, &raw const timeout) };
    let expected = [Errno::AGAIN, Errno::INTR, Errno::TIMEDOUT];
    if slept != 0 && !Errno::from_io_error(&std::io::Error::last_os_error()).is_some_and(|e| expected.contains(&e)) {
        std::thread::sleep(most); // not even that is allowed: then every look is a poll
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
