//! Finds the sites in the ring's source, as text: everything that orders memory has a name, and every name is known.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A named ordering or check in the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// The file it is in, by its path within the sources.
    pub file: String,
}

/// What was found in the source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The named sites, in source order.
    pub sites: Vec<Site>,
    /// Code that orders memory without a name, or without the shim: one line each.
    pub strays: Vec<String>,
}

/// The ring's sources.
pub fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../ring/src")
}

/// Reads all files of a folder and its subfolders, except those of the shim.
///
/// # Errors
/// If a file cannot be read.
pub fn scan(folder: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    scan_below(folder, folder, &mut found)?;
    Ok(found)
}

fn scan_below(root: &Path, folder: &Path, found: &mut Found) -> io::Result<()> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    for file in files {
        let path = file.strip_prefix(root).expect("it lies there").to_string_lossy().into_owned();
        if file.is_dir() {
            scan_below(root, &file, found)?;
        } else if path.ends_with(".rs") && !is_shim(&path) {
            read(&path, &fs::read_to_string(&file)?, found);
        }
    }
    Ok(())
}

/// Whether a file is part of the shim, which takes site names as arguments and so has no sites. The kernel's futex is
/// in the same folder, but uses atomics as all other files do.
fn is_shim(path: &str) -> bool {
    path.starts_with("sync/") && path != "sync/futex.rs"
}

/// Files with real atomics, which the shim exports for them because no model can run them: the guard's table of
/// mappings, which a signal handler reads, and the number of a process, which the kernel clears in forked children. Their orderings have names all the same, except relaxed ones, which could
/// not be weaker. (In other files a word's plain load and store are relaxed.)
const OWN_ATOMICS: &[&str] = &["memory/guard.rs", "memory/creator.rs"];

/// Functions whose first argument is the name of a site.
const NAMED: &[&str] = &["fence", "compiler_fence", "store_ordered", "ordered", "on"];

/// Files whose code may depend on being modelled. Tests that loom cannot run may do so in any file.
const MODEL_FILES: &[&str] = &["protocol/copy.rs", "protocol/copy_slots.rs"];

/// Reads one file. `file` is its path within the sources.
pub fn read(file: &str, text: &str, found: &mut Found) {
    let code = code(text);
    for (at, _) in code.match_indices('(') {
        let called = last_word(&code[..at]);
        if !NAMED.contains(&called) {
            continue;
        }
        match code[at + 1..].strip_prefix('"').and_then(|rest| rest.split_once('"')) {
            Some((name, _)) => found.sites.push(Site { name: name.to_owned(), file: file.to_owned() }),
            None => found.strays.push(format!("{file}: {called}({}… has no name", head(&code[at + 1..]))),
        }
    }
    let own = OWN_ATOMICS.contains(&file);
    for (at, _) in code.match_indices("Ordering::") {
        // fence("P1",Ordering::Release): the call, its name, then the ordering.
        let call = code[..at].strip_suffix("\",").and_then(|before| before.rsplit_once('"')).map(|(before, _)| before);
        let call = call.and_then(|call| call.strip_suffix('(')).map(last_word).unwrap_or_default();
        let relaxed = own && code[at..].starts_with("Ordering::Relaxed");
        if !relaxed && !NAMED.contains(&call) {
            found.strays.push(format!("{file}: {} has no site", head(&code[at..])));
        }
    }
    let past = ["sync::atomic", "outside_models", "Atomic", "read_volatile", "write_volatile"];
    for past in if own { &past[3..] } else { &past[..] } {
        if code.contains(past) {
            found.strays.push(format!("{file}: {past} belongs into sync/"));
        }
    }
    if MODEL_FILES.contains(&file) {
        return;
    }
    // cfg(…), cfg!(…), cfg_attr(…,…): the text up to the next bracket, brace or semicolon contains the condition.
    let depends = code.split("cfg").skip(1).any(|after| {
        let condition = after.split([']', '{', ';']).next().unwrap_or_default();
        condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "loom")
    });
    for (model, there) in [("cfg(loom)", depends), ("asm!", code.contains("asm!"))] {
        if there {
            found.strays.push(format!("{file}: {model} belongs into sync/ and the copies of protocol/"));
        }
    }
}

/// The text of a file without comments, tests and line breaks.
fn code(text: &str) -> String {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim_start().starts_with("#[cfg(test)]") || line.trim_start().starts_with("#[cfg(all(test") {
            // Skips a test module or item. Code after it is read again.
            let ends = [format!("{indent}}}"), format!("{indent}}};")];
            let mut test = lines.by_ref().skip_while(|line| line.trim_start().starts_with("#["));
            let whole = test.next().is_some_and(|first| first.ends_with([';', '}']));
            if !whole {
                lines.by_ref().find(|line| ends.iter().any(|end| line == end));
            }
            continue;
        }
        let comment = line.match_indices("//").map(|(at, _)| at).find(|&at| !line[..at].ends_with(':'));
        words.extend(line[..comment.unwrap_or(line.len())].split_whitespace());
    }
    words.join(" ").replace("( ", "(").replace(", ", ",")
}

/// The word that some code ends with.
fn last_word(code: &str) -> &str {
    code.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

fn head(code: &str) -> String {
    code.chars().take(24).collect()
}
