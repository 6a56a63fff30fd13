//! The machine that `doctor` examines, read from its /proc, /sys, /etc, /run and /usr.

use std::path::{Path, PathBuf};

use super::check::Status;
use crate::args;
use crate::survey::Survey;

/// The machine that is examined.
pub(crate) struct Machine {
    proc: PathBuf,
    pub(super) sys: PathBuf,
    pub(super) etc: PathBuf,
    pub(super) run: PathBuf,
    pub(super) usr: PathBuf,
    /// The directory of the rings.
    pub(super) root: PathBuf,
    /// The rings in it.
    pub(super) survey: Survey,
    /// The size of the next ring in bytes.
    pub(super) need: u64,
    /// True if --need gave `need`. Otherwise it is the size of the largest ring, and no new ring may be planned.
    planned: bool,
}

impl Machine {
    pub(super) fn new(root: &Path, args: &args::DoctorArgs) -> Self {
        let survey = Survey::take(root, &[]).unwrap_or_default();
        let tables = survey.tables.iter().map(|table| table.bytes);
        let largest = survey.rings.iter().map(|ring| ring.bytes).chain(tables).max().unwrap_or(0);
        Machine {
            proc: args.proc_root.clone(),
            sys: args.sys_root.clone(),
            etc: args.etc_root.clone(),
            run: args.run_root.clone(),
            usr: args.usr_root.clone(),
            root: root.to_owned(),
            survey,
            need: args.need.unwrap_or(largest),
            planned: args.need.is_some(),
        }
    }

    /// The status if there is no room for the next ring.
    pub(super) fn status_without_room(&self) -> Status {
        if self.planned { Status::Fail } else { Status::Warn }
    }

    /// The next ring in words.
    pub(super) fn next_ring(&self) -> &'static str {
        if self.planned { "the ring that is planned" } else { "one more ring like the largest" }
    }

    /// A file under /proc, trimmed.
    pub(super) fn proc(&self, path: &str) -> Option<String> {
        text(&self.proc.join(path))
    }

    /// True if there is a directory of this path under /proc.
    pub(super) fn proc_dir(&self, path: &str) -> bool {
        self.proc.join(path).is_dir()
    }

    /// A file under /sys, trimmed.
    pub(super) fn sys(&self, path: &str) -> Option<String> {
        text(&self.sys.join(path))
    }

    /// The kernel's version, major and minor.
    pub(super) fn kernel(&self) -> Option<(u32, u32)> {
        let release = self.proc("sys/kernel/osrelease")?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    }

    /// The numbers of a file under /proc/sys.
    pub(super) fn sysctl(&self, path: &str) -> Option<Vec<u64>> {
        self.proc(&format!("sys/{path}"))?.split_whitespace().map(|word| word.parse().ok()).collect()
    }

    /// A soft limit of this process, by its name in /proc/self/limits; `u64::MAX` is unlimited.
    pub(super) fn limit(&self, name: &str) -> Option<u64> {
        let limits = self.proc("self/limits")?;
        let line = limits.lines().find_map(|line| line.strip_prefix(name))?;
        match line.split_whitespace().next()? {
            "unlimited" => Some(u64::MAX),
            number => number.parse().ok(),
        }
    }
}

pub(super) fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}
