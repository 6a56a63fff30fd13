//! The manual pages of the programs and the completions of their command lines, from the command lines themselves.

use std::fs;
use std::io;
use std::path::Path;

use clap::Command;
use clap_complete::Shell;

/// The command lines of all programs.
pub fn programs() -> [Command; 3] {
    [feed_publisher::command(), feed_subscriber::command(), ringctl::command()]
}

/// Writes the manual pages (`PROGRAM.1`, and one of each subcommand) and the completions (`PROGRAM.bash`, `_PROGRAM` for
/// zsh, `PROGRAM.fish`) of all programs into a directory, which is made if it is not there.
///
/// # Errors
/// If a file cannot be written.
pub fn write_all(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    for program in programs() {
        clap_mangen::generate_to(program.clone(), directory)?;
        let name = program.get_name().to_owned();
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            clap_complete::generate_to(shell, &mut program.clone(), &name, directory)?;
        }
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "1") {
            fs::write(&path, with_lines_kept(&fs::read_to_string(&path)?))?;
        }
    }
    Ok(())
}

/// A manual page whose closing text keeps its lines: it has tables and examples.
fn with_lines_kept(page: &str) -> String {
    const EXTRA: &str = ".SH EXTRA\n";
    let Some((before, rest)) = page.split_once(EXTRA) else { return page.to_owned() };
    let (text, after) = rest.find("\n.SH ").map_or((rest, ""), |end| rest.split_at(end + 1));
    format!("{before}{EXTRA}.nf\n{}\n.fi\n{after}", text.trim_end_matches('\n'))
}
