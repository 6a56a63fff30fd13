//! A subscriber's side of any transport: an opened ring, and what keeps the subscriber attached.

use std::any::Any;
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
    /// The sleepers' flag, which a sleeping subscriber sets. `None` if this one cannot write to it.
    pub(crate) sleepers: Option<Pinned<WriteWord>>,
    pub(crate) attachment: Attachment,
    /// The geometry from the ring's header, and the ring's path. `None` for a ring within one process.
    pub(crate) found: Option<(Geometry, PathBuf)>,
}

/// The resources that keep a subscriber attached, beside the ring's memory.
pub(crate) struct Attachment {
    liveness: Liveness,
    /// The control file, until an entry in it is claimed. It may not be there or not be usable: the reason as text.
    control: Option<Result<(OwnedFd, Memory<WriteWord>), String>>,
    /// The claimed entry, or the reason as text why there is none.
    entry: Result<Entry, String>,
    /// A connection to a sealed ring's server, or a reference that a heap ring's publisher counts. Never read; dropping
    /// it detaches.
    _counted: Box<dyn Any + Send + Sync>,
}

impl Attachment {
    /// An attachment to a ring with this control file, or without one for this reason.
    pub(super) fn new(
        liveness: Liveness,
        control: Result<(OwnedFd, Memory<WriteWord>), String>,
        counted: impl Any + Send + Sync,
    ) -> Self {
        Attachment { liveness, control: Some(control), entry: Err(String::new()), _counted: Box::new(counted) }
    }

    /// Claims an entry, if the ring has entries and one is free. Without an entry the subscriber works but is not
    /// counted.
    pub(crate) fn claim_entry(&mut self, sequence: u64) {
        if let Some(control) = self.control.take() {
            self.entry = control.and_then(|(file, words)| Entry::claim(file, words, sequence));
        }
    }

    /// Why it has no entry. `None` if it has one.
    pub(crate) fn without_entry(&self) -> Option<&str> {
        self.entry.as_ref().err().map(String::as_str)
    }

    /// Stores the subscriber's position in its entry, if it has one. Only tools read it.
    #[inline]
    pub(crate) fn report(&self, sequence: u64, lost: u64) {
        if let Ok(entry) = &self.entry {
            entry.report(sequence, lost);
        }
    }

    /// The check whether the publisher is alive.
    #[inline]
    pub(crate) fn liveness(&self) -> &Liveness {
        &self.liveness
    }
}
