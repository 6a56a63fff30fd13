//! `feed-publisher`: replays market data, real or synthetic, through a ring in shared memory.

mod attendance;
mod group;
mod options;
mod progress;
mod run;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};

use crate::options::Options;
use crate::run::Failure;

fn main() -> ExitCode {
    let options = Options::parse();
    feed::log::init();
    match run::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Usage(message)) => {
            Options::command().error(clap::error::ErrorKind::ValueValidation, message).exit()
        }
        Err(Failure::Runtime(error)) => {
            feed::say::say(format_args!("feed-publisher: {}", feed::say::reasons(&*error)));
            ExitCode::FAILURE
        }
    }
}
