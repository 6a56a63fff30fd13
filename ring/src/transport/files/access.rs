//! Whose files are believed, and who else may use a ring's files.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{self, Mode};
use rustix::io::Errno;

use super::fault::{Fault, What};
use crate::sync::fault_point;

/// Whose files are believed.
#[derive(Clone, Copy)]
pub(crate) enum Trust<'a> {
    /// Only this process's user: a publisher's choice.
    Own,
    /// This process's user, root, and these.
    Also(&'a [u32]),
    /// Anybody: for who only looks, and believes nothing.
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

/// Who else may use a ring's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    /// The segment's mode.
    pub(crate) mode: u32,
    /// The files' group, if not the one that the kernel gives them.
    pub(crate) group: Option<u32>,
}

impl Access {
    /// Nobody else.
    pub(crate) const OWNER: Self = Access { mode: 0o600, group: None };

    /// Gives a file its group and `mode`, exactly, whatever the umask. On the way it is never open to more than before and
    /// after.
    pub(crate) fn apply(self, fd: impl AsFd, mode: u32) -> Result<(), Errno> {
        let stat = fs::fstat(&fd)?;
        if let Some(group) = self.group.filter(|group| *group != stat.st_gid) {
            fs::fchmod(&fd, Mode::from_raw_mode(stat.st_mode & 0o700))?;
            fs::fchown(&fd, None, Some(fs::Gid::from_raw(group)))?;
        } else if stat.st_mode & 0o7777 == mode {
            return Ok(());
        }
        after(fs::fchmod(&fd, Mode::from_raw_mode(mode)))
    }
}

/// The result of a call that changed a file: a publisher may be killed after it.
pub(super) fn after<T>(result: Result<T, Errno>) -> Result<T, Errno> {
    fault_point();
    result
}
