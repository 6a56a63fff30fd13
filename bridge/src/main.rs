//! The program `feed-bridge`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    feed_program::program::run("feed-bridge", feed_bridge::run::run)
}
