//! The program `feed-bridge`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    feed_bridge::main()
}
