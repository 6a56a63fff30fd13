//! `make report`: every way to move a feed message between two processes, measured side by side.

use std::process::ExitCode;

use clap::Parser as _;
use feed_ring_benches::contenders;
use feed_ring_benches::report::options::Options;
use feed_ring_benches::report::{run, visitor};

fn main() -> ExitCode {
    // The program runs itself for each pair of processes; its users need not know.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == visitor::SUBCOMMAND) {
        return visitor::obey(&visitor::Orders::parse_from(std::env::args_os().skip(1))).into();
    }
    let options = Options::parse();
    if options.list {
        for row in options.select(contenders::all()) {
            println!("{}", row.name);
        }
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
