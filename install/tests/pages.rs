//! The manual pages and completions name every option that `--help` names.

use std::fs;
use std::path::Path;
use std::process::Command;

use feed_manuals::{programs, write_all};
use feed_testing::{PrivateRoot, skipped};

/// The long options of a command that `--help` shows.
fn options(command: &clap::Command) -> Vec<String> {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    shown.filter_map(|argument| argument.get_long()).map(|long| format!("--{long}")).collect()
}

fn read(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn written() -> PrivateRoot {
    let root = PrivateRoot::new();
    write_all(root.path()).unwrap();
    root
}

#[test]
fn each_page_has_its_options() {
    let root = written();
    let mut pages = 0;
    for mut program in programs() {
        program.build();
        let name = program.get_name().to_owned();
        let subcommands = program.get_subcommands().filter(|command| command.get_name() != "help");
        let all = subcommands.map(|command| (format!("{name}-{}.1", command.get_name()), command));
        for (file, command) in all.chain([(format!("{name}.1"), &program)]) {
            // A hyphen of an option is escaped in a page.
            let page = read(root.path(), &file).replace("\\-", "-");
            assert!(page.contains(".SH NAME") && page.contains(".SH SYNOPSIS"), "{page}");
            let options = options(command);
            assert!(!options.is_empty(), "{file}");
            options.iter().for_each(|option| assert!(page.contains(option), "{file} lacks {option}"));
            pages += 1;
        }
    }
    assert_eq!(root.names().iter().filter(|name| name.ends_with(".1")).count(), pages, "and no others");
}

#[test]
fn each_completion_has_its_options() {
    let root = written();
    for program in programs() {
        let name = program.get_name();
        for file in [format!("{name}.bash"), format!("_{name}"), format!("{name}.fish")] {
            let script = read(root.path(), &file);
            let commands = program.get_subcommands().chain([&program]);
            for option in commands.flat_map(options) {
                let long = option.trim_start_matches('-');
                let named = script.contains(&option) || script.contains(&format!("-l {long}"));
                assert!(named, "{file} lacks {option}");
            }
        }
    }
}

#[test]
fn groff_formats_the_pages_without_a_complaint() {
    if Command::new("groff").arg("--version").output().is_err() {
        return skipped("groff is not installed");
    }
    let root = written();
    for name in root.names().iter().filter(|name| name.ends_with(".1")) {
        let formatted =
            Command::new("groff").args(["-ww", "-man", "-Tutf8"]).arg(root.path().join(name)).output().unwrap();
        let complaints = String::from_utf8_lossy(&formatted.stderr);
        assert!(formatted.status.success() && complaints.is_empty(), "{name}: {complaints}");
        assert!(formatted.stdout.len() > 500, "{name} is nearly empty");
    }
}

#[test]
fn bash_completes_options() {
    if Command::new("bash").arg("--version").output().is_err() {
        return skipped("bash is not installed");
    }
    let root = written();
    for (program, typed, expected) in [
        ("feed-publisher", "--keep-o", "--keep-open"),
        ("feed-subscriber", "--on-p", "--on-publisher-loss"),
        ("ringctl", "--roo", "--root"),
    ] {
        let script = root.path().join(format!("{program}.bash"));
        let complete = format!(
            "source {}; f=$(complete -p {program} | sed 's/.*-F //; s/ .*//'); COMP_WORDS=({program} {typed}); \
             COMP_CWORD=1; $f {program} {typed} {program}; echo \"${{COMPREPLY[@]}}\"",
            script.display()
        );
        let completed = Command::new("bash").args(["--norc", "-c", &complete]).output().unwrap();
        let (said, errors) = (String::from_utf8_lossy(&completed.stdout), String::from_utf8_lossy(&completed.stderr));
        assert_eq!((said.trim(), &*errors), (expected, ""), "{program}");
    }
}
