//! Who attaches to the ring and who leaves it, for the log: looked at once a second by a thread of its own, which is there
//! only if somebody wants the log. The publishing thread has no part in it.
//!
//! A sealed ring is not looked at: the thread that serves it tells who comes and goes.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use feed_ring::inspect::Ring;
use tracing::{Level, debug, enabled, info};

use crate::options::Options;

/// Between two looks. Who comes and goes in between is not seen.
const INTERVAL: Duration = Duration::from_secs(1);

/// The thread that looks, if there is one. It ends when this is dropped.
pub(crate) struct Attendance(Option<(Sender<Place>, JoinHandle<()>)>);

/// Root and name of a ring.
type Place = (std::path::PathBuf, String);

impl Attendance {
    /// Starts the thread, which waits for the ring. To be called before the calling thread is pinned to a processor: the one
    /// that looks is not to take turns with the one that publishes.
    pub(crate) fn prepare(options: &Options) -> Self {
        if !enabled!(Level::INFO) || options.serve.is_some() {
            return Attendance(None);
        }
        let (sender, receiver) = channel();
        let thread = thread::Builder::new().name("attendance".to_owned()).spawn(move || watch(&receiver));
        Attendance(thread.ok().map(|thread| (sender, thread)))
    }

    /// Begins to look at the ring that was just made.
    pub(crate) fn begin(&self, options: &Options) {
        if let Attendance(Some((sender, _))) = self {
            // It ends by itself only if it cannot look.
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

fn watch(places: &Receiver<Place>) {
    let Ok((root, name)) = places.recv() else { return };
    let ring = match Ring::open(&root, &name) {
        Ok(ring) => ring,
        Err(error) => return debug!(ring = name, %error, "cannot see who attaches"),
    };
    let mut known = BTreeSet::new();
    loop {
        let entries = ring.entries().ok().flatten().unwrap_or_default();
        // One that was claimed this moment has no process id yet.
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
