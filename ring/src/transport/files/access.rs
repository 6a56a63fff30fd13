//! The owners whose files are trusted, and the access that others have to a ring's files.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{self, Mode};
use rustix::io::Errno;

use super::fault::{Fault, What};
use crate::sync::fault_point;

/// The owners whose files are trusted.
#[derive(Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// Only this process's user. Publishers use it.
    Own,
    /// This process's user, root, and these users.
    Also(&'a [u32]),
    /// Any owner. For tools that check all they read.
    Anybody,
}

impl Trust<'_> {
    pub(crate) fn check(self, path: &Path, owner: u32) -> Result<(), Fault> {
        let own = rustix::process::geteuid().as_raw();
        let trusted = match self {
            Trust::Own => owner == own,
            Trust::Also(others) => owner == own || owner == 0 || others.contains(&owner),
            Trust::Anybody => true,
        };
        if trusted {
            return Ok(());
        }
        Err(Fault { path: path.to_owned(), what: What::Owner { found: owner, expected: own } })
    }
}

/// The access of other users to a ring's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The segment's mode.
    pub(crate) mode: u32,
    /// The files' group. `None` keeps the kernel's choice.
    pub(crate) group: Option<u32>,
}

impl Access {
    /// Access for the owner alone.
    pub(crate) const OWNER: Self = Access { mode: 0o600, group: None };

    /// Sets a file's group and exactly `mode`, whatever the umask. At no moment has anybody access who has it neither
    /// before nor after.
    pub(crate) fn apply(self, fd: impl AsFd, mode: u32) -> Result<(), Errno> {
        let stat = fs::fstat(&fd)?;
        if let Some(group) = self.group.filter(|group| *group != stat.st_gid) {
            fs::fchmod(&fd, Mode::from_raw_mode(stat.st_mode & 0o700))?;
            fs::fchown(&fd, None, Some(fs::Gid::from_raw(group)))?;
        } else if stat.st_mode & 0o7777 == mode {
            return Ok(());
        }
        with_fault_point(fs::fchmod(&fd, Mode::from_raw_mode(mode)))
    }
}

/// Passes on the result of a call that changed a file, with a fault point behind it.
pub(super) fn with_fault_point<T>(result: Result<T, Errno>) -> Result<T, Errno> {
    fault_point();
    result
}
