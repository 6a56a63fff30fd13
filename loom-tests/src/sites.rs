//! The sites of the ring's source, found by reading it as text: whatever orders memory there has a name, and whatever has
//! a name is known here.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A named ordering or check in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The file it stands in.
    pub file: String,
}

/// What was found in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The named sites, in order.
    pub sites: Vec<Site>,
    /// What orders memory without a name, or past the shim: one line each.
    pub strays: Vec<String>,
}

/// The ring's sources.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ring/src")
}

/// Reads all files of a folder and those below it, but those of [`OUTSIDE`].
///
/// # Errors
/// What reading them says.
pub fn scan(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if file.is_dir() {
            let Found { sites, strays } = scan(&file)?;
            found.sites.extend(sites);
            found.strays.extend(strays);
        } else if name.ends_with(".rs") && OUTSIDE.iter().all(|(outside, _)| *outside != name) {
            read(&name, &fs::read_to_string(&file)?, &mut found);
        }
    }
    Ok(found)
}

/// Files whose orderings are not the ring's protocol, and why.
pub const OUTSIDE: &[(&str, &str)] = &[
    ("sync.rs", "the shim itself"),
    ("modelled.rs", "its half for models"),
    ("guard.rs", "a table of mappings within one process, which a signal handler reads; std's atomics, no model"),
];

/// Reads one file.
pub fn read(file: &str, text: &str, found: &mut Found) {
    let code = code(text);
    for (at, _) in code.match_indices('(') {
        let called = code[..at].rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
        if !matches!(called, "fence" | "compiler_fence" | "store_ordered" | "on") {
            continue;
        }
        match code[at + 1..].strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((name, _)) => found.sites.push(Site { name: name.to_owned(), file: file.to_owned() }),
            None => found.strays.push(format!("{file}: {called}({}… has no name", head(&code[at + 1..]))),
        }
    }
    for (at, _) in code.match_indices("Ordering::") {
        // fence("P1",Ordering::Release): the call, its name, then the ordering.
        let call = code[..at].strip_suffix("\",").and_then(|before| before.rsplit_once('"')).map(|(before, _)| before);
        if !call.is_some_and(|call| call.ends_with("fence(") || call.ends_with("store_ordered(")) {
            found.strays.push(format!("{file}: {} has no site", head(&code[at..])));
        }
    }
    for past in ["sync::atomic", "outside_models", "Atomic", "read_volatile", "write_volatile"] {
        if code.contains(past) {
            found.strays.push(format!("{file}: {past} belongs into sync.rs"));
        }
    }
    for model in ["cfg(loom", "(loom)", ",loom", "asm!"] {
        if code.contains(model) && file != "copy.rs" {
            found.strays.push(format!("{file}: {model} belongs into sync.rs and copy.rs"));
        }
    }
}

/// A file without comments and tests, and without what rustfmt decides.
fn code(text: &str) -> String {
    let tests = text.find("#[cfg(test)]").into_iter().chain(text.find("#[cfg(all(test")).min();
    let lines = text[..tests.unwrap_or(text.len())].lines();
    let code = lines.map(|line| {
        let comment = line.match_indices("//").map(|(at, _)| at).find(|&at| !line[..at].ends_with(':'));
        &line[..comment.unwrap_or(line.len())]
    });
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    words.join(" ").replace("( ", "(").replace(", ", ",")
}

fn head(code: &str) -> String {
    code.chars().take(24).collect()
}
