//! zenoh as the engine: one session, whose settings are for data that must arrive.

use std::net::{TcpStream, ToSocketAddrs};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, anyhow};
use feed_program::say::say;
use serde_json::{Value, json};
use zenoh::bytes::ZBytes;
use zenoh::config::Config;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::CongestionControl;
use zenoh::query::{ConsolidationMode, Query, QueryTarget, Queryable};
use zenoh::{Session, Wait};

use crate::engine::{Answer, Engine, Held, Inlet, Outlet};
use crate::engine_options::EngineOptions;

/// How long a put waits for a subscriber that takes nothing. zenoh closes the session after it, and what was accepted
/// before is lost: 5 s by default. No value means for ever (-1 panics).
const WAIT_BEFORE_CLOSE: Duration = Duration::from_secs(3600);

/// How long an address has to answer, where it is asked why there is no session.
const ANSWERS: Duration = Duration::from_secs(1);

/// How many questions may wait to be answered.
const QUESTIONS: usize = 64;

/// How many replies may wait for the one that asked, before its answerers wait.
const REPLIES: usize = 16;

/// A session of zenoh. Dropping it closes it.
///
/// `inlet` is called on the thread that reads the network: while it blocks, nothing else that the same session sent is
/// read, and the session is lost after `--lease`. Answers have a thread of their own.
#[derive(Debug)]
pub struct ZenohEngine {
    session: Session,
}

impl ZenohEngine {
    /// Opens a session: listens, and connects to whom it reaches within half a second. It goes on trying to reach the
    /// others, and to reach again whom it loses.
    ///
    /// # Errors
    /// Files that cannot be read or hold no certificate, an address that is in use or none.
    pub fn open(options: &EngineOptions) -> anyhow::Result<Self> {
        let config = config(options)?;
        let session = zenoh::open(config).wait().map_err(|error| explained(options, &*error))?;
        let engine = ZenohEngine { session };
        if !options.connect.is_empty() && engine.peers() == 0 {
            for endpoint in options.connect_to()? {
                say(format_args!("feed-bridge: {endpoint}: {}; goes on trying", why_not(&endpoint)));
            }
        }
        Ok(engine)
    }
}

/// Why an address is not connected to. zenoh tells only its log.
fn why_not(endpoint: &str) -> &'static str {
    let place = endpoint.split_once('/').map_or(endpoint, |(_, place)| place);
    let mut addresses = place.to_socket_addrs().into_iter().flatten().peekable();
    if addresses.peek().is_none() {
        return "not connected yet: no such host";
    }
    if addresses.any(|address| TcpStream::connect_timeout(&address, ANSWERS).is_ok()) {
        return "not connected yet: somebody answers there, and refuses, or is no bridge: see what user, password and certificate it expects \
                (RUST_LOG=zenoh=warn tells more)";
    }
    "not connected yet: nobody answers there"
}

/// The error of opening, in one line and with what was asked for.
fn explained(options: &EngineOptions, error: &(dyn std::error::Error + Send + Sync)) -> anyhow::Error {
    let text = error.to_string();
    let text = text.split(" at /").next().unwrap_or(&text).trim();
    let hint = match text {
        text if text.contains("Address already in use") => ": another program listens there: choose another port",
        text if text.contains("Cannot assign requested") => ": no address of this machine",
        _ => "",
    };
    let tried = [&options.listen[..], &options.connect[..]].concat().join(", ");
    anyhow!("cannot open the session ({tried}): {text}{hint}")
}

/// The settings of a session.
fn config(options: &EngineOptions) -> anyhow::Result<Config> {
    let wait = options.wait_before_close.unwrap_or(WAIT_BEFORE_CLOSE);
    let retry = json!({ "period_init_ms": 200, "period_max_ms": 1000, "period_increase_factor": 2 });
    let mut settings = vec![
        // Each session forwards. Peers would not be reached through a router by other peers, clients wait until they are connected.
        ("mode", json!("router")),
        ("connect/endpoints", json!(options.connect_to()?)),
        // For ever, in the background: whoever starts first waits for the other.
        ("connect/timeout_ms", json!(-1)),
        ("connect/exit_on_failure", json!(false)),
        ("connect/retry", retry),
        ("listen/endpoints", json!(options.listen_at()?)),
        ("listen/timeout_ms", json!(0)),
        ("listen/exit_on_failure", json!(true)),
        // Nobody is found whom the command line does not name.
        ("scouting/multicast/enabled", json!(false)),
        ("scouting/gossip/enabled", json!(false)),
        ("adminspace/enabled", json!(false)),
        ("timestamping/enabled", json!(false)),
        ("transport/link/tx/lease", json!(options.lease * 1000)),
        ("transport/link/tx/queue/congestion_control/block/wait_before_close", json!(wait.as_micros() as u64)),
        ("transport/unicast/compression/enabled", json!(options.compress)),
    ];
    let mut tls = serde_json::Map::new();
    for (key, flag, path) in [
        ("root_ca_certificate", "--tls-ca", &options.tls_ca),
        ("listen_certificate", "--tls-cert", &options.tls_cert),
        ("listen_private_key", "--tls-key", &options.tls_key),
        ("connect_certificate", "--tls-client-cert", &options.tls_client_cert),
        ("connect_private_key", "--tls-client-key", &options.tls_client_key),
    ] {
        let Some(path) = path else { continue };
        let text = std::fs::read_to_string(path).with_context(|| format!("{flag}: cannot read {}", path.display()))?;
        anyhow::ensure!(text.contains("-----BEGIN "), "{flag}: {}: no PEM: expected -----BEGIN", path.display());
        tls.insert(key.to_owned(), json!(path));
    }
    tls.insert("enable_mtls".to_owned(), json!(options.tls_require_client || options.tls_client_cert.is_some()));
    tls.insert("verify_name_on_connect".to_owned(), json!(true));
    settings.push(("transport/link/tls", Value::Object(tls)));
    if let Some((user, password)) = options.credentials()? {
        settings.push(("transport/auth/usrpwd", json!({ "user": user, "password": password })));
    }
    if let Some(path) = options.users()? {
        settings.push(("transport/auth/usrpwd/dictionary_file", json!(path)));
    }
    let mut config = Config::default();
    for (key, value) in settings {
        // The value may be a password: it is not part of the error.
        config.insert_json5(key, &value.to_string()).map_err(|_| anyhow!("zenoh refuses its setting {key}"))?;
    }
    Ok(config)
}

