//! `make install` and `make uninstall`, as their script does it, with small files in place of the built programs.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use feed_testing::{PrivateRoot, skipped};

/// A root that holds what was built (`built`) and a machine's files (`machine`).
fn prepared() -> PrivateRoot {
    let root = PrivateRoot::new();
    let built = root.path().join("built");
    fs::create_dir_all(built.join("release")).unwrap();
    for program in ["feed-publisher", "feed-subscriber", "ringctl", "libfeed_ring_c.so", "libfeed_ring_c.a"] {
        fs::write(built.join("release").join(program), format!("#!/bin/sh\n# {program}\n")).unwrap();
    }
    feed_manuals::write_all(&built.join("manuals")).unwrap();
    fs::create_dir_all(root.path().join("machine/usr/bin")).unwrap();
    fs::write(root.path().join("machine/usr/bin/other"), "somebody's").unwrap();
    root
}

fn run(root: &PrivateRoot, what: &str, prefix: &str, destdir: &str) -> Output {
    let mut command = Command::new("sh");
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("install.sh")).arg(what);
    command.env("PREFIX", prefix).env("DESTDIR", destdir).env("CARGO_TARGET_DIR", root.path().join("built"));
    command.output().unwrap()
}

#[track_caller]
fn succeeds(root: &PrivateRoot, what: &str, prefix: &str, destdir: &str) {
    let done = run(root, what, prefix, destdir);
    assert_eq!((done.status.code(), &*String::from_utf8_lossy(&done.stderr)), (Some(0), ""));
}

/// Fails unless it ends with 1, having said this in one line.
#[track_caller]
fn fails(root: &PrivateRoot, what: &str, prefix: &str, says: &str) {
    let done = run(root, what, prefix, "");
    let said = String::from_utf8_lossy(&done.stderr);
    assert_eq!((done.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.contains(says), "{said}");
}

/// Every file and directory below a directory, with a file's content.
fn tree(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(tree(&entry));
            found.insert(entry, None);
        } else {
            found.insert(entry.clone(), Some(fs::read(entry).unwrap()));
        }
    }
    found
}

#[test]
fn what_is_installed_is_uninstalled_and_nothing_else() {
    let root = prepared();
    let machine = root.path().join("machine");
    let before = tree(&machine);
    let prefix = machine.join("usr");
    let prefix = prefix.to_str().unwrap();
    for _ in 0..2 {
        succeeds(&root, "install", prefix, "");
        succeeds(&root, "install", prefix, ""); // again, over itself
        for (file, mode) in [
            ("bin/feed-publisher", 0o755),
            ("share/man/man1/feed-subscriber.1", 0o644),
            ("share/man/man1/ringctl-export.1", 0o644),
            ("share/bash-completion/completions/ringctl", 0o644),
            ("share/zsh/site-functions/_feed-publisher", 0o644),
            ("share/fish/vendor_completions.d/feed-subscriber.fish", 0o644),
            ("lib/systemd/system/feed-publisher@.service", 0o644),
            ("lib/sysusers.d/feed-ring.conf", 0o644),
            ("share/feed-ring/feed-ring.rules.yml", 0o644),
            ("share/feed-ring/feed-ring.dashboard.json", 0o644),
            ("lib/libfeed_ring.so.1", 0o755),
            ("lib/libfeed_ring.a", 0o644),
            ("lib/pkgconfig/feed_ring.pc", 0o644),
            ("include/feed_ring.h", 0o644),
            ("include/feed_ring.hpp", 0o644),
        ] {
            let file = Path::new(prefix).join(file);
            let found = fs::metadata(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
            assert_eq!(found.permissions().mode() & 0o777, mode, "{}", file.display());
        }
        let unit = fs::read_to_string(Path::new(prefix).join("lib/systemd/system/feed-publisher@.service")).unwrap();
        assert!(
            unit.contains(&format!("ExecStart={prefix}/bin/feed-publisher ")) && !unit.contains("@BINDIR@"),
            "{unit}"
        );
        let link = Path::new(prefix).join("lib/libfeed_ring.so");
        assert_eq!(fs::read_link(link).unwrap(), Path::new("libfeed_ring.so.1"));
        let package = fs::read_to_string(Path::new(prefix).join("lib/pkgconfig/feed_ring.pc")).unwrap();
        assert!(package.starts_with(&format!("prefix={prefix}\n")), "{package}");
        succeeds(&root, "uninstall", prefix, "");
        assert_eq!(tree(&machine), before);
    }
    fails(&root, "uninstall", prefix, "nothing is installed there");
}

#[test]
fn a_package_is_built_below_another_root() {
    let root = prepared();
    let package = root.path().join("package");
    succeeds(&root, "install", "/usr", package.to_str().unwrap());
    assert_eq!(fs::read_dir(&package).unwrap().count(), 1);
    let unit = fs::read_to_string(package.join("usr/lib/systemd/system/feed-ring-exporter.service")).unwrap();
    assert!(unit.contains("ExecStart=/usr/bin/ringctl export "), "{unit}");
    let manifest = fs::read_to_string(package.join("usr/share/feed-ring/manifest")).unwrap();
    assert!(manifest.lines().all(|line| line.contains(" /usr")), "paths as on the machine: {manifest}");
    succeeds(&root, "uninstall", "/usr", package.to_str().unwrap());
    assert_eq!(tree(&package), BTreeMap::new());
}

/// Their debug information is most of their size.
#[test]
fn programs_are_installed_without_debug_information() {
    if Command::new("strip").arg("--version").output().is_err() {
        return skipped("strip is not installed");
    }
    let root = prepared();
    let built = root.path().join("built/release/ringctl");
    fs::copy(std::env::current_exe().unwrap(), &built).unwrap();
    let prefix = root.path().join("machine/usr");
    succeeds(&root, "install", prefix.to_str().unwrap(), "");
    let installed = prefix.join("bin/ringctl");
    let bytes = |program: &Path| fs::metadata(program).unwrap().len();
    assert!(bytes(&installed) < bytes(&built) / 2, "{} bytes of {}", bytes(&installed), bytes(&built));
    assert!(Command::new(&installed).arg("--list").output().unwrap().status.success(), "it still runs");
    succeeds(&root, "install", prefix.to_str().unwrap(), ""); // again, over itself
    succeeds(&root, "uninstall", prefix.to_str().unwrap(), "");
    assert!(!installed.exists());
}

#[test]
fn somebody_s_files_are_neither_overwritten_nor_removed() {
    let root = prepared();
    let machine = root.path().join("machine");
    let prefix = machine.join("usr");
    let ringctl = prefix.join("bin/ringctl");
    fs::write(&ringctl, "somebody's").unwrap();
    let before = tree(&machine);
    fails(
        &root,
        "install",
        prefix.to_str().unwrap(),
        "bin/ringctl is not as this installed it, or not from this: move it",
    );
    assert_eq!(tree(&machine), before, "a refusal changes nothing");
    fs::remove_file(&ringctl).unwrap();
    succeeds(&root, "install", prefix.to_str().unwrap(), "");

    // Changed since: kept by both, and said.
    let unit = prefix.join("lib/systemd/system/feed-publisher@.service");
    fs::write(&unit, "[Service]\n").unwrap();
    fails(&root, "install", prefix.to_str().unwrap(), "feed-publisher@.service is not as this installed it");
    let done = run(&root, "uninstall", prefix.to_str().unwrap(), "");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("feed-publisher@.service: it was changed since"), "{said}");
    assert_eq!(fs::read_to_string(&unit).unwrap(), "[Service]\n");
    fs::remove_dir_all(prefix.join("lib")).unwrap();
    assert_eq!(root_without_lib(&machine), ["other"]);
}

