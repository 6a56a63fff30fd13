//! The control file: which entries subscribers hold, and what they wrote into them.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, OFlags, Stat};

use crate::error::OpenError;
use crate::format::layout::control;
use crate::memory::Memory;
use crate::presence::entries::{held, word_of};
use crate::segment::check;
use crate::sync::Word;
use crate::sync::tuning::REPORT_EVERY;
use crate::transport::files::{Directory, Fault, Trust, What, file};

/// A subscriber writes its sequence into its [`Entry`] each time it has received this many messages, when it has lost
/// some, and, within a millisecond, when it has received all there is. Lag is exact for a waiting subscriber, up to
/// 1,023 too high for a busy one. Read [`Ring::held`](super::Ring::held) before
/// [`Segment::entries`](super::Segment::entries): in the other order, messages published in between are added to the lag.
pub const REPORTED_EVERY: u64 = REPORT_EVERY;

/// One subscriber's entry in the control file. The subscriber wrote it, and nothing checks that it is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index of the entry, from 0.
    pub index: usize,
    /// The process id as the subscriber sees it: in another container it is another number.
    pub pid: u64,
    /// The next sequence that the subscriber will read, as it last wrote: see [`REPORTED_EVERY`]. A busy subscriber may
    /// be up to 1,023 messages further.
    pub sequence: u64,
    /// How many messages it lost.
    pub lost: u64,
    /// Whether the kernel says that a process holds the entry. If not, the subscriber that wrote it is gone.
    pub held: bool,
}

/// A ring's control file, mapped read-only.
pub(super) struct Control {
    file: OwnedFd,
    memory: Memory<Word>,
    /// What is wrong with it, if anything is. The entries are there all the same.
    pub(super) damage: Option<String>,
}

impl Control {
    /// Opens the control file that belongs to the segment with this nonce. The error says what is wrong with it.
    pub(super) fn open(ring: &Directory, nonce: u64) -> Result<Self, String> {
        let (file, stat) = match ring.open(file::CONTROL, OFlags::RDONLY, FileType::RegularFile, Trust::Anybody) {
            Err(Fault { what: What::Missing, .. }) => return Err("missing".to_owned()),
            file => file.map_err(|fault| OpenError::from(fault).to_string())?,
        };
        Self::of(file, &stat, nonce)
    }

    /// The same for an open control file.
    pub(super) fn of(file: OwnedFd, stat: &Stat, nonce: u64) -> Result<Self, String> {
        let (memory, damage) = check::control_read_only(&file, stat, nonce)?;
        Ok(Control { file, memory, damage })
    }

    /// The entries that are held, or were used.
    pub(super) fn entries(&self) -> io::Result<Vec<Entry>> {
        let held = held(&self.file)?;
        let word = |index: usize, which: usize| self.memory[word_of(index) + which].load();
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
