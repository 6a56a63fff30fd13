//! The systemd units: their command lines are ones that the programs accept, and systemd has no complaint.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use feed_manuals::programs;
use feed_testing::{PrivateRoot, skipped};

fn units() -> Vec<PathBuf> {
    let units = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")).unwrap();
    let mut units: Vec<_> = units.map(|entry| entry.unwrap().path()).collect();
    units.retain(|path| path.extension().is_some_and(|extension| extension == "service"));
    units.sort();
    assert_eq!(units.len(), 3);
    units
}

/// The settings of a unit by section. None is there twice.
fn settings(unit: &Path) -> BTreeMap<(String, String), String> {
    let (mut section, mut settings) = (String::new(), BTreeMap::new());
    for line in fs::read_to_string(unit).unwrap().lines() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            section = name.to_owned();
            continue;
        }
        let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("{}: {line}", unit.display()));
        let before = settings.insert((section.clone(), key.to_owned()), value.to_owned());
        assert_eq!(before, None, "{}: {key} twice", unit.display());
    }
    settings
}

fn service(unit: &Path, key: &str) -> String {
    let found = settings(unit).remove(&("Service".to_owned(), key.to_owned()));
    found.unwrap_or_else(|| panic!("{}: no {key}", unit.display()))
}

#[test]
fn each_command_line_is_one_that_its_program_accepts() {
    for unit in units() {
        let line = service(&unit, "ExecStart");
        let line = line.strip_prefix("@BINDIR@/").expect("the programs of this installation");
        let mut words: Vec<_> = line.split(' ').map(|word| word.replace("%i", "quotes")).collect();
        assert_eq!(words.pop().as_deref(), Some("$OPTIONS"), "the administrator's options come last and prevail");
        let program = programs().into_iter().find(|program| program.get_name() == words[0]).expect("a program");
        // An option that is also among the administrator's must not be refused as given twice.
        let again: Vec<_> =
            words.iter().cloned().chain(words[1..].iter().filter(|word| *word != "export").cloned()).collect();
        for words in [words, again] {
            let parsed = program.clone().try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{}: {words:?}: {}", unit.display(), parsed.unwrap_err());
        }
    }
}

/// The examples in the comments of the units.
#[test]
fn each_example_is_accepted_too() {
    let mut examples = 0;
    for unit in units() {
        let text = fs::read_to_string(&unit).unwrap();
        let line = service(&unit, "ExecStart").replace("@BINDIR@/", "").replace("%i", "quotes");
        for example in text.lines().filter(|line| line.starts_with('#')).filter_map(|line| line.split_once("OPTIONS="))
        {
            let line = line.replace("$OPTIONS", example.1);
            let words: Vec<_> = line.split(' ').collect();
            let program = programs().into_iter().find(|program| program.get_name() == words[0]).expect("a program");
            let parsed = program.try_get_matches_from(&words);
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            examples += 1;
        }
    }
    assert_eq!(examples, 3);
}

#[test]
fn they_leave_rings_alone_and_restart_what_failed() {
    for unit in units() {
        assert_eq!(service(&unit, "RemoveIPC"), "no", "it deletes what the user has in /dev/shm");
        assert_eq!(service(&unit, "Restart"), "on-failure");
        let settings = settings(&unit);
        let has = |key: &str| settings.contains_key(&("Service".to_owned(), key.to_owned()));
        // Each of these takes /dev/shm away, makes it another, or deletes in it.
        for key in ["DynamicUser", "RootDirectory", "TemporaryFileSystem", "InaccessiblePaths", "ReadOnlyPaths"] {
            assert!(!has(key), "{}: {key}", unit.display());
        }
    }
    let publisher = units().into_iter().find(|unit| unit.ends_with("feed-publisher@.service")).unwrap();
    assert_eq!(service(&publisher, "KillSignal"), "SIGTERM", "stop closes the ring");
    assert_eq!(service(&publisher, "RestartKillSignal"), "SIGUSR1", "restart hands it over");
}

#[test]
fn systemd_has_no_complaint() {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return skipped("systemd-analyze is not installed");
    }
    let root = PrivateRoot::new();
    let bin = root.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in programs() {
        let path = bin.join(program.get_name());
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    for unit in units() {
        let text = fs::read_to_string(&unit).unwrap().replace("@BINDIR@", bin.to_str().unwrap());
        let copy = root.path().join(unit.file_name().unwrap());
        fs::write(&copy, text).unwrap();
        let verified = Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&copy).output().unwrap();
        let said = String::from_utf8_lossy(&verified.stderr);
        // Of this machine's own units it may complain.
        let about: Vec<_> = said.lines().filter(|line| line.contains("feed-")).collect();
        assert!(about.is_empty() && verified.status.success(), "{}: {said}", unit.display());
    }
}
