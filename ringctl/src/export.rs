//! `export`: metrics of all rings over HTTP, for Prometheus.
//!
//! The format is OpenMetrics text, which Prometheus has read since 2.5. One thread looks at the rings, at each scrape and
//! at least once an interval in between, so that the age of the last publish is known to within an interval. Nothing that
//! happens to a connection ends it.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use feed_program::logs;
use feed_program::say::say;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tracing::{info, warn};

use crate::Outcome;
use crate::http::{self, Answer, Request};
use crate::output::Output;
use crate::survey::{Places, Rates, Snapshot, Survey};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Connections that are being answered at one moment, at most: a client that does not ask, or does not read its answer, holds
/// one until its time is over.
const ANSWERING: usize = 64;

/// How long it waits after a connection that could not be accepted: what was short may be there again then.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) fn run(places: Places<'_>, listen: &str, sample: Duration, out: &mut Output) -> anyhow::Result<Outcome> {
    logs::init();
    let cannot = || format!("{listen}: cannot listen");
    let listener = TcpListener::bind(listen).map_err(|error| {
        anyhow::anyhow!("{}: {error}: choose another address and port (--listen ADDRESS:PORT)", cannot())
    })?;
    // The port that was found, where any was asked for.
    let address = listener.local_addr().with_context(cannot)?;
    let mut exporter = Exporter { places, watched: Watched::over(sample) };
    exporter.look().1.with_context(|| format!("{}: cannot look at the rings", exporter.places.root().display()))?;
    match out.json {
        true => {
            out.json(&serde_json::json!({ "listening": address.to_string() }))?;
            out.flush()?;
        }
        false => say(format_args!("listening at http://{address}/metrics")),
    }
    info!(%address, root = %exporter.places.root().display(), "listening");
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
    places: Places<'a>,
    watched: Watched,
}

