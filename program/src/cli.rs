//! Parses a command line. `--help` and `--version` that cannot be written are errors.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use crate::failure::report;
use crate::stdout::OutputError;

/// Parses the command line of the program `name`.
///
/// # Errors
/// The exit code, after everything was said: 0 after `--help` and `--version`, 1 if those could not be written, 2 for a
/// command line that does not parse.
pub fn parse<Options: Parser>(name: &str) -> Result<Options, ExitCode> {
    let error = match Options::try_parse() {
        Ok(options) => return Ok(options),
        Err(error) => error,
    };
    let printed = error.print().and_then(|()| io::stdout().flush()).map_err(OutputError::from);
    Err(match printed {
        // A standard error that cannot be written leaves nowhere to say so.
        Err(printed) if !error.use_stderr() && !printed.is_closed() => report(name, &printed.into()),
        _ => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)),
    })
}
