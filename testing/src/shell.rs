//! Programs started from a shell that set something before.

use std::process::Command;

/// The command, started by a shell that ran this script first. Of what was set, program and arguments are kept.
pub fn after(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script}; exec \"$0\" \"$@\"")]);
    shell.arg(command.get_program()).args(command.get_args());
    shell
}

/// The command with SIGHUP ignored, as `nohup` starts it.
pub fn ignoring_hangups(command: &Command) -> Command {
    after("trap '' HUP", command)
}
