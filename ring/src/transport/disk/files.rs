//! A publisher's resources of a ring on disk: the directory, the lock, the open files.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use crate::error::{CloseError, CreateError};
use crate::memory::CreatorPid;
use crate::presence::{entries, lock::unlock};
use crate::transport::files::{Directory, Fault, file};
use crate::transport::host::Host;

/// The ring's directory and the lock in it.
pub(super) struct RingFiles {
    pub(super) root: Directory,
    pub(super) ring: Directory,
    pub(super) name: String,
    pub(super) lock: OwnedFd,
    pub(super) creator: CreatorPid,
}

impl RingFiles {
    /// Removes the ring's files and directory. Processes that have the files open keep them.
    pub(super) fn remove(&self) -> Result<(), CloseError> {
        let remove = || {
            let lock = rustix::fs::fstat(&self.lock).map_err(|errno| self.ring.fault(file::LOCK, "look at", errno))?;
            // If the lock was removed by hand, the files may belong to another publisher by now.
            if !self.ring.holds(file::LOCK, &lock)? {
                return Ok(());
            }
            self.ring.remove_files()?;
            self.root.remove_ring(&self.name, &self.ring)
        };
        remove().map_err(|fault: Fault| fault.into())
    }

    /// Removes what a creation left that failed with this error. An old ring, or something that is no ring, stays.
    pub(super) fn remove_failed(&self, error: &CreateError) {
        for name in [file::SEGMENT, file::CONTROL] {
            let _ = self.ring.remove_prepared(name);
        }
        let foreign = matches!(error, CreateError::NotARing { .. } | CreateError::Owner { .. });
        if !foreign && self.ring.has(file::SEGMENT).is_ok_and(|there| !there) {
            let _ = self.remove();
        }
    }
}

impl Drop for RingFiles {
    fn drop(&mut self) {
        if !self.creator.is_this() {
            return; // the lock belongs to the parent
        }
        // Closing the descriptor alone would keep the lock while a forked child, before its exec, still has a copy.
        unlock(&self.lock);
    }
}

/// A publisher's resources of a ring on disk.
pub(super) struct DiskHost {
    pub(super) files: RingFiles,
    pub(super) keep: bool,
    /// The control file, to count the subscribers' entries.
    pub(super) control: OwnedFd,
    /// The FIFO. While it is open, subscribers see the publisher alive. Never read or written.
    pub(super) _live: OwnedFd,
}

impl Host for DiskHost {
    fn path(&self) -> Option<&Path> {
        Some(&self.files.ring.path)
    }

    fn is_inherited(&self) -> bool {
        !self.files.creator.is_this()
    }

    fn subscribers(&self) -> io::Result<usize> {
        entries::held(&self.control).map(|held| held.len())
    }

    fn end(&mut self) -> Result<(), CloseError> {
        if self.keep { Ok(()) } else { self.files.remove() }
    }
}
