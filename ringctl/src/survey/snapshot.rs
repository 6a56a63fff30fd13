//! One ring, of messages or of records, as it was at one moment: the JSON of `list`, `stat` and `top`.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use feed_ring::Wake;
use feed_ring::inspect::{Life, Ring, Unread};
use serde::Serialize;

use super::owner::{octal, user};
use crate::format::printable;

/// A ring as it was at one moment. Its JSON is that of `list`, `stat` and `top`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Snapshot {
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) uid: u32,
    /// The owner's name, or the uid if it has none.
    pub(crate) owner: String,
    pub(crate) gid: u32,
    /// True for a ring in sealed memory files that came through a socket. Then `path` is that socket.
    pub(crate) sealed: bool,
    /// The permissions of the segment, in octal.
    pub(crate) mode: String,
    /// The size of the segment.
    pub(crate) bytes: u64,
    pub(crate) abi: u64,
    /// `messages` of one size, or `records` of any length.
    pub(crate) kind: &'static str,
    /// What the records are. `None` for messages, and if the header's text says no encoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<String>,
    /// The name of the message type. Of records `records`.
    pub(crate) message: String,
    /// The size of a message; of records, that of the longest that the ring can have.
    pub(crate) message_bytes: usize,
    pub(crate) message_align: u64,
    /// The hash of the schema, in hexadecimal.
    pub(crate) fingerprint: String,
    /// The number of slots. A ring of messages holds one message less; a record may take many slots.
    pub(crate) capacity: u64,
    pub(crate) slot_bytes: usize,
    /// The number that distinguishes rings of the same name, in hexadecimal.
    pub(crate) nonce: String,
    /// The first sequence of the ring.
    pub(crate) base: u64,
    /// The time of creation, UTC.
    pub(crate) created: String,
    /// `alive`, `dead`, `closed`, `superseded` or `unknown`.
    pub(crate) publisher: &'static str,
    pub(crate) publisher_pid: u64,
    /// How the publisher learns that a subscriber sleeps: `membarrier`, or `fence`, also for a thread. `None` if the header has neither.
    pub(crate) wake: Option<&'static str>,
    /// The number of changes of the event word: one for each wake of sleeping subscribers, one for each start and each
    /// end of a publisher. Wraps at 2^32.
    pub(crate) wakes: u64,
    pub(crate) epoch: u64,
    /// The latest epochs and their first sequences.
    pub(crate) epochs: Vec<Epoch>,
    /// The oldest sequence that the ring still holds.
    pub(crate) oldest: u64,
    /// The next sequence to be published.
    pub(crate) published: u64,
    /// Messages per second since the survey before; `None` at the first one.
    pub(crate) rate: Option<f64>,
    /// `None` if the control file cannot be read.
    pub(crate) subscribers: Option<Vec<Subscriber>>,
    /// The largest lag of all subscribers.
    pub(crate) slowest_lag: Option<u64>,
}

/// An epoch and its first sequence.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Epoch {
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

/// An attached subscriber, by its entry in the control file.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subscriber {
    /// The index of its entry.
    pub(crate) entry: usize,
    pub(crate) pid: u64,
    /// The next sequence that it reads, as it last reported.
    pub(crate) sequence: u64,
    /// Messages published and not read when the survey began. Up to 1,023 too many for a subscriber that is reading,
    /// because it reports its `sequence` every 1,024 messages.
    pub(crate) lag: u64,
    /// The messages that it lost.
    pub(crate) lost: u64,
}

impl Snapshot {
    /// Takes a snapshot of a ring.
    pub(crate) fn of(name: &str, ring: &Ring) -> anyhow::Result<Self> {
        let (facts, file) = (ring.facts(), ring.file());
        // The count is read before the subscribers, so that messages published meanwhile are no lag. A subscriber may
        // then be ahead of the count, which is a lag of 0.
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
            kind: if ring.is_records() { "records" } else { "messages" },
            encoding: ring.records_format().and_then(Result::ok).map(|format| format.encoding().to_owned()),
            message: if ring.is_records() { "records".to_owned() } else { type_name(&facts.schema) },
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
            wake: ring.wake().map(Wake::name),
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

    /// The messages lost by all subscribers.
    pub(crate) fn lost(&self) -> u64 {
        self.subscribers.iter().flatten().fold(0, |sum, subscriber| sum.saturating_add(subscriber.lost))
    }

    /// Name and size of the message, for a terminal; of records their encoding, and how long they may be.
    pub(crate) fn message(&self) -> String {
        match (self.kind, self.encoding.as_deref()) {
            ("records", Some("") | None) => format!("records (to {} B)", self.message_bytes),
            ("records", Some(encoding)) => format!("records, {} (to {} B)", printable(encoding), self.message_bytes),
            _ => format!("{} ({} B)", printable(&self.message), self.message_bytes),
        }
    }

    /// How many messages the ring holds once it is full. Of records that is known only then.
    pub(crate) fn holds(&self) -> u64 {
        let is_full = self.oldest > self.base;
        if self.kind == "records" && is_full { (self.published - self.oldest).max(1) } else { self.capacity }
    }
}

/// The name of the type that a schema describes.
pub(super) fn type_name(schema: &str) -> String {
    schema.lines().next().and_then(|line| line.split(' ').next()).unwrap_or("").to_owned()
}

/// The state of a publisher as text.
pub(crate) fn life(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Dead => "dead",
        Life::Closed => "closed",
        Life::Superseded => "superseded",
        Life::Unknown => "unknown",
    }
}

/// A time in ns since 1970, as text in UTC.
pub(crate) fn time(ns: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(ns)).to_string()
}
