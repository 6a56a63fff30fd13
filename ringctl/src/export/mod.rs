//! `export`: serves metrics of all rings and tables over HTTP, for Prometheus.
//!
//! The format is OpenMetrics text, which Prometheus reads since 2.5. Rings are surveyed at each scrape and at least
//! once per interval, so that the age of the last publish is known to within an interval. No error of a connection ends
//! the exporter.

mod bridge;
mod connections;
mod http;
mod metrics;
mod series;
mod value;

use std::io;
use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use feed_program::say::say;
use feed_program::{logs, remedy, stop};
use tracing::{info, warn};

use self::connections::{Connections, Phase, Place};
use self::http::{Answer, Request};
use self::metrics::Ages;
use self::series::Series;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::{Snapshot, Survey, TableSnapshot, Targets};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The largest number of connections at a time. A client that sends nothing, or does not read its answer, holds one
/// until its timeout, or until its place is needed.
const MAX_CONNECTIONS: usize = 64;

/// The pause after a connection that could not be accepted: the resource that was short may be back then.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(targets: Targets<'_>, listen: &str, sample: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    logs::init();
    let cannot = || format!("{listen}: cannot listen");
    let listener = TcpListener::bind(listen).map_err(|error| {
        anyhow::anyhow!("{}: {error}: choose another address and port (--listen ADDRESS:PORT)", cannot())
    })?;
    // The actual port if port 0 was given.
    let address = listener.local_addr().with_context(cannot)?;
    let mut exporter = Exporter { targets, times: PublishTimes::with_window(sample) };
    exporter.survey().1.with_context(|| format!("{}: cannot look at the rings", exporter.targets.root().display()))?;
    // Nothing has to be put in order first. An answer that is being written is cut off, as for any server that ends.
    stop::call_on_signals(|| std::process::exit(0)).map_err(remedy::failed("handle signals"))?;
    match out.json {
        true => {
            out.json(&serde_json::json!({ "listening": address.to_string() }))?;
            out.flush()?;
        }
        false => say(format_args!("listening at http://{address}/metrics")),
    }
    info!(%address, root = %exporter.targets.root().display(), "listening");
    let (exporter, connections) = (Mutex::new(exporter), Connections::new(MAX_CONNECTIONS));
    std::thread::scope(|scope| {
        let surveying = std::thread::Builder::new().name("ringctl look".to_owned());
        surveying.spawn_scoped(scope, || survey_periodically(&exporter, sample)).context("cannot start a thread")?;
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // No file descriptor left, or the connection is gone: the next one may succeed.
                Err(error) => {
                    warn!(%error, "cannot accept a connection: trying again");
                    std::thread::sleep(PAUSE);
                    continue;
                }
            };
            let Some(place) = connections.admit(stream) else {
                warn!(answering = MAX_CONNECTIONS, "request dropped: so many before it wait for their answers");
                continue;
            };
            // A thread of its own, because a client may be slow.
            let exporter = &exporter;
            let thread = std::thread::Builder::new().name("ringctl answer".to_owned());
            if let Err(error) = thread.spawn_scoped(scope, move || serve(&place, exporter)) {
                warn!(%error, "request dropped: no thread can be started");
            }
        }
    })
}

/// The state that the threads share. Only one of them surveys at a time.
struct Exporter<'a> {
    targets: Targets<'a>,
    times: PublishTimes,
}

impl Exporter<'_> {
    fn survey(&mut self) -> Surveyed {
        self.times.survey(&mut self.targets)
    }
}

fn lock<'a, 'b>(exporter: &'a Mutex<Exporter<'b>>) -> MutexGuard<'a, Exporter<'b>> {
    exporter.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Surveys once per sample interval if no scrape does.
fn survey_periodically(exporter: &Mutex<Exporter<'_>>, sample: Duration) {
    loop {
        let due = lock(exporter).times.surveyed + sample;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut exporter = lock(exporter);
        if exporter.times.surveyed.elapsed() >= sample {
            // The error is in the log and in the next answer.
            let _ = exporter.survey();
        }
    }
}

/// Answers one connection.
fn serve(place: &Place<'_>, exporter: &Mutex<Exporter<'_>>) {
    let request = http::read(&place.stream);
    if !place.begin(Phase::Answering) {
        return warn!("a connection was dropped for another: it sent no request");
    }
    let Some(request) = request else { return };
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
    place.begin(Phase::Writing);
    // A client that is gone needs no answer.
    let _ = http::write(&place.stream, &answer, head_only);
    if place.is_ended() {
        warn!("a connection was dropped for another: it did not read its answer");
    }
}

fn answer(request: &Request, exporter: &Mutex<Exporter<'_>>) -> Answer {
    if !["GET", "HEAD"].contains(&&*request.method) {
        return Answer::text(405, "only GET");
    }
    match request.path() {
        "/metrics" => {
            let mut exporter = lock(exporter);
            let (survey, root) = exporter.survey();
            let times = &exporter.times;
            let ages = Ages {
                rings: survey.rings.iter().map(|ring| times.rings.age(ring)).collect(),
                tables: survey.tables.iter().map(|table| times.tables.age(table)).collect(),
            };
            Answer { status: 200, kind: CONTENT_TYPE, body: metrics::render(survey, root.is_ok(), ages) }
        }
        "/" => Answer::text(200, "metrics are at /metrics"),
        _ => Answer::text(404, "not found; metrics are at /metrics"),
    }
}

/// A survey, and whether the root could be read.
type Surveyed = (Survey, anyhow::Result<()>);

/// The rings and tables over time.
#[derive(Debug)]
struct PublishTimes {
    rings: Series,
    tables: Series,
    /// The time of the last survey.
    surveyed: Instant,
    /// The root could not be read at the last survey, and that was logged.
    unreadable: bool,
}

impl PublishTimes {
    fn with_window(window: Duration) -> Self {
        let series = || Series::with_window(window);
        PublishTimes { rings: series(), tables: series(), surveyed: Instant::now(), unreadable: false }
    }

    fn survey(&mut self, targets: &mut Targets<'_>) -> Surveyed {
        let (mut survey, root) = targets.survey();
        self.surveyed = Instant::now();
        self.rings.add(
            &mut survey.rings,
            root.is_ok(),
            |Snapshot { name, publisher, epoch, published, .. }| {
                info!(ring = name, publisher, epoch, published, "ring appeared");
            },
            |ring, published| info!(ring, published, "ring vanished"),
        );
        self.tables.add(
            &mut survey.tables,
            root.is_ok(),
            |TableSnapshot { name, writer, epoch, stores, .. }| {
                info!(table = name, writer, epoch, stores, "table appeared");
            },
            |table, stores| info!(table, stores, "table vanished"),
        );
        match &root {
            Ok(()) => self.unreadable = false,
            // A root that cannot be read may come back. This is logged once.
            Err(error) if !std::mem::replace(&mut self.unreadable, true) => {
                warn!(error = %format_args!("{error:#}"), "the rings cannot be read");
            }
            Err(_) => {}
        }
        (survey, root)
    }
}