/// An error of zenoh as one of ours.
fn failed(what: &str, key: &str) -> impl FnOnce(zenoh::Error) -> anyhow::Error {
    let what = format!("cannot {what} {key}");
    move |error| anyhow!("{what}: {error}")
}

impl Engine for ZenohEngine {
    fn outlet(&self, key: &str) -> anyhow::Result<Box<dyn Outlet>> {
        let publisher = self
            .session
            .declare_publisher(key.to_owned())
            .congestion_control(CongestionControl::Block)
            .express(true) // a frame waits for no other
            .wait()
            .map_err(failed("publish under", key))?;
        Ok(Box::new(ZenohOutlet(publisher)))
    }

    fn subscribe(&self, key: &str, inlet: Inlet) -> anyhow::Result<Box<dyn Held>> {
        let subscriber = self
            .session
            .declare_subscriber(key.to_owned())
            .callback(move |sample| inlet(&sample.payload().to_bytes()))
            .wait()
            .map_err(failed("subscribe to", key))?;
        Ok(Box::new(Subscribed(subscriber)))
    }

    fn answer(&self, key: &str, answer: Answer) -> anyhow::Result<Box<dyn Held>> {
        // Replies may block. On the thread that reads the network, two sessions that answer each other would wait for ever.
        let (questions, asked) = mpsc::sync_channel::<Query>(QUESTIONS);
        let thread = thread::Builder::new().name("feed-bridge-ans".to_owned()).spawn(move || {
            asked.iter().for_each(|query| reply_to(&query, &answer));
        })?;
        let queryable = self
            .session
            .declare_queryable(key.to_owned())
            .callback(move |query| {
                // One that finds no room is not answered: whoever asked asks again.
                let _ = questions.try_send(query);
            })
            .wait()
            .map_err(failed("answer under", key))?;
        Ok(Box::new(Answering { queryable: Some(queryable), thread: Some(thread) }))
    }

    fn ask(&self, key: &str, question: &[u8], timeout: Duration, reply: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let (replies, received) = mpsc::sync_channel(REPLIES);
        self.session
            .get(key.to_owned())
            .payload(question)
            .target(QueryTarget::All)
            .consolidation(ConsolidationMode::None)
            .congestion_control(CongestionControl::Block)
            .timeout(timeout)
            .callback(move |reply| {
                // An error is a timeout, or an answerer that went away: the others go on.
                if let Ok(sample) = reply.into_result() {
                    let _ = replies.send(sample.payload().clone());
                }
            })
            .wait()
            .map_err(failed("ask under", key))?;
        received.iter().for_each(|payload: ZBytes| reply(&payload.to_bytes()));
        Ok(())
    }

    fn peers(&self) -> usize {
        let info = self.session.info();
        info.peers_zid().wait().count() + info.routers_zid().wait().count()
    }
}

/// Gives one question its replies, which wait as the question says that they should.
fn reply_to(query: &Query, answer: &Answer) {
    let question = query.payload().map(|payload| payload.to_bytes().into_owned()).unwrap_or_default();
    let key = query.key_expr().clone();
    answer(&question, &mut |reply| query.reply(key.clone(), reply).wait().map_err(failed("reply under", key.as_str())));
}

struct ZenohOutlet(Publisher<'static>);

impl Outlet for ZenohOutlet {
    fn put(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.0.put(frame).wait().map_err(failed("send under", self.0.key_expr().as_str()))
    }

    fn has_subscribers(&self) -> bool {
        self.0.matching_status().wait().is_ok_and(|status| status.matching())
    }
}

struct Subscribed(#[expect(dead_code, reason = "dropping it ends the subscription")] Subscriber<()>);

impl Held for Subscribed {}

struct Answering {
    queryable: Option<Queryable<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Held for Answering {}

impl Drop for Answering {
    fn drop(&mut self) {
        // The callback goes with the queryable, and its end of the channel with it: then the thread ends.
        drop(self.queryable.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
