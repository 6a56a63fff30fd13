//! The tables below are the architecture: which module or crate may import which. They have no exceptions.
#![cfg(not(loom))]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use loom_tests::layers::Imports;

/// `ring/src`, bottom first. Members of one line may not import each other.
const RING: &[&[&str]] = &[
    &["sync"],
    &["format", "memory"],
    &["presence", "placement"],
    &["error"],
    &["protocol"],
    &["segment"],
    &["transport"],
    &["publisher", "subscriber"],
    &["in_process", "inspect", "records", "table"],
    &["keyed", "raw"],
    &["follow"],
    &["lib"],
];

/// `benches/src`, bottom first.
const BENCHES: &[&[&str]] = &[
    &["sys"],
    &["harness"],
    &["row"],
    &["kernel", "limits", "ring", "records", "table"],
    &["peers"],
    &["contenders"],
    &["report", "hostile"],
    &["lib"],
    &["bin"],
];

/// The crates of the workspace, bottom first, by their folders. Dev-dependencies do not count.
const CRATES: &[&[&str]] = &[
    &["ring-derive", "testing"],
    &["ring"],
    &["ring-tokio", "feed", "program"],
    &["feed-publisher", "feed-subscriber", "ringctl", "hot-path", "loom-tests", "chaos", "benches"],
    &["install"],
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn check(source: &str, layers: &[&[&str]]) {
    let imports = Imports::of(&root().join(source)).expect("the sources");
    let wrong = imports.upward(layers);
    let (folders, files) = (imports.circles_of_members(), imports.circles());
    for (rank, layer) in layers.iter().enumerate().rev() {
        println!("{:>2}  {}", rank + 1, layer.join("  "));
    }
    let count = imports.files().count();
    println!(
        "{source}: {count} files, {} upward, circles: {} of folders, {} of files\n",
        wrong.len(),
        folders.len(),
        files.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(folders.is_empty(), "circles of folders: {folders:#?}");
    assert!(files.is_empty(), "circles of files: {files:#?}");
}

#[test]
fn no_module_of_the_ring_imports_upward() {
    check("ring/src", RING);
}

#[test]
fn no_module_of_the_benches_imports_upward() {
    check("benches/src", BENCHES);
}

#[test]
fn no_file_of_any_crate_is_in_a_circle() {
    let mut found = Vec::new();
    for folder in CRATES.iter().copied().flatten() {
        let imports = Imports::of(&root().join(folder).join("src")).expect("the sources");
        let circles = imports.circles();
        println!("{folder}: {} files, {} circles", imports.files().count(), circles.len());
        found.extend(circles.iter().map(|circle| format!("{folder}: {}", circle.join(", "))));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn no_crate_depends_upward() {
    let dependencies: BTreeMap<&str, BTreeSet<String>> =
        CRATES.iter().copied().flatten().map(|folder| (*folder, ours(folder))).collect();
    let packages: BTreeMap<String, &str> =
        dependencies.keys().map(|folder| (field(&manifest(folder), "name").expect("a name"), *folder)).collect();
    let rank = |folder: &str| CRATES.iter().position(|layer| layer.contains(&folder)).expect("it is in the table");
    for (folder, names) in &dependencies {
        for name in names {
            let below = packages.get(name).is_none_or(|other| rank(other) < rank(folder));
            assert!(below, "{folder} depends on {name}, which is not below it");
        }
    }
    let members = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace");
    let members = members.lines().find_map(|line| line.strip_prefix("members = ")).expect("its members");
    let members: BTreeSet<&str> = members.split(['[', ']', ',', '"', ' ']).filter(|name| !name.is_empty()).collect();
    assert_eq!(members, dependencies.keys().copied().collect(), "left: the workspace, right: the table");
}

fn manifest(folder: &str) -> String {
    fs::read_to_string(root().join(folder).join("Cargo.toml")).expect("a manifest")
}

/// The value of the first field with this name.
fn field(manifest: &str, name: &str) -> Option<String> {
    let line = manifest.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='))?;
    Some(line.trim().trim_matches('"').to_owned())
}

/// The dependencies of a crate within this workspace, without its dev-dependencies.
fn ours(folder: &str) -> BTreeSet<String> {
    let manifest = manifest(folder);
    let tables = manifest.split("\n[").filter(|table| {
        let head = table.lines().next().unwrap_or_default();
        head.ends_with("dependencies]") && !head.contains("dev-dependencies")
    });
    let names = tables.flat_map(str::lines).skip(1).filter_map(|line| line.split(['.', ' ', '=']).next());
    names.filter(|name| name.starts_with("feed") || name.starts_with("loom-tests")).map(str::to_owned).collect()
}

#[test]
fn every_kind_of_import_is_found() {
    let files =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(file, text)| (file.to_string(), text.to_string())).collect();
    let layers: &[&[&str]] = &[&["low"], &["mid", "side"], &["lib"]];
    let objects = |text: &str| {
        let files = files(&[
            ("lib.rs", "pub mod low; mod mid; mod side; pub use mid::Thing;"),
            ("low.rs", "pub fn f() {}"),
            ("mid/mod.rs", "pub mod child; pub struct Thing; pub use child::Child;"),
            ("mid/child.rs", text),
            ("side.rs", ""),
        ]);
        let imports = Imports::of_files(&files).unwrap();
        (imports.upward(layers).len(), imports.circles().len())
    };
    assert_eq!(objects("use crate::low::f; use crate::low; fn g() { crate::low::f() }"), (0, 0));
    assert_eq!(objects("use crate::side::x;"), (1, 0), "beside it");
    assert_eq!(objects("use crate::{low::f, Thing};").0, 1, "the crate's root");
    assert_eq!(objects("fn g() -> crate::side::X { todo!() }"), (1, 0), "a path in code");
    assert_eq!(objects("fn g() { assert!(crate::side::x()) }"), (1, 0), "a path within a macro");
    assert_eq!(objects("use super::Thing;"), (0, 1), "its own facade");
    assert_eq!(objects("mod inner { use super::super::Thing; }"), (0, 1), "from further in");
    assert_eq!(objects("#[cfg(test)] mod tests { use crate::side::x; }"), (0, 0), "a test");
    assert_eq!(objects("#[cfg(all(test, not(loom)))] mod tests { use crate::side::x; }"), (0, 0), "a test");
    assert_eq!(objects("// use crate::side::x;"), (0, 0), "a comment");
}
