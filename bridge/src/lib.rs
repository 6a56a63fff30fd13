//! `feed-bridge`: carries rings to other machines, with their numbers and epochs.
//!
//! [`sender`] is the near end, [`receiver`] the far one, [`engine`] what they need of a messaging system, [`zenoh`] the one that they have.

pub mod engine;
pub mod engine_options;
pub mod far;
mod far_table;
mod near;
mod options;
mod outgoing;
pub mod receiver;
mod relay;
pub mod route;
mod rows;
mod run;
pub mod sender;
mod source;
mod status;
mod summary;
mod wire;
pub mod zenoh;

use std::process::ExitCode;

use clap::CommandFactory;

/// The program.
pub fn main() -> ExitCode {
    feed_program::program::run("feed-bridge", run::run)
}

/// Its command line, for the manual page and the completions.
pub fn command() -> clap::Command {
    options::Options::command()
}

/// Nanoseconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}
