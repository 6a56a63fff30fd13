//! `feed-subscriber`: follows a ring in shared memory; prints, measures and summarises what it receives.

mod attach;
mod backlog;
mod board;
mod counted;
mod ended;
mod follow;
mod loss_log;
mod options;
mod output;
mod pace;
mod printed;
mod reader;
mod run;
mod status;

use std::process::ExitCode;

use clap::CommandFactory;
use feed_program::program;

/// The program.
pub fn main() -> ExitCode {
    program::run("feed-subscriber", run::run)
}

/// Its command line, for the manual page and the completions.
pub fn command() -> clap::Command {
    options::Options::command()
}
