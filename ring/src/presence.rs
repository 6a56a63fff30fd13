//! Who is there: the publisher's lock, its liveness, and the subscribers' entries. The kernel answers all three, so
//! nothing is left over from a process that was killed.
//!
//! - **Exclusion** is an open-file-description lock on `lock`, a file of mode 0600: on a file that subscribers may open,
//!   one of them could take the lock first.
//! - **Liveness** is a FIFO that the publisher holds open for writing: a read gives `EAGAIN` while it lives and
//!   end-of-file once it is dead, at once and without a timeout.
//! - **Entries** are byte ranges of `control`, one for each subscriber, each locked by its subscriber.
#![allow(unsafe_code)] // fcntl with F_OFD_*, which rustix does not wrap

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;

use crate::layout::control;
use crate::memory::{Memory, Pinned};
use crate::sync::{Word, WriteWord};

/// The process that made something. A forked child has a copy of it, and must not undo there what is still its parent's:
/// locks and files are shared, threads are not there.
pub(crate) struct Maker(u32);

impl Maker {
    pub(crate) fn this() -> Self {
        Maker(std::process::id())
    }

    pub(crate) fn is_this(&self) -> bool {
        self.0 == std::process::id()
    }
}

/// An open-file-description lock of `length` bytes from `start`, asked for or asked about.
pub(crate) fn ofd(fd: impl AsFd, command: libc::c_int, start: usize, length: usize) -> io::Result<libc::flock> {
    ofd_of(libc::F_WRLCK, fd, command, start, length)
}

/// The same of another kind than a write lock.
fn ofd_of(
    kind: libc::c_int,
    fd: impl AsFd,
    command: libc::c_int,
    start: usize,
    length: usize,
) -> io::Result<libc::flock> {
    let mut lock = libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: start as libc::off_t,
        l_len: length as libc::off_t,
        l_pid: 0, // as F_OFD_* demands
    };
    // SAFETY: the descriptor is open for the call, and the kernel writes nothing but `lock`.
    match unsafe { libc::fcntl(fd.as_fd().as_raw_fd(), command, &mut lock) } {
        0 => Ok(lock),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes the write lock over a whole file, if nobody has it. It lasts as long as the descriptor and its duplicates.
pub(crate) fn try_lock(file: impl AsFd) -> io::Result<bool> {
    match ofd(file, libc::F_OFD_SETLK, 0, 0) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives the write lock over a whole file back, for whoever else may have the file open through this description.
pub(crate) fn unlock(file: impl AsFd) {
    // A lock that is not there cannot be given back; there is nothing else to fail.
    let _ = ofd_of(libc::F_UNLCK, file, libc::F_OFD_SETLK, 0, 0);
}

pub(crate) const fn entry(index: usize) -> usize {
    control::FIRST + index * control::ENTRY
}

/// How many subscribers hold an entry of this control file: two system calls for each, and one more.
pub(crate) fn count_entries(control: impl AsFd) -> io::Result<usize> {
    count_within(&control, 0, control::COUNT)
}

/// The same for the entries from `start` to `end`. The kernel names any one lock in a range, not the first, so what lies
/// on either side of it is asked about again.
fn count_within(file: &impl AsFd, start: usize, end: usize) -> io::Result<usize> {
    if start >= end {
        return Ok(0);
    }
    let lock = ofd(file, libc::F_OFD_GETLK, entry(start) * 8, (end - start) * control::ENTRY * 8)?;
    if lock.l_type == libc::F_UNLCK as libc::c_short {
        return Ok(0);
    }
    // A lock that is no subscriber's may lie anywhere and be of any length: it counts as one entry.
    let at = usize::try_from(lock.l_start).unwrap_or(0).saturating_sub(entry(0) * 8) / (control::ENTRY * 8);
    let at = at.clamp(start, end - 1);
    Ok(1 + count_within(file, start, at)? + count_within(file, at + 1, end)?)
}

/// A subscriber's entry in the control file, its own until the last descriptor of it is closed.
pub(crate) struct Entry {
    control: Memory<WriteWord>,
    index: usize,
    lock: OwnedFd,
    maker: Maker,
}

impl Drop for Entry {
    fn drop(&mut self) {
        if !self.maker.is_this() {
            return;
        }
        // Closing it does that, too, but a duplicate of it may live a moment longer: in a forked child, or in the publisher
        // of a sealed ring that has just sent it.
        let _ = ofd_of(libc::F_UNLCK, &self.lock, libc::F_OFD_SETLK, entry(self.index) * 8, control::ENTRY * 8);
    }
}

impl Entry {
    /// Takes the first free entry. With all of them taken there is none: such a subscriber is not counted, that is all.
    pub(crate) fn claim(file: OwnedFd, control: Memory<WriteWord>, sequence: u64) -> io::Result<Option<Entry>> {
        for index in 0..control::COUNT {
            match ofd(&file, libc::F_OFD_SETLK, entry(index) * 8, control::ENTRY * 8) {
                Ok(_) => {
                    let claimed = Entry { control, index, lock: file, maker: Maker::this() };
                    claimed.word(control::PID).store(u64::from(std::process::id()));
                    claimed.word(control::CURSOR).store(sequence);
                    claimed.word(control::LOST).store(0);
                    return Ok(Some(claimed));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// Writes down how far the subscriber is, for those who look at the ring from outside.
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        self.word(control::CURSOR).store(sequence);
        self.word(control::LOST).store(lost);
    }

    fn word(&self, which: usize) -> &WriteWord {
        &self.control[entry(self.index) + which]
    }
}

/// How a subscriber learns that its publisher is dead.
pub(crate) enum Liveness {
    /// The FIFO of a ring on disk, or the pipe of a sealed one.
    Fifo(OwnedFd),
    /// A word that the publisher of a ring within the process sets when it goes, closed or not.
    Word(Pinned<Word>),
}

impl Liveness {
    /// The same for another thread.
    pub(crate) fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Liveness::Fifo(fifo) => Liveness::Fifo(fifo.try_clone()?),
            Liveness::Word(word) => Liveness::Word(word.clone()),
        })
    }

    /// Whether no publisher lives: one system call.
    pub(crate) fn is_dead(&self) -> bool {
        match self {
            // Bytes in the FIFO mean nothing to us: whoever wrote them holds it open, like a publisher.
            Liveness::Fifo(fifo) => matches!(rustix::io::read(fifo, &mut [0u8; 1]), Ok(0)),
            Liveness::Word(dead) => dead.load() != 0,
        }
    }
}

/// What a subscriber holds while it is attached.
pub(crate) enum Attached {
    /// An entry in the control file, if there was a free one.
    Entry(Option<Entry>),
    /// One of the references that an in-process publisher counts.
    Counted { _reference: Arc<()> },
}

impl Attached {
    /// Writes down how far the subscriber is, where there is somebody to look.
    #[inline]
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        if let Attached::Entry(Some(entry)) = self {
            entry.report(sequence, lost);
        }
    }
}

/// What the subscribers of a ring within the process hold one reference each to; itself held once.
#[derive(Default)]
pub(crate) struct Seats(pub(crate) Arc<()>);

/// What a publisher counts its subscribers by.
pub(crate) enum Roster {
    /// The control file.
    Control(OwnedFd),
    /// References.
    References(Arc<Seats>),
}

impl Roster {
    pub(crate) fn count(&self) -> io::Result<usize> {
        match self {
            Roster::Control(file) => count_entries(file),
            Roster::References(seats) => Ok(Arc::strong_count(&seats.0) - 1),
        }
    }
}
