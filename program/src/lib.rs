//! What the programs of this workspace share and what knows no market data.
//!
//! - [`program`]: the `main` of a program: command line, logs, exit code.
//! - [`cli`]: the command line, `--help` and `--version`.
//! - [`failure`]: errors and their exit codes.
//! - [`bridge`]: what the two ends of a bridge tell of themselves.
//! - [`args`]: flags and value parsers that several programs have.
//! - [`say`]: lines on standard error.
//! - [`remedy`]: what to do about a system call that failed.
//! - [`stdout`]: standard output whose writes end on a signal.
//! - [`stop`]: SIGINT, SIGTERM and SIGHUP as a flag.
//! - [`file_size`]: the limit of a file's size as an error.
//! - [`logs`]: structured logs, switched on by `RUST_LOG`.
//! - [`status_line`]: a line on a terminal that is redrawn in place.
//! - [`rate`]: messages a second over the last second.
//! - [`readable`]: numbers as text for people.

pub mod args;
pub mod bridge;
mod circumstances;
pub mod cli;
pub mod failure;
pub mod file_size;
mod hangup;
mod log_writer;
pub mod logs;
pub mod program;
pub mod rate;
pub mod readable;
pub mod remedy;
pub mod say;
pub mod status_line;
pub mod stdout;
pub mod stop;
