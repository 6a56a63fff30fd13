//! `export`: metrics of all rings over HTTP, for Prometheus.
//!
//! The format is OpenMetrics text, which Prometheus has read since 2.5. One thread looks at the rings, at each scrape and
//! at least once an interval in between, so that the age of the last publish is known to within an interval.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use tiny_http::{Header, Method, Request, Response, Server};
use tracing::{info, warn};

use crate::Outcome;
use crate::dump::eprint_line;
use crate::survey::{Rates, Snapshot, Survey};

const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Scrapes that are being answered at one moment, at most: a client that does not read its answer holds one.
const ANSWERING: usize = 16;

pub(crate) fn run(root: &Path, listen: &str, sample: Duration) -> anyhow::Result<Outcome> {
    crate::log::init();
    let server = Server::http(listen).map_err(|error| {
        anyhow::anyhow!("{listen}: cannot listen: {error}: choose another address and port (--listen ADDRESS:PORT)")
    })?;
    let mut watched = Watched::default();
    watched.look(root).with_context(|| format!("{}: cannot look at the rings", root.display()))?;
    eprint_line(&format!("listening at http://{}/metrics", server.server_addr()));
    info!(address = %server.server_addr(), root = %root.display(), "listening");
    let mut answering: Vec<std::thread::JoinHandle<()>> = Vec::new();
    loop {
        let request = server.recv_timeout(sample).context("cannot accept connections")?;
        // A root that cannot be read now may be there again later; up says so.
        let survey = watched.look(root);
        if let Err(error) = &survey {
            watched.log_unreadable(error);
        }
        let Some(request) = request else { continue };
        answering.retain(|answer| !answer.is_finished());
        let answer = (answering.len() < ANSWERING).then(|| answer(&request, survey, &watched));
        // Another thread, because a client may be slow to read, and the rings are to be looked at meanwhile.
        match &answer {
            Some(answer) => {
                let status = answer.status_code().0;
                info!(method = %request.method(), url = request.url(), status, "request");
            }
            None => warn!(answering = answering.len(), "request dropped: nobody reads the answers before it"),
        }
        if let Some(answer) = answer {
            answering.push(std::thread::spawn(move || {
                // Who went away before the answer does not want it.
                let _ = request.respond(answer);
            }));
        }
    }
}

fn answer(request: &Request, survey: anyhow::Result<Survey>, watched: &Watched) -> Response<std::io::Cursor<Vec<u8>>> {
    let path = request.url().split('?').next().unwrap_or("");
    if !matches!(request.method(), Method::Get | Method::Head) {
        return Response::from_string("only GET\n").with_status_code(405);
    }
    match path {
        "/metrics" => {
            let header = Header::from_bytes("Content-Type", CONTENT_TYPE).expect("a header of plain letters");
            Response::from_string(metrics(survey, watched)).with_header(header)
        }
        "/" => Response::from_string("metrics are at /metrics\n"),
        _ => Response::from_string("not found; metrics are at /metrics\n").with_status_code(404),
    }
}

/// When rings were last seen to publish.
#[derive(Debug, Default)]
struct Watched {
    rates: Rates,
    /// By name and nonce: the published count, and when it was first seen.
    seen: HashMap<(String, String), (u64, Instant)>,
    /// The root could not be read at the last look, and the log knows.
    unreadable: bool,
}

impl Watched {
    fn look(&mut self, root: &Path) -> anyhow::Result<Survey> {
        let mut survey = Survey::take(root, &[])?;
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
        for ((name, _), (published, _)) in &self.seen {
            info!(ring = name, published, "ring vanished");
        }
        self.seen = seen;
        self.unreadable = false;
        Ok(survey)
    }

    /// Tells the log once that the root cannot be read.
    fn log_unreadable(&mut self, error: &anyhow::Error) {
        if !std::mem::replace(&mut self.unreadable, true) {
            warn!(error = %format_args!("{error:#}"), "the rings cannot be read");
        }
    }

    fn age(&self, ring: &Snapshot) -> Option<Duration> {
        self.seen.get(&key(ring)).map(|(_, since)| since.elapsed())
    }
}

fn key(ring: &Snapshot) -> (String, String) {
    (ring.name.clone(), ring.nonce.clone())
}

fn metrics(survey: anyhow::Result<Survey>, watched: &Watched) -> String {
    let mut registry = Registry::default();
    let readable = survey.is_ok();
    let survey = survey.unwrap_or_default();
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
        of_rings("ring_publish_rate", "Messages a second since the exporter's last look", &|ring| {
            ring.rate.map(Value::Float)
        })?;
        of_rings("ring_publisher_up", "Whether the publisher is alive", &|ring| {
            Some(Value::of(ring.publisher == "alive"))
        })?;
        of_rings("ring_closed", "Whether the publisher closed the ring", &|ring| {
            Some(Value::of(ring.publisher == "closed"))
        })?;
        of_rings("ring_wakes", "How often sleeping subscribers were woken", &|ring| Some(Value::Count(ring.wakes)))?;
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
            "Messages published and not read yet, up to 1,023 too many",
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
        let body = metrics(Err(anyhow::anyhow!("gone")), &Watched::default());
        assert!(body.contains("feed_rings_readable 0\n"), "{body}");
        assert!(body.ends_with("# EOF\n"), "{body}");
    }
}
