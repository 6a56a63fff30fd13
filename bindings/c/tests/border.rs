//! What can be read off the source: every function of the interface catches panics, and pointers are followed in one file only.

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// These only pass a call on to another `extern "C"` function, or receive what is there without a path to a panic.
const PASS_ON: [&str; 4] = ["fr_publish", "fr_try_receive", "fr_receive", "try_receive_array"];

#[test]
fn no_panic_crosses_the_border() {
    let mut functions = 0;
    for (path, source) in sources() {
        for function in source.split("extern \"C\" fn ").skip(1) {
            let Some((head, body)) = function.split_once("{\n") else { continue };
            let name = head.split(['(', '<']).next().unwrap();
            // Of a type of functions there is no name.
            if name.is_empty() || PASS_ON.contains(&name) {
                continue;
            }
            let body = body.split_once("\n}\n").unwrap().0;
            let guarded = ["border(", "border_code(", "border_value(", "receive("].iter().any(|guard| {
                // The guard is all that the function is, but for what names its result.
                body.trim_start().starts_with(guard)
                    || body.contains(&format!("let done = {guard}"))
                    || body.contains(&format!(
                        "else {{ return publish(publisher, message, size, sequence) }};\n    {guard}"
                    ))
            });
            assert!(guarded, "{name} of {} is not behind the border", path.display());
            functions += 1;
        }
    }
    assert!(functions > 80, "{functions} functions found");
}

#[test]
fn what_is_exported_has_the_prefix() {
    for (path, source) in sources() {
        for exported in source.split("#[unsafe(no_mangle)]\n").skip(1) {
            let name = exported.split('(').next().unwrap().rsplit(' ').next().unwrap();
            assert!(name.starts_with("fr_"), "{name} of {} has no prefix", path.display());
        }
    }
}

#[test]
fn pointers_are_followed_in_one_file() {
    for (path, source) in sources() {
        let is_there = path.ends_with("pointers.rs");
        assert_eq!(source.contains("unsafe {"), is_there, "{}", path.display());
        assert!(!source.contains("unsafe fn"), "{}", path.display());
    }
}
