//! A subscriber's side of any transport: an opened ring, and what keeps the subscriber attached.

use std::any::Any;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use crate::format::layout::{Geometry, Layout};
use crate::memory::{Memory, Pinned};
use crate::presence::entries::Entry;
use crate::presence::liveness::Liveness;
use crate::sync::{Word, WriteWord};

/// A ring that was just opened, before any message was read from it.
pub(crate) struct Opened {
    pub(crate) memory: Memory<Word>,
    pub(crate) layout: Layout,
    /// The sleepers' flag, which a sleeping subscriber sets.
    pub(crate) sleepers: Pinned<WriteWord>,
    pub(crate) attachment: Attachment,
    /// The geometry from the ring's header, and the ring's path. `None` for a ring within one process.
    pub(crate) found: Option<(Geometry, PathBuf)>,
}

/// The resources that keep a subscriber attached, beside the ring's memory.
pub(crate) struct Attachment {
    liveness: Liveness,
    /// The control file, until an entry in it is claimed.
    control: Option<(OwnedFd, Memory<WriteWord>)>,
    entry: Option<Entry>,
    /// A connection to a sealed ring's server, or a reference that a heap ring's publisher counts. Never read; dropping
    /// it detaches.
    _counted: Box<dyn Any + Send + Sync>,
}

impl Attachment {
    /// An attachment to a ring with a control file.
    pub(super) fn with_entries(
        liveness: Liveness,
        control: (OwnedFd, Memory<WriteWord>),
        counted: impl Any + Send + Sync,
    ) -> Self {
        Attachment { liveness, control: Some(control), entry: None, _counted: Box::new(counted) }
    }

    /// An attachment to a ring without a control file.
    pub(super) fn without_entries(liveness: Liveness, counted: impl Any + Send + Sync) -> Self {
        Attachment { liveness, control: None, entry: None, _counted: Box::new(counted) }
    }

    /// Claims an entry, if the ring has entries and one is free. Without an entry the subscriber works but is not
    /// counted.
    pub(crate) fn claim_entry(&mut self, sequence: u64) -> io::Result<()> {
        if let Some((file, control)) = self.control.take() {
            self.entry = Entry::claim(file, control, sequence)?;
        }
        Ok(())
    }

    /// Stores the subscriber's position in its entry, if it has one. Only tools read it.
    #[inline]
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        if let Some(entry) = &self.entry {
            entry.report(sequence, lost);
        }
    }

    /// The check whether the publisher is alive.
    #[inline]
    pub(crate) fn liveness(&self) -> &Liveness {
        &self.liveness
    }
}
