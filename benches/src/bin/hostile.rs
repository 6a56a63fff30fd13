//! `make hostile`: measures how long a publish, or a store into a table, takes beside each attack of docs/reliability.md.

use std::process::ExitCode;

use clap::Parser as _;
use feed_ring_benches::hostile;

fn main() -> ExitCode {
    match hostile::run(&hostile::options::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hostile: {error:#}");
            ExitCode::FAILURE
        }
    }
}
