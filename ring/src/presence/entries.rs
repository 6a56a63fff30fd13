//! Subscribers' entries in the control file: one line each, held by a kernel lock.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::lock::{lock_range, write_lock};
use crate::format::layout::control;
use crate::memory::{CreatorPid, Memory};
use crate::sync::WriteWord;

/// Word index of an entry in the control file.
pub(crate) const fn word_of(index: usize) -> usize {
    control::FIRST + index * control::ENTRY
}

/// The indices of the held entries, in ascending order. Costs up to two system calls per held entry, and one more.
pub(crate) fn held(control: impl AsFd) -> io::Result<Vec<usize>> {
    let mut held = Vec::new();
    held_within(&control, 0, control::COUNT, &mut held)?;
    Ok(held)
}

/// [`held`] for the entries `start..end`. The kernel reports any one lock of a range, not the first, so the ranges on
/// both sides of it are searched again.
fn held_within(file: &impl AsFd, start: usize, end: usize, held: &mut Vec<usize>) -> io::Result<()> {
    if start >= end {
        return Ok(());
    }
    let lock = write_lock(file, libc::F_OFD_GETLK, word_of(start) * 8, (end - start) * control::ENTRY * 8)?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(());
    }
    // A foreign process may lock any range: such a lock counts as one entry.
    let at = usize::try_from(lock.l_start).unwrap_or(0).saturating_sub(word_of(0) * 8) / (control::ENTRY * 8);
    let at = at.clamp(start, end - 1);
    held_within(file, start, at, held)?;
    held.push(at);
    held_within(file, at + 1, end, held)
}

/// A subscriber's entry in the control file. The lock holds it until the last duplicate of the descriptor is closed.
pub(crate) struct Entry {
    control: Memory<WriteWord>,
    index: usize,
    lock: OwnedFd,
    creator: CreatorPid,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.creator.is_this() {
            return;
        }
        // Closing the descriptor alone could leave the entry held by a duplicate: in a forked child, or in the
        // publisher of a sealed ring that has just sent it.
        let _ = lock_range(libc::F_UNLCK, &self.lock, libc::F_OFD_SETLK, word_of(self.index) * 8, control::ENTRY * 8);
    }
}

impl Entry {
    /// Takes the first free entry.
    ///
    /// # Errors
    /// The reason as text if all are held, or if the kernel refuses a lock. The subscriber then works but is not counted.
    pub(crate) fn claim(file: OwnedFd, control: Memory<WriteWord>, sequence: u64) -> Result<Entry, String> {
        for index in 0..control::COUNT {
            match write_lock(&file, libc::F_OFD_SETLK, word_of(index) * 8, control::ENTRY * 8) {
                Ok(_) => {
                    let claimed = Entry { control, index, lock: file, creator: CreatorPid::this() };
                    claimed.word(control::PID).store(u64::from(std::process::id()));
                    claimed.word(control::CURSOR).store(sequence);
                    claimed.word(control::LOST).store(0);
                    return Ok(claimed);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(format!("the kernel refuses to lock an entry: {error}")),
            }
        }
        Err(format!("all {} entries are taken", control::COUNT))
    }

    /// Stores the subscriber's next sequence and its lost messages. Only tools read them.
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        self.word(control::CURSOR).store(sequence);
        self.word(control::LOST).store(lost);
    }

    fn word(&self, which: usize) -> &WriteWord {
        &self.control[word_of(self.index) + which]
    }
}
