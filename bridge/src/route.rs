//! A router: forwards between all bridges that are connected to it.

use std::thread;
use std::time::Duration;

use clap::Args;
use feed_program::say::say;

use crate::engine_options::EngineOptions;
use crate::zenoh::ZenohEngine;

/// How often it looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// The options of `feed-bridge route`.
#[derive(Clone, Debug, Args)]
pub struct RouteOptions {
    /// Where it listens, and whom it connects to
    #[command(flatten)]
    pub engine: EngineOptions,
}

/// Forwards until `stopped` says so. Listens at port 7447 of loopback if the options name neither an address to listen at
/// nor one to connect to.
///
/// # Errors
/// Those of [`ZenohEngine::open`].
pub fn route(options: &RouteOptions, stopped: &dyn Fn() -> bool) -> anyhow::Result<()> {
    let mut engine = options.engine.clone();
    if engine.listen.is_empty() && engine.connect.is_empty() {
        engine.listen.push(String::new());
    }
    let _session = ZenohEngine::open(&engine)?;
    for address in engine.listen_at()? {
        say(format_args!("feed-bridge: forwards at {address}"));
    }
    while !stopped() {
        thread::sleep(LOOK);
    }
    Ok(())
}
