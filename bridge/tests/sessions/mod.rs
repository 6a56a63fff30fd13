//! Sessions for tests: ports from the system, and waiting for what has to come.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use feed_bridge::engine::Engine;
use feed_bridge::engine_options::EngineOptions;
use feed_bridge::zenoh::ZenohEngine;

/// How long a test waits for what has to come. It fails after that.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A port that nobody listens at.
pub(crate) fn port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

/// The options of who listens at `port`.
pub(crate) fn listening(port: &str) -> EngineOptions {
    EngineOptions { listen: vec![port.to_owned()], lease: 20, ..EngineOptions::default() }
}

/// The options of who connects to `port`.
pub(crate) fn connecting(port: &str) -> EngineOptions {
    EngineOptions { connect: vec![format!("localhost:{port}")], lease: 20, ..EngineOptions::default() }
}

/// A router at `port`.
pub(crate) fn router(port: &str) -> ZenohEngine {
    ZenohEngine::open(&listening(port)).unwrap()
}

/// Waits until `happened`.
pub(crate) fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let start = Instant::now();
    while !happened() {
        assert!(start.elapsed() < PATIENCE, "{what} did not happen");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Two sessions that are connected to each other.
pub(crate) fn pair() -> (ZenohEngine, ZenohEngine) {
    let port = port();
    let here = ZenohEngine::open(&listening(&port)).unwrap();
    let there = ZenohEngine::open(&connecting(&port)).unwrap();
    wait_for("a connection", || here.peers() == 1 && there.peers() == 1);
    (here, there)
}
