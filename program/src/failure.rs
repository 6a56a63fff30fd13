//! Errors that end a program, their exit codes and their line on standard error.

use std::io;
use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::say::{say, with_causes};

/// An error that ends a program.
#[derive(Debug)]
pub enum Failure {
    /// A command-line value that parsed but proved wrong in use: exit code 2.
    Usage(String),
    /// Any other error: exit code 1.
    Runtime(anyhow::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Runtime(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Runtime(error)
    }
}

impl Failure {
    /// Reports the error on standard error and returns its exit code. A usage error is reported as clap reports its own,
    /// and ends the process with code 2 here.
    pub(crate) fn exit<Options: CommandFactory>(self, name: &str) -> ExitCode {
        match self {
            Failure::Usage(message) => Options::command().error(ErrorKind::ValueValidation, message).exit(),
            Failure::Runtime(error) => report(name, &error),
        }
    }
}

/// Writes `name: error: cause` to standard error, in one line; returns exit code 1.
pub fn report(name: &str, error: &anyhow::Error) -> ExitCode {
    say(format_args!("{name}: {}", with_causes(&**error)));
    ExitCode::FAILURE
}
