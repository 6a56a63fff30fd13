//! `feed-subscriber`: follows a ring in shared memory; prints, measures and summarises what it receives.

mod account;
mod attach;
mod follow;
mod losses;
mod options;
mod output;
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
            feed::say::say(format_args!("feed-subscriber: {}", feed::say::reasons(&*error)));
            ExitCode::FAILURE
        }
    }
}