impl Exporter<'_> {
    fn look(&mut self) -> Looked {
        self.watched.look(&mut self.places)
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
            Answer { status: 200, kind: CONTENT_TYPE, body: metrics(survey, root.is_ok(), &exporter.watched) }
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

    fn look(&mut self, places: &mut Places<'_>) -> Looked {
        let (mut survey, root) = places.look();
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

fn metrics(survey: Survey, readable: bool, watched: &Watched) -> String {
    let mut registry = Registry::default();
    let ages = survey.rings.iter().map(|ring| watched.age(ring)).collect();
    registry.register_collector(Box::new(Metrics { readable, survey, ages }));
    let mut body = String::new();
    match text::encode(&mut body, &registry) {
        Ok(()) => body,
        // Writing to a String cannot fail; a metric that cannot be written is a mistake here, and must be seen.
        Err(error) => format!("# ringctl: {error}\n"),
    }
}

/// A survey as metrics.
#[derive(Debug)]
struct Metrics {
    readable: bool,
    survey: Survey,
    /// Of each ring, in their order.
    ages: Vec<Option<Duration>>,
}

impl Collector for Metrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let rings = &self.survey.rings;
        let name = |ring: &Snapshot| vec![("ring", ring.name.clone())];
        let mut family = |name: &str, help: &str, values: Vec<(Vec<(&'static str, String)>, Value)>| {
            let kind = match values.first() {
                Some((_, Value::Count(_))) => MetricType::Counter,
                Some(_) => MetricType::Gauge,
                None => return Ok(()),
            };
            let name = format!("feed_{name}");
            let mut encoder = encoder.encode_descriptor(&name, help, None, kind)?;
            let (plain, labelled): (Vec<_>, Vec<_>) = values.into_iter().partition(|(labels, _)| labels.is_empty());
            for (labels, value) in labelled {
                value.encode(encoder.encode_family(&labels)?)?;
            }
            // At most one: it is the family itself.
            if let Some((_, value)) = plain.into_iter().next() {
                value.encode(encoder)?;
            }
            Ok::<(), fmt::Error>(())
        };
        family(
            "rings_readable",
            "Whether the directory of the rings could be read",
            vec![(vec![], Value::of(self.readable))],
        )?;
        let readable = rings.iter().map(|ring| (ring.name.clone(), true));
        let unreadable = self.survey.others.iter().map(|other| (other.name.clone(), false));
        family(
            "ring_readable",
            "Whether a ring could be looked at: 0 if it is damaged, of another version, or not a ring",
            readable.chain(unreadable).map(|(name, fine)| (vec![("ring", name)], Value::of(fine))).collect(),
        )?;
        let mut of_rings = |metric: &str, help: &str, value: &dyn Fn(&Snapshot) -> Option<Value>| {
            family(metric, help, rings.iter().filter_map(|ring| Some((name(ring), value(ring)?))).collect())
        };
        of_rings("ring_published_messages", "Messages published since the ring's name began at 0", &|ring| {
            Some(Value::Count(ring.published))
        })?;
        of_rings("ring_publish_rate", "Messages a second over the exporter's --sample, or somewhat longer", &|ring| {
            ring.rate.map(Value::Float)
        })?;
        of_rings("ring_publisher_up", "Whether the publisher is alive", &|ring| {
            Some(Value::of(ring.publisher == "alive"))
        })?;
        of_rings("ring_closed", "Whether the publisher closed the ring", &|ring| {
            Some(Value::of(ring.publisher == "closed"))
        })?;
        of_rings(
            "ring_wakes",
            "Times the event word changed: wakes of sleeping subscribers, and one for each start and end of a publisher",
            &|ring| Some(Value::Count(ring.wakes)),
        )?;
        of_rings("ring_epoch", "The publisher's epoch: one more with each takeover", &|ring| {
            Some(Value::Number(ring.epoch))
        })?;
        of_rings("ring_capacity_slots", "Slots; the ring holds one message less", &|ring| {
            Some(Value::Number(ring.capacity))
        })?;
        of_rings("ring_size_bytes", "Bytes of the ring's segment", &|ring| Some(Value::Number(ring.bytes)))?;
        of_rings("ring_subscribers", "Subscribers attached", &|ring| {
            ring.subscribers.as_ref().map(|subscribers| Value::Number(subscribers.len() as u64))
        })?;
        let ages = rings.iter().zip(&self.ages).filter_map(|(ring, age)| Some((name(ring), Value::age((*age)?))));
        family(
            "ring_last_publish_age_seconds",
            "Since the exporter last saw the published count change, or first saw the ring",
            ages.collect(),
        )?;
        let mut of_subscribers = |metric: &str, help: &str, value: &dyn Fn(&crate::survey::Subscriber) -> Value| {
            let subscribers = rings.iter().flat_map(|ring| {
                ring.subscribers.iter().flatten().map(|subscriber| {
                    let (entry, pid) = (subscriber.entry.to_string(), subscriber.pid.to_string());
                    (vec![("ring", ring.name.clone()), ("entry", entry), ("pid", pid)], value(subscriber))
                })
            });
            family(metric, help, subscribers.collect())
        };
        of_subscribers(
            "ring_subscriber_lag_messages",
            "Messages published before the look and not read yet, up to 1,023 too many",
            &|subscriber| Value::Number(subscriber.lag),
        )?;
        of_subscribers("ring_subscriber_lost_messages", "Messages overwritten before they were read", &|subscriber| {
            Value::Count(subscriber.lost)
        })
    }
}

/// The value of a metric.
enum Value {
    Count(u64),
    Number(u64),
    Float(f64),
}

impl Value {
    fn of(fact: bool) -> Self {
        Value::Number(fact.into())
    }

    fn age(age: Duration) -> Self {
        Value::Float(age.as_secs_f64())
    }

    fn encode(self, encoder: prometheus_client::encoding::MetricEncoder<'_>) -> fmt::Result {
        match self {
            Value::Count(count) => ConstCounter::new(count).encode(encoder),
            // A gauge of whole numbers is an i64; what is larger than that is no lag or size of anything real.
            Value::Number(number) => ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX)).encode(encoder),
            Value::Float(number) => ConstGauge::new(number).encode(encoder),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_that_cannot_be_read_is_a_metric() {
        let body = metrics(Survey::default(), false, &Watched::over(Duration::ZERO));
        assert!(body.contains("feed_rings_readable 0\n"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
