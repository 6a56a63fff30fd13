//! One look at one ring, or at all of them: what every command that shows rings shows of them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, UNIX_EPOCH};

use anyhow::Context;
use feed_ring::inspect::{self, FileFacts, Life, Ring, Unread};
use feed_ring::{OpenError, Wake};
use serde::Serialize;

use crate::args::why_not_opened;
use crate::output::{printable, shown};

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

/// What stands where a ring could, and is none, or none that can be looked at.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Other {
    pub(crate) name: String,
    pub(crate) uid: Option<u32>,
    pub(crate) owner: Option<String>,
    pub(crate) mode: Option<String>,
    pub(crate) bytes: Option<u64>,
    pub(crate) kind: Kind,
    pub(crate) problem: String,
}

/// In what way something cannot be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// It is not a ring, whatever its name says.
    NotARing,
    /// The kernel, or the publisher of a sealed ring, does not let this user.
    NotAllowed,
    /// A ring of another version.
    OtherVersion,
    /// A ring that contradicts itself.
    Damaged,
    /// A sealed ring that nobody serves (any more).
    NotServed,
    /// The kernel said something else.
    Failed,
}

impl Kind {
    /// The same in words.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Kind::NotARing => "no ring",
            Kind::NotAllowed => "permission denied",
            Kind::OtherVersion => "another version",
            Kind::Damaged => "damaged",
            Kind::NotServed => "not served",
            Kind::Failed => "failed",
        }
    }

    fn of(error: &OpenError) -> Self {
        match error {
            OpenError::Name(_) | OpenError::NotARing { .. } => Kind::NotARing,
            OpenError::Permission { .. } | OpenError::Refused { .. } => Kind::NotAllowed,
            OpenError::Abi { .. } => Kind::OtherVersion,
            OpenError::Geometry { .. } | OpenError::Unsealed { .. } => Kind::Damaged,
            OpenError::NotFound { .. } | OpenError::NotServed { .. } => Kind::NotServed,
            _ => Kind::Failed,
        }
    }
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
            // What is no UTF-8 is no ring's name, with the letter in it that stands for such bytes.
            match look(&name.to_string_lossy(), |text| Ring::open(root, text), false) {
                Ok((_, snapshot)) => survey.rings.push(snapshot),
                // Its publisher closed it between two looks.
                Err(_) if names.is_empty() && FileFacts::of_candidate(root, &name).is_err() => {}
                Err((kind, problem)) => {
                    let file = FileFacts::of_candidate(root, &name).ok();
                    survey.others.push(Other::new(shown(&name), file, kind, &problem));
                }
            }
        }
        Ok(survey)
    }
}

/// Opens a ring and looks at it, or says why that cannot be.
fn look(
    name: &str,
    open: impl FnOnce(&str) -> Result<Ring, OpenError>,
    sealed: bool,
) -> Result<(Ring, Snapshot), (Kind, String)> {
    let ring = open(name).map_err(|error| (Kind::of(&error), why_not_opened(&error, sealed)))?;
    match Snapshot::of(name, &ring) {
        Ok(snapshot) => Ok((ring, snapshot)),
        Err(error) => Err((Kind::Damaged, format!("{error:#}"))),
    }
}

impl Other {
    fn new(name: String, file: Option<FileFacts>, kind: Kind, problem: &str) -> Self {
        Other {
            name,
            uid: file.map(|file| file.uid),
            owner: file.map(|file| user(file.uid)),
            mode: file.map(octal),
            bytes: file.map(|file| file.bytes),
            kind,
            problem: printable(problem),
        }
    }
}

/// The names that were given, or those of everything in `root` that may be a ring.
pub(crate) fn names_in(root: &Path, names: &[String]) -> anyhow::Result<Vec<OsString>> {
    if !names.is_empty() {
        return Ok(names.iter().map(OsString::from).collect());
    }
    inspect::names(root)
        .with_context(|| format!("{}: cannot list the rings (choose another --root DIRECTORY)", root.display()))
}

/// Where a command looks again and again: a root, and sealed rings, which stand in none.
pub(crate) struct Places<'a> {
    root: &'a Path,
    /// The rings of the root that are looked at; all of them if none is named.
    names: &'a [String],
    sealed: Vec<Sealed>,
}

