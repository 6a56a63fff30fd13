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
    /// The file it stands in, by its path within the sources.
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

/// Reads all files of a folder and those below it, but those of the shim.
///
/// # Errors
/// What reading them says.
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

/// Whether a file, by its path within the sources, is of the shim: sites' names are given to it. The kernel's futex is a file of
/// the same folder, and uses atomics as all others do.
fn is_shim(path: &str) -> bool {
    path.starts_with("sync/") && path != "sync/futex.rs"
}

/// Files that have atomics of their own from the shim, because no model can run them: the guard's table of mappings within
/// one process, which a signal handler reads. Their orderings have names all the same, but for relaxed ones, which could not
/// be weaker; in other files relaxed is what a word's plain load and store are.
const OWN_ATOMICS: &[&str] = &["memory/guard.rs"];

/// What has a site's name for its first argument.
const NAMED: &[&str] = &["fence", "compiler_fence", "store_ordered", "ordered", "on"];

/// Where code may depend on being modelled; tests that loom cannot run may, anywhere.
const MODEL_FILES: &[&str] = &["protocol/copy.rs"];

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
    // cfg(…), cfg!(…), cfg_attr(…,…): up to the end of what they are about is far enough.
    let depends = code.split("cfg").skip(1).any(|after| {
        let condition = after.split([']', '{', ';']).next().unwrap_or_default();
        condition.split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == "loom")
    });
    for (model, there) in [("cfg(loom)", depends), ("asm!", code.contains("asm!"))] {
        if there {
            found.strays.push(format!("{file}: {model} belongs into sync/ and protocol/copy.rs"));
        }
    }
}

/// A file without comments and tests, and without what rustfmt decides.
fn code(text: &str) -> String {
    let mut words = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if line.trim_start().starts_with("#[cfg(test)]") || line.trim_start().starts_with("#[cfg(all(test") {
            // A test module, or a line: what follows is code again, wherever tests stand.
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
