//! `make report`: measures every way to move a feed message between two processes, side by side.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use feed_ring_benches::contenders;
use feed_ring_benches::report::options::Options;
use feed_ring_benches::report::{run, subprocess};

fn main() -> ExitCode {
    // The report starts itself again, as a hidden subcommand, for each measurement.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == subprocess::SUBCOMMAND) {
        return subprocess::run(&subprocess::Args::parse_from(std::env::args_os().skip(1))).into();
    }
    let options = Options::parse();
    if options.list {
        let mut output = std::io::stdout().lock();
        let messages = options.select(contenders::all()).into_iter().map(|row| row.name);
        let newest = options.select(contenders::newest()).into_iter().map(|row| row.name);
        // A closed pipe is no error: the reader has read enough.
        let _ = messages.chain(newest).try_for_each(|name| writeln!(output, "{name}"));
        return ExitCode::SUCCESS;
    }
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("report: {error:#}");
            ExitCode::FAILURE
        }
    }
}
