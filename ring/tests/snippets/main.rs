//! The snippets of README.md and of this crate's documentation, and its examples, as a reader uses them: each is pasted
//! into a package of its own that depends on `feed-ring` and on what the snippet itself names, compiled and run.
#![cfg(not(loom))]

mod examples;
mod paste;
mod read;

use std::path::{Path, PathBuf};
use std::process::Command;

use feed_testing::{Program, with_mounts};

use read::Snippet;

#[test]
fn every_snippet_and_example_compiles_and_runs_where_it_is_pasted() {
    let snippets = read::all();
    for Snippet { place, text, .. } in &snippets {
        let hidden: Vec<&str> = text.lines().filter(|line| line.trim_start().starts_with("# ")).collect();
        assert!(hidden.is_empty(), "{place}: hidden lines are not pasted: {hidden:?}");
    }
    let pasted: Vec<&Snippet> = snippets.iter().filter(|snippet| snippet.compiles).collect();
    for Snippet { place, text, .. } in &pasted {
        assert!(text.contains("fn main()"), "{place}: not a complete program");
    }
    assert!(pasted.len() > 15, "only {} snippets were found", pasted.len());
    let programs = paste::build(&pasted);
    for (snippet, program) in pasted.iter().zip(&programs).filter(|(snippet, _)| snippet.example.is_none()) {
        let Some(mut command) = in_own_shared_memory(snippet, program) else { continue };
        let finished = Program::start(&mut command).finish();
        assert_eq!(finished.code, Some(0), "{}: {}{}", snippet.place, finished.stdout, finished.stderr);
    }
    let example = |name: &str| -> PathBuf {
        let place = pasted.iter().position(|snippet| snippet.example.as_deref() == Some(name));
        programs[place.unwrap_or_else(|| panic!("no example {name}"))].clone()
    };
    examples::run(example);
}

/// The command for a snippet. One that makes rings gets a `/dev/shm` of its own, so that it meets no other rings. `None`
/// where that is not allowed.
fn in_own_shared_memory(snippet: &Snippet, program: &Path) -> Option<Command> {
    let command = Command::new(program);
    if snippet.makes_files { with_mounts("mount -t tmpfs tmpfs /dev/shm", &command) } else { Some(command) }
}
