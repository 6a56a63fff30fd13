//! No command loses a write error: standard output on a full disk, or not open for writing.

use std::fs::File;
use std::process::{Command, Stdio};

use feed_ring::CellWriter;
use feed_testing::{Finished, PrivateRoot, after, on_a_full_disk};

use crate::rings::live;

/// Every command, and what clap prints.
const COMMANDS: [&[&str]; 18] = [
    &["list"],
    &["stat", "q"],
    &["stat", "q", "--watch", "1"],
    &["tail", "q", "-n", "2"],
    &["tail", "q", "-f"],
    &["dump", "q"],
    &["dump", "q", "--hex"],
    &["table", "t"],
    &["table", "t", "--watch"],
    &["verify"],
    &["doctor"],
    &["clean", "--dry-run"],
    &["completions", "bash"],
    &["help"],
    &["--help"],
    &["-h"],
    &["stat", "--help"],
    &["--version"],
];

fn ringctl(root: &PrivateRoot, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(arguments);
    command
}

fn full(root: &PrivateRoot, arguments: &[&str]) -> Finished {
    on_a_full_disk(&mut ringctl(root, arguments))
}

#[test]
fn every_command_reports_a_full_disk() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "q");
    let _cell = CellWriter::<u64>::options("t").root(&root).create_cell().unwrap();
    let says =
        "cannot write to standard output: No space left on device (os error 28): make room, or send it elsewhere";
    for arguments in COMMANDS {
        full(&root, arguments).assert_one_line("ringctl", 1, &[says]);
        full(&root, &[&["--json"], arguments].concat()).assert_one_line("ringctl", 1, &[says]);
    }
    full(&root, &["--json", "top"]).assert_one_line("ringctl", 1, &[says]);
    full(&root, &["--json", "export", "--listen", "127.0.0.1:0"]).assert_one_line("ringctl", 1, &[says]);
}

#[test]
fn what_went_wrong_first_is_reported() {
    let root = PrivateRoot::new();
    full(&root, &["stat", "none"]).assert_one_line("ringctl", 1, &["no such ring"]);
    full(&root, &["stat"]).assert_usage_error(&["Usage"]);
}

#[test]
fn a_standard_output_that_is_not_open_for_writing_is_an_error() {
    let root = PrivateRoot::new();
    let output = ringctl(&root, &["list"]).stdout(File::open("/dev/null").unwrap()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.starts_with("ringctl: cannot write to standard output: Bad file descriptor"), "{said}");
}

#[test]
fn a_limit_of_file_sizes_is_an_error_and_no_death() {
    let root = PrivateRoot::new();
    let file = root.path().join("script");
    let mut command = after("ulimit -f 1", &ringctl(&root, &["completions", "bash"]));
    let output = command.stdout(File::create(&file).unwrap()).stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let says =
        "cannot write to standard output: File too large (os error 27): raise the limit of a file's size (ulimit -f)";
    assert!(said.contains(says) && said.lines().count() == 1, "{said}");
}
