//! The program `feed-publisher`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    feed_publisher::main()
}
