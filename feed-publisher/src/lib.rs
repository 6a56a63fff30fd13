//! `feed-publisher`: replays market data, real or synthetic, through a ring in shared memory.

mod attendance;
mod group;
mod messages;
mod options;
mod progress;
mod run;

use std::process::ExitCode;

use feed_program::program;

fn main() -> ExitCode {
    program::run("feed-publisher", run::run)
}
