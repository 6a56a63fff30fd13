//! Pastes snippets into packages outside this workspace and builds them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::read::Snippet;

/// Builds each snippet as the `src/main.rs` of a package. Returns the paths of the programs. The packages depend on `feed-ring` by its path, and on what a
/// line `// Cargo.toml: ` in the snippet says. Nothing is fetched: the versions are those of this workspace. What was built
/// stays in this workspace's `target`, so that the dependencies are built once.
pub(crate) fn build(snippets: &[&Snippet]) -> Vec<PathBuf> {
    let ring = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let name = |index: usize| format!("pasted-{index}");
    let members: Vec<String> = (0..snippets.len()).map(name).collect();
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n[profile.dev]\ndebug = false\n");
    fs::write(folder.path().join("Cargo.toml"), manifest).expect("a manifest");
    fs::copy(ring.join("../Cargo.lock"), folder.path().join("Cargo.lock")).expect("the versions");
    for (snippet, member) in snippets.iter().zip(&members) {
        let package = folder.path().join(member);
        fs::create_dir_all(package.join("src")).expect("a package");
        let mut manifest = format!(
            "[package]\nname = \"{member}\"\nedition = \"2024\"\n[lints.rust]\nwarnings = \"deny\"\n\
             [dependencies]\nfeed-ring = {{ path = {ring:?} }}\n"
        );
        for line in snippet.text.lines().filter_map(|line| line.strip_prefix("// Cargo.toml: ")) {
            let _ = writeln!(manifest, "{line}");
        }
        fs::write(package.join("Cargo.toml"), manifest).expect("a manifest");
        fs::write(package.join("src/main.rs"), &snippet.text).expect("a source");
    }
    let target = target().join("pasted");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--offline", "--quiet"]).current_dir(folder.path()).env("CARGO_TARGET_DIR", &target);
    // They are set for the package of this test.
    for (variable, _) in std::env::vars_os() {
        if variable.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(variable);
        }
    }
    let built = cargo.output().expect("run cargo");
    let places: Vec<String> =
        members.iter().zip(snippets).map(|(member, s)| format!("{member}: {}", s.place)).collect();
    let said = String::from_utf8_lossy(&built.stderr);
    assert!(built.status.success(), "{said}\nthe packages are\n{}", places.join("\n"));
    members.iter().map(|member| target.join("debug").join(member)).collect()
}

/// This workspace's target directory.
fn target() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    test.ancestors().nth(3).expect("tests stand in target/PROFILE/deps").to_owned()
}
