//! `feed-manuals DIRECTORY`: writes the manual pages and completions of all programs into a directory.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(directory), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: feed-manuals DIRECTORY");
        return ExitCode::from(2);
    };
    match feed_manuals::write_all(Path::new(&directory)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("feed-manuals: {}: cannot write there: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}
