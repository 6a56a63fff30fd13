//! A ring as a subscriber has it, whatever the transport.

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::format::layout::{Geometry, Layout};
use crate::memory::{Memory, Pinned};
use crate::presence::entries::Entry;
use crate::presence::liveness::Liveness;
use crate::sync::{Word, WriteWord};

/// A ring that was just opened, before anything was read from it.
pub(crate) struct Opened {
    pub(crate) memory: Memory<Word>,
    pub(crate) layout: Layout,
    /// The word that a sleeping subscriber sets.
    pub(crate) sleepers: Pinned<WriteWord>,
    pub(crate) attachment: Attachment,
    /// What the ring's header says of its messages, and where the ring is. None for a ring within the process.
    pub(crate) found: Option<(Geometry, PathBuf)>,
}

/// What a subscriber keeps for as long as it is attached, beside the ring's memory.
pub(crate) struct Attachment {
    liveness: Liveness,
    /// The control file, until an entry in it is claimed.
    control: Option<(OwnedFd, Memory<WriteWord>)>,
    entry: Option<Entry>,
    /// What the publisher counts instead of entries: a connection, or a reference. Held, not used.
    _counted: Box<dyn Any + Send + Sync>,
}

impl Attachment {
    /// To a ring that counts entries of its control file.
    pub(super) fn with_entries(
        liveness: Liveness,
        control: (OwnedFd, Memory<WriteWord>),
        counted: impl Any + Send + Sync,
    ) -> Self {
        Attachment { liveness, control: Some(control), entry: None, _counted: Box::new(counted) }
    }

    /// To a ring that has no control file.
    pub(super) fn without_entries(liveness: Liveness, counted: impl Any + Send + Sync) -> Self {
        Attachment { liveness, control: None, entry: None, _counted: Box::new(counted) }
    }

    /// Claims an entry, if the ring has entries and one is free. A subscriber without one is not counted; that is all.
    pub(crate) fn claim_entry(&mut self, sequence: u64) -> io::Result<()> {
        if let Some((file, control)) = self.control.take() {
            self.entry = Entry::claim(file, control, sequence)?;
        }
        Ok(())
    }

    /// Writes the subscriber's position into its entry, which only tools read.
    #[inline]
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        if let Some(entry) = &self.entry {
            entry.report(sequence, lost);
        }
    }

    /// How to find out whether the publisher lives.
    #[inline]
    pub(crate) fn liveness(&self) -> &Liveness {
        &self.liveness
    }
}
