//! One ring as it was at one moment: the JSON of `list`, `stat` and `top`.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use feed_ring::Wake;
use feed_ring::inspect::{Life, Ring, Unread};
use serde::Serialize;

use super::owner::{octal, user};
use crate::format::printable;

/// A ring as it was at one moment. This is also the JSON of `list`, `stat` and `top`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) uid: u32,
    /// The owner's name, or the number again.
    pub(crate) owner: String,
    pub(crate) gid: u32,
    /// Whether it is in sealed memory files and came through a socket; `path` is that socket then.
    pub(crate) sealed: bool,
    /// Permissions of the segment, in octal.
    pub(crate) mode: String,
    /// Bytes of the segment.
    pub(crate) bytes: u64,
    pub(crate) abi: u64,
    /// The name of the message's type.
    pub(crate) message: String,
    pub(crate) message_bytes: usize,
    pub(crate) message_align: u64,
    /// The schema's hash, in hexadecimal.
    pub(crate) fingerprint: String,
    /// Slots; the ring holds one message less.
    pub(crate) capacity: u64,
    pub(crate) slot_bytes: usize,
    /// The number that tells two rings of one name apart, in hexadecimal.
    pub(crate) nonce: String,
    /// The first sequence of the ring.
    pub(crate) base: u64,
    /// When it was made, UTC.
    pub(crate) created: String,
    /// `alive`, `dead`, `closed`, `superseded` or `unknown`.
    pub(crate) publisher: &'static str,
    pub(crate) publisher_pid: u64,
    /// `membarrier` or `fence`: how the publisher finds out that a subscriber sleeps. None if the header says neither.
    pub(crate) wake: Option<&'static str>,
    /// How often the event word changed: once for each time that sleepers were woken, and once for each start and each end
    /// of a publisher. Begins again after 2^32.
    pub(crate) wakes: u64,
    pub(crate) epoch: u64,
    /// The last epochs, each with its first sequence.
    pub(crate) epochs: Vec<Epoch>,
    /// The oldest sequence that is still held.
    pub(crate) oldest: u64,
    /// The next sequence to be published.
    pub(crate) published: u64,
    /// Messages a second since the look before; none if there was none.
    pub(crate) rate: Option<f64>,
    /// None if the control file cannot be read.
    pub(crate) subscribers: Option<Vec<Subscriber>>,
    /// The largest lag of a subscriber.
    pub(crate) slowest_lag: Option<u64>,
}

/// An epoch and where it begins.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Epoch {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

/// A subscriber that is attached, as it says itself in the control file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subscriber {
    /// Its line of the control file.
    pub(crate) entry: usize,
    pub(crate) pid: u64,
    /// The next sequence that it reads, as it last said.
    pub(crate) sequence: u64,
    /// Messages that were published when the look began and are not read yet; up to 1,023 too many for one that is in the
    /// middle of reading, because it tells its `sequence` so seldom.
    pub(crate) lag: u64,
    /// Messages that it lost.
    pub(crate) lost: u64,
}

impl Snapshot {
    /// Looks at a ring.
    pub(crate) fn of(name: &str, ring: &Ring) -> anyhow::Result<Self> {
        let (facts, file) = (ring.facts(), ring.file());
        // First the count and then the subscribers: what is published in between is no lag of theirs. A subscriber may be
        // ahead of the count for that, which is no lag either.
        let held = ring.held();
        let entries = ring.entries().with_context(|| ring.path().display().to_string())?;
        let subscribers = entries.map(|entries| {
            let attached = entries.iter().filter(|entry| entry.held);
            attached
                .map(|entry| Subscriber {
                    entry: entry.index,
                    pid: entry.pid,
                    sequence: entry.sequence,
                    lag: held.end.saturating_sub(entry.sequence),
                    lost: entry.lost,
                })
                .collect::<Vec<_>>()
        });
        anyhow::ensure!(!ring.is_cut_short(), "{}: {}", ring.path().display(), Unread::CutShort);
        Ok(Snapshot {
            name: name.to_owned(),
            path: ring.path().display().to_string(),
            uid: file.uid,
            owner: user(file.uid),
            gid: file.gid,
            sealed: ring.is_sealed(),
            mode: octal(file),
            bytes: file.bytes,
            abi: facts.abi,
            message: facts.schema.lines().next().and_then(|line| line.split(' ').next()).unwrap_or("").to_owned(),
            message_bytes: facts.payload_size,
            message_align: facts.payload_align,
            fingerprint: format!("{:016x}", facts.fingerprint),
            capacity: facts.capacity,
            slot_bytes: facts.slot_size,
            nonce: format!("{:016x}", facts.nonce),
            base: facts.base,
            created: time(facts.created),
            publisher: life(ring.publisher()),
            publisher_pid: ring.publisher_pid(),
            wake: ring.wake().map(|wake| match wake {
                Wake::Fence => "fence",
                Wake::Membarrier => "membarrier",
            }),
            wakes: ring.wakes(),
            epoch: ring.epoch(),
            epochs: ring.epochs().into_iter().map(|(epoch, sequence)| Epoch { epoch, sequence }).collect(),
            oldest: held.start,
            published: held.end,
            rate: None,
            slowest_lag: subscribers.iter().flatten().map(|subscriber| subscriber.lag).max(),
            subscribers,
        })
    }

    /// Messages that its subscribers lost, all together.
    pub(crate) fn lost(&self) -> u64 {
        self.subscribers.iter().flatten().fold(0, |sum, subscriber| sum.saturating_add(subscriber.lost))
    }

    /// Name and size of the message, as it may be shown on a terminal.
    pub(crate) fn message(&self) -> String {
        format!("{} ({} B)", printable(&self.message), self.message_bytes)
    }
}

/// How a publisher's life is written.
pub(crate) fn life(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Dead => "dead",
        Life::Closed => "closed",
        Life::Superseded => "superseded",
        Life::Unknown => "unknown",
    }
}

/// Nanoseconds since 1970 as a time in UTC.
fn time(ns: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(ns)).to_string()
}
