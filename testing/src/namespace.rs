//! Programs with other mounts than this machine's.

use std::process::Command;

use crate::data::skipped;

/// The command in a mount namespace of its own, in which this shell script runs first. `None`, and a line on standard
/// error, where that is not allowed. Of what was set, program and arguments are kept.
pub fn with_mounts(script: &str, command: &Command) -> Option<Command> {
    let allowed =
        Command::new("unshare").args(["--mount", "true"]).output().is_ok_and(|output| output.status.success());
    if !allowed {
        skipped("a mount namespace needs root and the program unshare");
        return None;
    }
    let mut inner = Command::new("unshare");
    // Private by default: nothing that the script mounts is seen outside.
    inner.args(["--mount", "sh", "-c", &format!("set -e; {script}; exec \"$0\" \"$@\"")]);
    inner.arg(command.get_program()).args(command.get_args());
    Some(inner)
}