impl<'a> Places<'a> {
    pub(crate) fn new(root: &'a Path, names: &'a [String], connect: &[PathBuf]) -> Self {
        let mut paths: Vec<&PathBuf> = Vec::new();
        for path in connect {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        Places { root, names, sealed: paths.into_iter().map(|path| Sealed::at(path)).collect() }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root
    }

    /// Looks at all of them: at the sealed rings, too, if the root cannot be read.
    pub(crate) fn look(&mut self) -> (Survey, anyhow::Result<()>) {
        let (mut survey, result) = match Survey::take(self.root, self.names) {
            Ok(survey) => (survey, Ok(())),
            Err(error) => (Survey::default(), Err(error)),
        };
        for sealed in &mut self.sealed {
            match sealed.look() {
                Ok(snapshot) => survey.rings.push(snapshot),
                Err(other) => survey.others.push(*other),
            }
        }
        (survey, result)
    }
}

/// A sealed ring that is looked at again and again. Its publisher would notice each connection, so there is one for each
/// ring, and not one for each look.
struct Sealed {
    path: PathBuf,
    ring: Option<Ring>,
    /// How the ring was last seen that has ended: its memory is given back then.
    ended: Option<Snapshot>,
}

impl Sealed {
    fn at(path: &Path) -> Self {
        Sealed { path: path.to_owned(), ring: None, ended: None }
    }

    fn look(&mut self) -> Result<Snapshot, Box<Other>> {
        let name = shown(self.path.as_os_str());
        let known = self.ring.as_ref().and_then(|ring| Some((ring, Snapshot::of(&name, ring).ok()?)));
        let known = known.map(|(ring, snapshot)| (ring.publisher() == Life::Alive, ring.is_current(), snapshot));
        if let Some((true, true, snapshot)) = known {
            return Ok(snapshot);
        }
        // It ended, or another took its socket.
        match (look(&name, |_| Ring::connect(&self.path), true), known) {
            (Ok((ring, snapshot)), _) => {
                (self.ring, self.ended) = (Some(ring), None);
                Ok(snapshot)
            }
            (Err(_), Some((true, _, snapshot))) => Ok(snapshot),
            (Err((kind, problem)), known) => {
                self.ring = None;
                if let Some((.., mut snapshot)) = known {
                    // Who is still attached to it can no longer be seen.
                    (snapshot.subscribers, snapshot.slowest_lag) = (None, None);
                    self.ended = Some(snapshot);
                }
                let file = FileFacts::of_path(&self.path).ok();
                self.ended.clone().ok_or_else(|| Box::new(Other::new(name, file, kind, &problem)))
            }
        }
    }
}

/// Where rings were when they were last looked at: tells their rates.
#[derive(Debug, Default)]
pub(crate) struct Rates {
    known: HashMap<(String, String), Known>,
    /// The rate is that of at least so long: looks may come closer upon each other.
    window: Duration,
}

/// Where a ring was when its rate was last told, and the rate.
#[derive(Clone, Copy, Debug)]
struct Known {
    published: u64,
    then: Instant,
    rate: Option<f64>,
}

impl Rates {
    pub(crate) fn over(window: Duration) -> Self {
        Rates { known: HashMap::new(), window }
    }

    /// Fills in the rate of each ring that was there before, and forgets those that are gone.
    pub(crate) fn apply(&mut self, rings: &mut [Snapshot]) {
        self.apply_at(Instant::now(), rings);
    }

    fn apply_at(&mut self, now: Instant, rings: &mut [Snapshot]) {
        let mut before = std::mem::take(&mut self.known);
        for ring in rings {
            let key = (ring.name.clone(), ring.nonce.clone());
            let known = match before.remove(&key) {
                None => Known { published: ring.published, then: now, rate: None },
                Some(known) if now > known.then && now - known.then >= self.window => {
                    let messages = ring.published.saturating_sub(known.published) as f64;
                    let rate = Some(messages / (now - known.then).as_secs_f64());
                    Known { published: ring.published, then: now, rate }
                }
                Some(known) => known,
            };
            ring.rate = known.rate;
            self.known.insert(key, known);
        }
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
