//! The `main` of a program: parses the command line, starts the logs, runs, and turns an error into its exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::failure::Failure;
use crate::{cli, file_size, logs, remedy};

/// Runs a program. Error lines begin with `name`.
///
/// Exit codes: 0 on success, 1 for [`Failure::Runtime`], 2 for [`Failure::Usage`] and for a command line that does not
/// parse. For [`Failure::Usage`], clap ends the process: this function does not return.
pub fn run<Options: Parser>(name: &str, run: impl FnOnce(&Options) -> Result<(), Failure>) -> ExitCode {
    let options = match cli::parse::<Options>(name) {
        Ok(options) => options,
        Err(code) => return code,
    };
    logs::init();
    if let Err(error) = file_size::fail_beyond_limit().map_err(remedy::failed("handle signals")) {
        return Failure::from(error).exit::<Options>(name);
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit::<Options>(name),
    }
}
