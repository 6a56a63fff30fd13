//! Rings that a program must refuse: names that no ring may have, and files that were replaced by something else.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use crate::data::skipped;
use crate::program::Program;
use crate::root::PrivateRoot;

/// A user who owns nothing in the tests.
pub const NOBODY: u32 = 65_534;

/// What a file of a ring was replaced by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replacement {
    /// A symbolic link to the file itself, which was moved away.
    SymbolicLink,
    /// An empty directory.
    Directory,
    /// A FIFO: a program that opens it as it opens a file waits for ever.
    Fifo,
    /// The device of `/dev/null`.
    Device,
}

impl Replacement {
    /// Puts it at `path`, in place of what was moved to `away`.
    fn put(self, path: &Path, away: &Path) -> std::io::Result<()> {
        match self {
            Replacement::SymbolicLink => symlink(away, path),
            Replacement::Directory => fs::create_dir(path),
            Replacement::Fifo => Ok(mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?),
            Replacement::Device => {
                Ok(mknodat(CWD, path, FileType::CharacterDevice, Mode::RUSR | Mode::WUSR, makedev(1, 3))?)
            }
        }
    }
}

/// Replaces a file of a ring, or with an empty name the ring's directory, and returns the root. `kept` makes the ring and
/// returns its directory. `None`, said on standard error, if devices cannot be made here.
///
/// # Panics
/// If anything but a device cannot be made.
pub fn replaced(kept: impl Fn(&PrivateRoot) -> PathBuf, file: &str, replacement: Replacement) -> Option<PrivateRoot> {
    let root = PrivateRoot::new();
    let (path, away) = (kept(&root).join(file), root.path().join("away"));
    // Without the slash that an empty name leaves at the end, which would follow a link.
    let path: PathBuf = path.components().collect();
    fs::rename(&path, &away).expect("move a file of the ring away");
    match replacement.put(&path, &away) {
        Ok(()) => Some(root),
        Err(error) if replacement == Replacement::Device => {
            skipped(&format!("devices cannot be made here: {error}"));
            None
        }
        Err(error) => panic!("{}: {replacement:?}: {error}", path.display()),
    }
}

/// Fails unless the program, as `command` starts it, refuses every `--ring` name that no ring may have.
#[track_caller]
pub fn assert_names_refused(command: impl Fn() -> Command) {
    let long = "x".repeat(300);
    for (name, says) in [
        ("a/b", "it has a character that no ring's name may have"),
        ("../feed", "it starts with '.'"),
        ("..", "it starts with '.'"),
        ("", "it is empty"),
        (&long, "it is longer than 200 characters"),
    ] {
        let finished = Program::start(command().args(["--ring", name])).finish();
        let rule = "use 1 to 200 of A-Z a-z 0-9 . _ -";
        finished.assert_usage_error(&["'--ring <NAME>': ring name", says, rule]);
    }
    // The kernel passes no argument that contains a NUL.
    let error = command().args(["--ring", "a\0b"]).spawn().expect_err("an argument with a NUL");
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}

/// Whether this test runs as root, as it must to start programs as another user or to give files away. If not, says so on
/// standard error.
pub fn is_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("starting a program as another user, or giving files to one, needs root");
    }
    root
}

/// Whether that user can run this program: its folder may be closed to others. If not, says so on standard error.
pub fn can_run(uid: u32, program: &Path) -> bool {
    let ran = Command::new(program).arg("--version").uid(uid).gid(uid).output();
    let can = ran.is_ok_and(|output| output.status.success());
    if !can {
        skipped(&format!("{} cannot be run by uid {uid}", program.display()));
    }
    can
}
