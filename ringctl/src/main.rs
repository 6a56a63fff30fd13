//! The program `ringctl`: see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ringctl::main()
}
