//! Logs subscribers that attach and leave.
//!
//! A thread of its own looks once a second, only if the log is on. The publishing thread has no part in it.
//!
//! A sealed ring is not watched: the thread that serves it logs its clients.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use feed_ring::inspect::Ring;
use tracing::{Level, debug, enabled, info};

use crate::options::Options;

/// The time between two looks. A subscriber that comes and goes in between is not logged.
const INTERVAL: Duration = Duration::from_secs(1);

/// The watching thread, if there is one. It ends when this is dropped.
pub(crate) struct Attendance(Option<(Sender<RingName>, JoinHandle<()>)>);

/// The root and the name of a ring.
type RingName = (std::path::PathBuf, String);

impl Attendance {
    /// Starts the thread, which waits for [`begin`](Self::begin). Call it before the calling thread is pinned to a CPU:
    /// the new thread would inherit the CPU and compete with the publishing thread.
    pub(crate) fn prepare(options: &Options) -> Self {
        if !enabled!(Level::INFO) || options.serve.is_some() {
            return Attendance(None);
        }
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name("attendance".to_owned()).spawn(move || watch(&receiver));
        Attendance(thread.ok().map(|thread| (sender, thread)))
    }

    /// Starts watching the ring that was just created.
    pub(crate) fn begin(&self, options: &Options) {
        if let Attendance(Some((sender, _))) = self {
            // Sending fails if the thread ended because it could not open the ring.
            let _ = sender.send((options.root.clone(), options.ring.clone()));
        }
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn watch(places: &Receiver<RingName>) {
    let Ok((root, name)) = places.recv() else { return };
    let ring = match Ring::open(&root, &name) {
        Ok(ring) => ring,
        Err(error) => return debug!(ring = name, %error, "cannot see who attaches"),
    };
    let mut known = BTreeSet::new();
    loop {
        let entries = ring.entries().ok().flatten().unwrap_or_default();
        // An entry that is being claimed has no process id yet.
        let now: BTreeSet<_> =
            entries.iter().filter(|entry| entry.held && entry.pid != 0).map(|entry| (entry.index, entry.pid)).collect();
        for (entry, pid) in known.difference(&now) {
            info!(ring = name, entry, pid, subscribers = now.len(), "subscriber left");
        }
        for (entry, pid) in now.difference(&known) {
            info!(ring = name, entry, pid, subscribers = now.len(), "subscriber attached");
        }
        known = now;
        if places.recv_timeout(INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}
