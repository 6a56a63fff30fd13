//! The process that created a value, to tell a forked child from its parent.
//!
//! The process id alone does not tell: a child in a new pid namespace may have its parent's, as when pid 1 of a container
//! starts a sandbox. So each process also has a number, on a page that the kernel clears in a forked child. A child that
//! finds no number there takes the next one. What a child inherits from its parent has a smaller number.
#![allow(unsafe_code)] // a word on a mapped page

use std::sync::OnceLock;

use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};

use crate::sync::outside_models::AtomicU32;
use crate::sync::{MAPPABLE, Ordering};

/// A process, as far as its forked children and parents are concerned: its pid and its number. Values of two processes differ
/// if one was forked from the other. 0 is no process.
pub(crate) fn this_process() -> u64 {
    u64::from(std::process::id()) << 32 | u64::from(number())
}

/// The process that created a value. A forked child inherits the value but must not release its locks, files and threads:
/// locks and files are shared with the parent, and the parent's threads do not exist in the child.
pub(crate) struct CreatorPid(u64);

impl CreatorPid {
    pub(crate) fn this() -> Self {
        CreatorPid(this_process())
    }

    pub(crate) fn is_this(&self) -> bool {
        self.0 == this_process()
    }
}

/// The largest number that this process, or a process that it was forked from, has taken.
static TAKEN: AtomicU32 = AtomicU32::new(0);

/// The number of this process. Always 0 where the kernel cannot clear a page (before Linux 4.14, or under a filter of system
/// calls): then only the pid tells processes apart.
fn number() -> u32 {
    static NUMBER: OnceLock<Option<&'static AtomicU32>> = OnceLock::new();
    let Some(number) = NUMBER.get_or_init(cleared_in_children) else { return 0 };
    // Relaxed: it changes once in a process, before the first value is created there.
    match number.load(Ordering::Relaxed) {
        0 => {
            let next = TAKEN.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            // Another thread may have been faster. Then its number is the one.
            number.compare_exchange(0, next, Ordering::Relaxed, Ordering::Relaxed).map_or_else(|other| other, |_| next)
        }
        number => number,
    }
}

/// A word that is 0 in each new process. It is never unmapped.
fn cleared_in_children() -> Option<&'static AtomicU32> {
    if !MAPPABLE || cfg!(miri) {
        return None;
    }
    let (bytes, protection) = (size_of::<AtomicU32>(), ProtFlags::READ | ProtFlags::WRITE);
    // SAFETY: the kernel chooses a range that nothing is mapped at.
    let page = unsafe { mmap_anonymous(std::ptr::null_mut(), bytes, protection, MapFlags::PRIVATE) }.ok()?;
    // SAFETY: the page was just mapped, and nothing refers to it. The advice changes it in forked children only.
    if unsafe { madvise(page, bytes, Advice::LinuxWipeOnFork) }.is_err() {
        // SAFETY: as above.
        let _ = unsafe { munmap(page, bytes) };
        return None;
    }
    // SAFETY: the start of a page of zeros, which stays mapped; nothing else refers to it.
    Some(unsafe { &*page.cast::<AtomicU32>() })
}
