//! The control file, looked at: which of its lines a subscriber holds, and what the subscriber wrote into it.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, OFlags, Stat};

use crate::directory::{Directory, Fault, Trust, What, file};
use crate::error::OpenError;
use crate::layout::{ABI, CONTROL_MAGIC, control};
use crate::memory::Memory;
use crate::presence::{entry, ofd};
use crate::sync::Word;

/// One subscriber's line of the control file. What stands in it was written by the subscriber, and is only as true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Which line, from 0.
    pub index: usize,
    /// The process id, as the subscriber sees itself: in another container it is another number.
    pub pid: u64,
    /// The next sequence that the subscriber will read, as it last said: see [`REPORTED_EVERY`](super::REPORTED_EVERY). One
    /// that is in the middle of reading may be up to 1,023 messages further.
    pub sequence: u64,
    /// How many messages it lost.
    pub lost: u64,
    /// Whether the kernel says that a process holds the line. If not, it is what a subscriber left that is gone.
    pub held: bool,
}

/// A ring's control file, mapped read-only.
pub(super) struct Control {
    file: OwnedFd,
    memory: Memory<Word>,
}

impl Control {
    /// The control file that belongs to the segment of this nonce, or what is wrong with it.
    pub(super) fn open(ring: &Directory, nonce: u64) -> Result<Self, String> {
        let (file, stat) = match ring.open(file::CONTROL, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody) {
            Err(Fault { what: What::Missing, .. }) => return Err("missing".to_owned()),
            file => file.map_err(|fault| OpenError::from(fault).to_string())?,
        };
        Self::of(file, &stat, nonce)
    }

    /// The same for a control file that is open.
    pub(super) fn of(file: OwnedFd, stat: &Stat, nonce: u64) -> Result<Self, String> {
        if stat.st_size != control::BYTES as i64 {
            return Err(format!("{} bytes long, not {}", stat.st_size, control::BYTES));
        }
        let memory =
            Memory::map_read_only(&file, control::BYTES).map_err(|error| format!("cannot be mapped: {error}"))?;
        for (what, index, expected) in [
            ("first word", control::MAGIC, CONTROL_MAGIC),
            ("ABI", control::ABI, ABI),
            ("nonce", control::NONCE, nonce),
            ("number of entries", control::ENTRIES, control::COUNT as u64),
        ] {
            let found = memory[index].load();
            if found != expected {
                return Err(format!("its {what} is {found:#x}, not {expected:#x}"));
            }
        }
        Ok(Control { file, memory })
    }

    /// The lines that are held, or were used.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let mut held = Vec::new();
        held_within(&self.file, 0, control::COUNT, &mut held)?;
        let word = |index: usize, which: usize| self.memory[entry(index) + which].load();
        let entries = (0..control::COUNT).map(|index| Entry {
            index,
            pid: word(index, control::PID),
            sequence: word(index, control::CURSOR),
            lost: word(index, control::LOST),
            held: held.binary_search(&index).is_ok(),
        });
        Ok(entries.filter(|entry| entry.held || entry.pid != 0).collect())
    }
}

/// Pushes the entries between `start` and `end` that somebody holds, in order. The kernel names any one lock in a range,
/// so what lies on either side of it is asked about again.
pub(super) fn held_within(file: &OwnedFd, start: usize, end: usize, held: &mut Vec<usize>) -> io::Result<()> {
    if start >= end {
        return Ok(());
    }
    let lock = ofd(file, libc::F_OFD_GETLK, entry(start) * 8, (end - start) * control::ENTRY * 8)?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(());
    }
    // A lock that is no subscriber's may lie anywhere and be of any length: it counts as one entry.
    let at = usize::try_from(lock.l_start).unwrap_or(0).saturating_sub(entry(0) * 8) / (control::ENTRY * 8);
    let at = at.clamp(start, end - 1);
    held_within(file, start, at, held)?;
    held.push(at);
    held_within(file, at + 1, end, held)
}
