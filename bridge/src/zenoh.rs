//! zenoh as the engine.
//!
//! No callback of a session waits for the network: zenoh calls them on the threads that read from it. A question is answered on a
//! thread of its own, and replies are handed over through a channel.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::anyhow;
use zenoh::bytes::ZBytes;
use zenoh::config::Config;
use zenoh::pubsub::{Publisher, Subscriber};
use zenoh::qos::{CongestionControl, Priority};
use zenoh::query::{ConsolidationMode, Query, QueryTarget, Queryable};
use zenoh::{Session, Wait};

use crate::engine::{Answer, Engine, Held, Inlet, Outlet};
use crate::engine_options::EngineOptions;

/// How long a full link is waited for before its session is closed, in us: an hour. zenoh's own five seconds would close the session
/// of a receiver that stands still, and lose all that was accepted for it.
const WAIT_BEFORE_CLOSE: u64 = 3_600_000_000;

/// How long a side may be silent before its session is closed, in ms. A process that ends is noticed at once; this is for machines
/// that vanish, and must be longer than any that only stands still.
const LEASE: u64 = 60_000;

/// Replies that wait to be taken.
const REPLIES: usize = 64;

/// What a session does for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An end of a bridge.
    End,
    /// It forwards what others send.
    Router,
}

/// A zenoh session.
pub struct ZenohEngine {
    session: Session,
}

impl ZenohEngine {
    /// Opens a session. Goes on trying to connect, for ever.
    ///
    /// # Errors
    /// Options that contradict each other, files that cannot be read, an address that cannot be listened on.
    pub fn open(options: &EngineOptions, role: Role) -> anyhow::Result<Self> {
        let config = config(options, role)?;
        let session = zenoh::open(config).wait().map_err(|error| explain(&*error, options))?;
        Ok(ZenohEngine { session })
    }
}

/// zenoh's errors are chains of places in its source: the last line says what it was.
fn explain(error: &dyn std::error::Error, options: &EngineOptions) -> anyhow::Error {
    let text = error.to_string();
    let what = text.lines().next().unwrap_or_default();
    let what = what.split(" at /").next().unwrap_or(what).trim();
    let lower = text.to_lowercase();
    if lower.contains("address already in use") || lower.contains("address in use") {
        let places: Vec<_> = options.listen_endpoints().collect();
        return anyhow!(
            "--listen {}: the address is in use: end who uses it, or choose another port",
            places.join(", ")
        );
    }
    anyhow!("zenoh: {what}")
}

fn config(options: &EngineOptions, role: Role) -> anyhow::Result<Config> {
    let mut config = Config::default();
    let mut set = |key: &str, value: serde_json::Value| {
        config.insert_json5(key, &value.to_string()).map_err(|error| anyhow!("zenoh: {key}: {error}"))
    };
    let mode = match role {
        Role::End => "peer",
        Role::Router => "router",
    };
    set("mode", mode.into())?;
    set("connect/endpoints", options.connect.iter().map(|endpoint| endpoint.0.as_str()).collect::<Vec<_>>().into())?;
    set("connect/timeout_ms", (-1).into())?;
    set("connect/exit_on_failure", false.into())?;
    set(
        "connect/retry",
        serde_json::json!({ "period_init_ms": 100, "period_max_ms": 1000, "period_increase_factor": 2 }),
    )?;
    set("listen/endpoints", options.listen_endpoints().collect::<Vec<_>>().into())?;
    set("listen/exit_on_failure", true.into())?;
    set("scouting/multicast/enabled", false.into())?;
    set("scouting/gossip/enabled", (role == Role::Router).into())?;
    set("timestamping/enabled", false.into())?;
    set("transport/link/tx/lease", LEASE.into())?;
    set("transport/link/tx/keep_alive", 12.into())?;
    let wait = options.wait_before_close_us.unwrap_or(WAIT_BEFORE_CLOSE);
    set("transport/link/tx/queue/congestion_control/block/wait_before_close", wait.into())?;
    set("transport/link/tx/queue/size/real_time", 16.into())?;
    set("transport/unicast/compression/enabled", options.compress.into())?;
    options.secure(&mut set)?;
    Ok(config)
}

/// The error in one line.
fn failed(error: zenoh::Error) -> anyhow::Error {
    let text = error.to_string();
    anyhow!("zenoh: {}", text.split(" at /").next().unwrap_or(&text).trim())
}

impl Engine for ZenohEngine {
    fn outlet(&self, key: &str) -> anyhow::Result<Box<dyn Outlet>> {
        let publisher = self
            .session
            .declare_publisher(key.to_owned())
            .congestion_control(CongestionControl::Block)
            .priority(Priority::RealTime)
            .express(true)
            .wait()
            .map_err(failed)?;
        Ok(Box::new(ZenohOutlet(publisher)))
    }

    fn subscribe(&self, key: &str, inlet: Inlet) -> anyhow::Result<Box<dyn Held>> {
        let subscriber = self
            .session
            .declare_subscriber(key.to_owned())
            .callback(move |sample| inlet(&sample.payload().to_bytes()))
            .wait()
            .map_err(failed)?;
        Ok(Box::new(Subscribed { _subscriber: subscriber }))
    }

    fn answer(&self, key: &str, answer: Answer) -> anyhow::Result<Box<dyn Held>> {
        let (questions, asked) = sync_channel::<Query>(REPLIES);
        let thread = thread::Builder::new().name("answers".to_owned());
        thread.spawn(move || {
            for query in asked {
                let question = query.payload().map(|payload| payload.to_bytes().into_owned()).unwrap_or_default();
                let mut reply = |bytes: &[u8]| {
                    let sent = query.reply(query.key_expr(), ZBytes::from(bytes.to_vec()));
                    sent.wait().map_err(failed)
                };
                answer(&question, &mut reply);
            }
        })?;
        let queryable = self
            .session
            .declare_queryable(key.to_owned())
            .callback(move |query| drop(questions.try_send(query))) // who is not answered asks again
            .wait()
            .map_err(failed)?;
        Ok(Box::new(Answering { _queryable: queryable }))
    }

    fn ask(&self, key: &str, question: &[u8], timeout: Duration, reply: &mut dyn FnMut(&[u8])) -> anyhow::Result<()> {
        let (give, replies): (SyncSender<_>, _) = sync_channel::<zenoh::query::Reply>(REPLIES);
        self.session
            .get(key.to_owned())
            .payload(question.to_vec())
            .target(QueryTarget::All)
            .consolidation(ConsolidationMode::None)
            .congestion_control(CongestionControl::Block) // of the replies, too
            .timeout(timeout)
            .callback(move |reply| drop(give.send(reply)))
            .wait()
            .map_err(failed)?;
        for answer in replies {
            if let Ok(sample) = answer.result() {
                reply(&sample.payload().to_bytes());
            }
        }
        Ok(())
    }

    fn peers(&self) -> usize {
        let info = self.session.info();
        info.peers_zid().wait().count() + info.routers_zid().wait().count()
    }
}

struct ZenohOutlet(Publisher<'static>);

impl Outlet for ZenohOutlet {
    fn put(&mut self, frame: &[u8]) -> anyhow::Result<()> {
        self.0.put(frame.to_vec()).wait().map_err(failed)
    }

    fn has_subscribers(&self) -> bool {
        self.0.matching_status().wait().is_ok_and(|status| status.matching())
    }
}

struct Subscribed {
    _subscriber: Subscriber<()>,
}

impl Held for Subscribed {}

struct Answering {
    _queryable: Queryable<()>,
}

impl Held for Answering {}
