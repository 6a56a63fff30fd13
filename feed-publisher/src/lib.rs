//! `feed-publisher`: replays market data, real or synthetic, through a ring in shared memory.

mod attendance;
mod choices;
mod group;
mod message_outlet;
mod messages;
mod options;
mod outlet;
mod progress;
mod record_outlet;
mod run;
mod values;

use std::process::ExitCode;

use clap::CommandFactory;
use feed_program::program;

/// The program.
pub fn main() -> ExitCode {
    program::run("feed-publisher", run::run)
}

/// Its command line, for the manual page and the completions.
pub fn command() -> clap::Command {
    options::Options::command()
}
