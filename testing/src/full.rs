//! Programs whose standard output is on a full disk.

use std::fs::File;
use std::process::{Command, Stdio};

use crate::program::Finished;

/// Runs a command to its end, with standard output on a full disk (`/dev/full`).
///
/// # Panics
/// If it cannot be started.
pub fn on_a_full_disk(command: &mut Command) -> Finished {
    let full = File::options().write(true).open("/dev/full").expect("/dev/full is there");
    let output = command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(full).output().expect("start a program");
    Finished {
        code: output.status.code(),
        stdout: String::new(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
