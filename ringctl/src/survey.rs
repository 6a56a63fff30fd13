//! One look at one ring, or at all of them: what every command that shows rings shows of them.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Context;
use feed_ring::Wake;
use feed_ring::inspect::{self, FileFacts, Life, Ring, Unread};
use serde::Serialize;

use crate::output::printable;

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
    /// How often sleepers were woken; begins again after 2^32.
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
    /// Messages published and not read yet; up to 1,023 too many for one that is in the middle of reading, because it tells
    /// its `sequence` so seldom.
    pub(crate) lag: u64,
    /// Messages that it lost.
    pub(crate) lost: u64,
}

/// What stands where a ring could, and is none, or none that can be looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) owner: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) bytes: Option<u64>,
    pub(crate) problem: String,
}

impl Snapshot {
    /// Looks at a ring.
    pub(crate) fn of(name: &str, ring: &Ring) -> anyhow::Result<Self> {
        let (facts, file) = (ring.facts(), ring.file());
        // First the subscribers and then the count: a subscriber is never ahead of what it could read.
        let entries = ring.entries().with_context(|| ring.path().display().to_string())?;
        let held = ring.held();
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

/// All that stands in a root.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Survey {
    pub(crate) rings: Vec<Snapshot>,
    /// What ends in `.ring` and is none.
    pub(crate) others: Vec<Other>,
}

impl Survey {
    /// Looks at every ring in `root`, or at those of these names.
    pub(crate) fn take(root: &Path, names: &[String]) -> anyhow::Result<Self> {
        let mut survey = Survey::default();
        for name in names_in(root, names)? {
            let looked =
                Ring::open(root, &name).map_err(anyhow::Error::from).and_then(|ring| Snapshot::of(&name, &ring));
            match looked {
                Ok(snapshot) => survey.rings.push(snapshot),
                // Its publisher closed it between two looks.
                Err(_) if names.is_empty() && is_gone(root, &name) => {}
                Err(error) => survey.others.push(Other::new(root, &name, &error)),
            }
        }
        Ok(survey)
    }
}

impl Other {
    fn new(root: &Path, name: &str, error: &anyhow::Error) -> Self {
        let file = FileFacts::of_candidate(root, name).ok();
        Other {
            name: printable(name),
            owner: file.map(|file| user(file.uid)),
            mode: file.map(octal),
            bytes: file.map(|file| file.bytes),
            problem: printable(&format!("{error:#}")),
        }
    }
}

fn is_gone(root: &Path, name: &str) -> bool {
    FileFacts::of_candidate(root, name).is_err()
}

/// The names that were given, or those of everything in `root` that may be a ring.
pub(crate) fn names_in(root: &Path, names: &[String]) -> anyhow::Result<Vec<String>> {
    if !names.is_empty() {
        return Ok(names.to_vec());
    }
    let found = inspect::names(root).with_context(|| format!("{}: cannot list the rings", root.display()))?;
    Ok(found.into_iter().map(|name| name.to_string_lossy().into_owned()).collect())
}

/// Where rings were when they were last looked at: tells their rates.
#[derive(Debug, Default)]
pub(crate) struct Rates(HashMap<(String, String), (u64, Instant)>);

impl Rates {
    /// Fills in the rate of each ring that was there before, and forgets those that are gone.
    pub(crate) fn apply(&mut self, rings: &mut [Snapshot]) {
        let now = Instant::now();
        let mut known = HashMap::new();
        for ring in rings {
            let key = (ring.name.clone(), ring.nonce.clone());
            if let Some((published, then)) = self.0.get(&key) {
                let seconds = (now - *then).as_secs_f64();
                if seconds > 0.0 {
                    ring.rate = Some(ring.published.saturating_sub(*published) as f64 / seconds);
                }
            }
            known.insert(key, (ring.published, now));
        }
        self.0 = known;
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

fn octal(file: FileFacts) -> String {
    format!("{:04o}", file.mode)
}

/// The name of a user, out of `/etc/passwd`, or the number.
fn user(uid: u32) -> String {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = users.lines().find_map(|line| {
        let mut parts = line.split(':');
        let (name, _, number) = (parts.next()?, parts.next()?, parts.next()?);
        (number.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| uid.to_string())
}

/// Nanoseconds since 1970 as a time in UTC.
fn time(ns: u64) -> String {
    humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_nanos(ns)).to_string()
}
