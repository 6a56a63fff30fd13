//! The `main` of a program: parses the command line, starts the logs, runs, and turns an error into its exit code.

use std::process::ExitCode;

use clap::Parser;

use crate::failure::Failure;
use crate::logs;

/// Runs a program. Error lines begin with `name`.
///
/// Exit codes: 0 on success, 1 for [`Failure::Runtime`], 2 for [`Failure::Usage`] and for a command line that does not
/// parse. In the last two cases and for `--help` and `--version`, clap ends the process: this function does not return.
pub fn run<Options: Parser>(name: &str, run: impl FnOnce(&Options) -> Result<(), Failure>) -> ExitCode {
    let options = Options::parse();
    logs::init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit::<Options>(name),
    }
}
