//! What can be read off the source: every function of the interface catches panics, and pointers are followed in one file only.

use std::fs;
use std::path::{Path, PathBuf};

fn sources() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn no_panic_crosses_the_border() {
    let mut functions = 0;
    for (path, source) in sources() {
        for exported in source.split("#[unsafe(no_mangle)]\n").skip(1) {
            let body = exported.split_once("{\n").unwrap().1;
            let body = body.split_once("\n}\n").unwrap().0;
            let name = exported.split('(').next().unwrap().rsplit(' ').next().unwrap();
            let guarded = ["border(", "border_code(", "border_value(", "receive("].iter().any(|guard| {
                // The guard is all that the function is, but for what names its result.
                body.trim_start().starts_with(guard) || body.contains(&format!("let done = {guard}"))
            });
            assert!(guarded, "{name} of {} is not behind the border", path.display());
            assert!(name.starts_with("fr_"), "{name} of {} has no prefix", path.display());
            functions += 1;
        }
    }
    assert!(functions > 80, "{functions} functions found");
}

#[test]
fn pointers_are_followed_in_one_file() {
    for (path, source) in sources() {
        let is_there = path.ends_with("pointers.rs");
        assert_eq!(source.contains("unsafe {"), is_there, "{}", path.display());
        assert!(!source.contains("unsafe fn"), "{}", path.display());
    }
}
