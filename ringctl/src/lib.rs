//! `ringctl`: inspects, watches, diagnoses and cleans rings and tables in shared memory without disturbing them.
//!
//! Data goes to standard output, everything else to standard error. Exit code 0: nothing is wrong; 1: something is
//! wrong, or an error; 2: a wrong command line. A closed pipe ends it quietly.

mod args;
mod board;
mod clean;
mod doctor;
mod dump;
mod export;
mod format;
mod hex;
mod list;
mod messages;
mod open;
mod outcome;
mod output;
mod records;
mod screen;
mod stat;
mod subscribers;
mod survey;
mod table;
mod tail;
mod top;
mod verify;

use std::process::ExitCode;

use clap::CommandFactory;
use feed_program::stdout::OutputError;
use feed_program::{cli, failure, file_size};

use crate::args::{Args, Command};
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::Targets;

/// The program.
pub fn main() -> ExitCode {
    let args = match cli::parse::<Args>("ringctl") {
        Ok(args) => args,
        Err(code) => return code,
    };
    // Without these two, a segment that is cut short (SIGBUS) or an output that grows too large (SIGXFSZ) would kill this
    // process. With them, both are errors.
    let _ = feed_ring::guard::install();
    let _ = file_size::fail_beyond_limit();
    let mut out = Output::new(args.json);
    let result = run(&args, &mut out);
    let flushed = out.flush();
    match (result, flushed) {
        (Err(error), _) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        (Err(error), _) => failure::report("ringctl", &error),
        (Ok(_), Err(error)) if !error.is_closed() => failure::report("ringctl", &error.into()),
        (Ok(Outcome::Fine), _) => ExitCode::SUCCESS,
        (Ok(Outcome::Wrong), _) => ExitCode::FAILURE,
    }
}

/// Its command line, for the manual page and the completions.
pub fn command() -> clap::Command {
    Args::command()
}

fn run(args: &Args, out: &mut Output) -> anyhow::Result<Outcome> {
    let root = &*args.root;
    match &args.command {
        Command::List { sample } => list::run(root, *sample, out),
        Command::Stat { ring, watch } => stat::run(root, ring, *watch, out),
        Command::Table(args) => board::run(root, args, out),
        Command::Top { names, connect, interval } => top::run(Targets::new(root, names, connect), *interval, out),
        Command::Tail { ring, count, follow } => tail::run(root, ring, *count, *follow, out),
        Command::Dump { ring, sequence, hex, .. } => dump::run(root, ring, sequence, *hex, out),
        Command::Clean { names, kept, dry_run } => clean::run(root, names, *kept, *dry_run, out),
        Command::Verify { names, connect } => verify::run(root, names, connect.as_deref(), out),
        Command::Doctor(machine) => doctor::run(root, machine, out),
        Command::Export { listen, connect, sample } => {
            export::run(Targets::new(root, &[], connect), listen, *sample, out)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(*shell, &mut Args::command(), "ringctl", &mut script);
            let script = String::from_utf8_lossy(&script);
            match out.json {
                true => out.json(&serde_json::json!({ "shell": shell.to_string(), "script": script }))?,
                false => out.text(&script)?,
            }
            Ok(Outcome::Fine)
        }
    }
}

/// True if the reader of standard output closed the pipe.
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref().is_some_and(OutputError::is_closed))
}
