//! Finds the snippets: in README.md, in the documentation of `ring/src`, and in `ring/examples`.

use std::fs;
use std::path::{Path, PathBuf};

/// A program as its reader finds it.
pub(crate) struct Snippet {
    /// The file, and the line where it begins.
    pub(crate) place: String,
    pub(crate) text: String,
    /// False if it shows what does not compile.
    pub(crate) compiles: bool,
    /// True if it makes rings, which `no_run` says: rustdoc only compiles it.
    pub(crate) makes_files: bool,
    /// The name of an example.
    pub(crate) example: Option<String>,
}

/// All snippets and examples.
pub(crate) fn all() -> Vec<Snippet> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = in_markdown("README.md", &fs::read_to_string(package.join("../README.md")).expect("README.md"));
    for file in rust_files(&package.join("src")) {
        let text = fs::read_to_string(&file).expect("a source");
        let place = file.strip_prefix(package).unwrap_or(&file).display().to_string();
        found.extend(in_markdown(&place, &documentation(&text)));
    }
    for file in rust_files(&package.join("examples")) {
        let text = fs::read_to_string(&file).expect("an example");
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let place = format!("examples/{name}.rs");
        let first = text.lines().next().unwrap_or("");
        assert!(
            first.contains(&format!("cargo run -p feed-ring --example {name}")),
            "{place} does not say how to run it"
        );
        found.push(Snippet { place, text, compiles: true, makes_files: true, example: Some(name) });
    }
    found
}

/// The Rust files below a directory, in the order of their names.
fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a directory of sources");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let (directories, files): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| path.is_dir());
    let files = files.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    files.chain(directories.iter().flat_map(|directory| rust_files(directory))).collect()
}

/// The documentation comments of a source. Every other line is empty, so that lines keep their numbers.
fn documentation(source: &str) -> String {
    let line = |line: &str| {
        let line = line.trim_start();
        let text = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).unwrap_or("");
        format!("{}\n", text.strip_prefix(' ').unwrap_or(text))
    };
    source.lines().map(line).collect()
}

/// The blocks of Rust in a text. In documentation a block without a language is Rust; in README.md such a block would be
/// shown without colours, so there is none.
fn in_markdown(file: &str, text: &str) -> Vec<Snippet> {
    let mut found = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let Some(language) = line.strip_prefix("```") else { continue };
        let block: Vec<&str> = lines.by_ref().map(|(line, _)| line).take_while(|line| *line != "```").collect();
        let words: Vec<&str> = language.split(',').collect();
        if words.iter().all(|word| ["", "rust", "no_run", "compile_fail"].contains(word) || word.starts_with("E0")) {
            found.push(Snippet {
                place: format!("{file}:{number}"),
                text: block.join("\n") + "\n",
                compiles: !words.contains(&"compile_fail"),
                makes_files: words.contains(&"no_run"),
                example: None,
            });
        } else {
            // `make c` and `make python` run those of their languages.
            let known = ["text", "sh", "c", "python"].contains(&language);
            assert!(known, "{file}:{number}: a block of an unknown kind: {language}");
        }
    }
    found
}
