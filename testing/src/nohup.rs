//! Programs started as `nohup` starts them.

use std::process::Command;

/// The command with SIGHUP ignored, as `nohup` starts it. Of what was set, program and arguments are kept.
pub fn ignoring_hangups(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' HUP; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell
}
