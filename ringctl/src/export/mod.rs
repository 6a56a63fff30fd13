//! `export`: metrics of all rings over HTTP, for Prometheus.
//!
//! The format is OpenMetrics text, which Prometheus has read since 2.5. One thread looks at the rings, at each scrape and
//! at least once an interval in between, so that the age of the last publish is known to within an interval. Nothing that
//! happens to a connection ends it.

mod http;
mod metrics;

use std::collections::HashMap;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use feed_program::logs;
use feed_program::say::say;
use tracing::{info, warn};

use self::http::{Answer, Request};
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::{Rates, Snapshot, Survey, Targets};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections that are being answered at one moment, at most: a client that does not ask, or does not read its answer, holds
/// one until its time is over.
const ANSWERING: usize = 64;

/// How long it waits after a connection that could not be accepted: what was short may be there again then.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(targets: Targets<'_>, listen: &str, sample: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    logs::init();
    let cannot = || format!("{listen}: cannot listen");
    let listener = TcpListener::bind(listen).map_err(|error| {
        anyhow::anyhow!("{}: {error}: choose another address and port (--listen ADDRESS:PORT)", cannot())
    })?;
    // The port that was found, where any was asked for.
    let address = listener.local_addr().with_context(cannot)?;
    let mut exporter = Exporter { targets, watched: Watched::over(sample) };
    exporter.look().1.with_context(|| format!("{}: cannot look at the rings", exporter.targets.root().display()))?;
    match out.json {
        true => {
            out.json(&serde_json::json!({ "listening": address.to_string() }))?;
            out.flush()?;
        }
        false => say(format_args!("listening at http://{address}/metrics")),
    }
    info!(%address, root = %exporter.targets.root().display(), "listening");
    let (exporter, answering) = (Mutex::new(exporter), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let looking = std::thread::Builder::new().name("ringctl look".to_owned());
        looking.spawn_scoped(scope, || look_now_and_then(&exporter, sample)).context("cannot start a thread")?;
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // No file descriptor left, a connection that was gone already: the next one may be better off.
                Err(error) => {
                    warn!(%error, "cannot accept a connection: trying again");
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let before = answering.fetch_add(1, Ordering::Relaxed);
            if before >= ANSWERING {
                warn!(answering = before, "request dropped: nobody reads the answers before it");
                answering.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            // Another thread, because a client may be slow to ask and to read.
            let (exporter, answering) = (&exporter, &answering);
            let thread = std::thread::Builder::new().name("ringctl answer".to_owned()).spawn_scoped(scope, move || {
                serve(stream, exporter);
                answering.fetch_sub(1, Ordering::Relaxed);
            });
            if let Err(error) = thread {
                warn!(%error, "request dropped: no thread can be started");
                answering.fetch_sub(1, Ordering::Relaxed);
            }
        }
    })
}

/// What the threads share: one of them looks at a time.
struct Exporter<'a> {
    targets: Targets<'a>,
    watched: Watched,
}

impl Exporter<'_> {
    fn look(&mut self) -> Looked {
        self.watched.look(&mut self.targets)
    }
}

fn lock<'a, 'b>(exporter: &'a Mutex<Exporter<'b>>) -> MutexGuard<'a, Exporter<'b>> {
    exporter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks once a sample, if nobody scrapes.
fn look_now_and_then(exporter: &Mutex<Exporter<'_>>, sample: Duration) {
    loop {
        let due = lock(exporter).watched.looked + sample;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut exporter = lock(exporter);
        if exporter.watched.looked.elapsed() >= sample {
            // What cannot be read is in the log, and in the next answer.
            let _ = exporter.look();
        }
    }
}

/// Answers one connection.
fn serve(mut stream: TcpStream, exporter: &Mutex<Exporter<'_>>) {
    let Some(request) = http::read(&mut stream) else { return };
    let (answer, head_only) = match request {
        Ok(request) => {
            let answer = answer(&request, exporter);
            info!(method = %request.method, url = request.target, status = answer.status, "request");
            (answer, request.method == "HEAD")
        }
        Err(answer) => {
            info!(status = answer.status, "no request");
            (answer, false)
        }
    };
    // Who went away before the answer does not want it.
    let _ = http::write(&mut stream, &answer, head_only);
}

fn answer(request: &Request, exporter: &Mutex<Exporter<'_>>) -> Answer {
    if !["GET", "HEAD"].contains(&&*request.method) {
        return Answer::text(405, "only GET");
    }
    match request.path() {
        "/metrics" => {
            let mut exporter = lock(exporter);
            let (survey, root) = exporter.look();
            let ages = survey.rings.iter().map(|ring| exporter.watched.age(ring)).collect();
            Answer { status: 200, kind: CONTENT_TYPE, body: metrics::render(survey, root.is_ok(), ages) }
        }
        "/" => Answer::text(200, "metrics are at /metrics"),
        _ => Answer::text(404, "not found; metrics are at /metrics"),
    }
}

/// What a look saw, and whether the root could be read.
type Looked = (Survey, anyhow::Result<()>);

/// When rings were last seen to publish.
#[derive(Debug)]
struct Watched {
    rates: Rates,
    /// By name and nonce: the published count, and when it was first seen.
    seen: HashMap<(String, String), (u64, Instant)>,
    /// When it last looked.
    looked: Instant,
    /// The root could not be read at the last look, and the log knows.
    unreadable: bool,
}

impl Watched {
    /// With rates over at least so long: two scrapes may come closer upon each other.
    fn over(window: Duration) -> Self {
        Watched { rates: Rates::over(window), seen: HashMap::new(), looked: Instant::now(), unreadable: false }
    }

    fn look(&mut self, targets: &mut Targets<'_>) -> Looked {
        let (mut survey, root) = targets.look();
        self.rates.apply(&mut survey.rings);
        let (now, mut seen) = (Instant::now(), HashMap::new());
        for ring in &survey.rings {
            let key = key(ring);
            let before = self.seen.remove(&key);
            if before.is_none() {
                let Snapshot { name, publisher, epoch, published, .. } = ring;
                info!(ring = name, publisher, epoch, published, "ring appeared");
            }
            let entry = before.filter(|before| before.0 == ring.published).unwrap_or((ring.published, now));
            seen.insert(key, entry);
        }
        match &root {
            Ok(()) => {
                for ((name, _), (published, _)) in &self.seen {
                    info!(ring = name, published, "ring vanished");
                }
                self.unreadable = false;
            }
            Err(error) => {
                // A root that cannot be read now may be there again later. The log is told once.
                if !std::mem::replace(&mut self.unreadable, true) {
                    warn!(error = %format_args!("{error:#}"), "the rings cannot be read");
                }
                seen.extend(self.seen.drain());
            }
        }
        (self.seen, self.looked) = (seen, now);
        (survey, root)
    }

    fn age(&self, ring: &Snapshot) -> Option<Duration> {
        self.seen.get(&key(ring)).map(|(_, since)| since.elapsed())
    }
}

fn key(ring: &Snapshot) -> (String, String) {
    (ring.name.clone(), ring.nonce.clone())
}