#[test]
fn somebody_s_link_is_neither_overwritten_nor_removed() {
    let root = prepared();
    let prefix = root.path().join("machine/usr");
    let link = prefix.join("lib/libfeed_ring.so");
    fs::create_dir_all(prefix.join("lib")).unwrap();
    std::os::unix::fs::symlink("somebody.so", &link).unwrap();
    fails(&root, "install", prefix.to_str().unwrap(), "lib/libfeed_ring.so is not as this installed it");
    fs::remove_file(&link).unwrap();
    succeeds(&root, "install", prefix.to_str().unwrap(), "");
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("somebody.so", &link).unwrap();
    let done = run(&root, "uninstall", prefix.to_str().unwrap(), "");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success() && said.contains("libfeed_ring.so: it was changed since"), "{said}");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("somebody.so"));
    assert_eq!(fs::read_dir(prefix.join("lib")).unwrap().count(), 1, "all else is gone");
}

/// The names of the files of a machine whose `lib` is gone.
fn root_without_lib(machine: &Path) -> Vec<String> {
    let files = tree(machine).into_iter().filter(|(_, content)| content.is_some());
    files.map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

#[test]
fn another_version_takes_the_place_of_this_one() {
    let root = prepared();
    let machine = root.path().join("machine");
    let before = tree(&machine);
    let prefix = machine.join("usr");
    succeeds(&root, "install", prefix.to_str().unwrap(), "");
    fs::rename(root.path().join("built/manuals/ringctl-top.1"), root.path().join("built/manuals/ringctl-new.1"))
        .unwrap();
    fs::write(root.path().join("built/release/ringctl"), "#!/bin/sh\n# newer\n").unwrap();
    succeeds(&root, "install", prefix.to_str().unwrap(), "");
    assert!(fs::read_to_string(prefix.join("bin/ringctl")).unwrap().contains("newer"));
    let page = |name: &str| prefix.join("share/man/man1").join(name).exists();
    assert!(page("ringctl-new.1") && !page("ringctl-top.1"), "what it no longer has is removed");
    succeeds(&root, "uninstall", prefix.to_str().unwrap(), "");
    assert_eq!(tree(&machine), before);
}

#[test]
fn what_cannot_be_installed_is_said_before_anything_is_changed() {
    let root = prepared();
    let machine = root.path().join("machine");
    let before = tree(&machine);
    fails(&root, "install", "usr", "an absolute path expected");
    fails(&root, "install", &format!("{}/a b", machine.display()), "only A-Z a-z 0-9");
    fs::remove_file(root.path().join("built/release/ringctl")).unwrap();
    fails(&root, "install", machine.join("usr").to_str().unwrap(), "ringctl is missing: run make build manuals first");
    fs::remove_dir_all(root.path().join("built")).unwrap();
    fails(&root, "install", machine.join("usr").to_str().unwrap(), "nothing is built in");
    assert_eq!(tree(&machine), before);
}
