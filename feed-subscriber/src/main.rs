//! The program `feed-subscriber`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    feed_subscriber::main()
}
