//! The machine that `doctor` examines, read from its /proc, /sys, /etc, /run and /usr.

use std::path::{Path, PathBuf};

use super::check::Status;
use crate::args;
use crate::survey::Survey;

/// The machine that is looked at.
pub(crate) struct Machine {
    proc: PathBuf,
    pub(super) sys: PathBuf,
    pub(super) etc: PathBuf,
    pub(super) run: PathBuf,
    pub(super) usr: PathBuf,
    /// Where the rings stand.
    pub(super) root: PathBuf,
    /// The rings there.
    pub(super) survey: Survey,
    /// Bytes that the next ring needs.
    pub(super) need: u64,
    /// Whether somebody said so, or it is the largest that there is: a ring of which nobody said that it will come.
    planned: bool,
}

impl Machine {
    pub(super) fn new(root: &Path, machine: &args::Machine) -> Self {
        let survey = Survey::take(root, &[]).unwrap_or_default();
        let largest = survey.rings.iter().map(|ring| ring.bytes).max().unwrap_or(0);
        Machine {
            proc: machine.proc_root.clone(),
            sys: machine.sys_root.clone(),
            etc: machine.etc_root.clone(),
            run: machine.run_root.clone(),
            usr: machine.usr_root.clone(),
            root: root.to_owned(),
            survey,
            need: machine.need.unwrap_or(largest),
            planned: machine.need.is_some(),
        }
    }

    /// How bad it is that there is no room for the next ring.
    pub(super) fn short(&self) -> Status {
        if self.planned { Status::Fail } else { Status::Warn }
    }

    /// What the next ring is.
    pub(super) fn next_ring(&self) -> &'static str {
        if self.planned { "the ring that is planned" } else { "one more ring like the largest" }
    }

    /// A file under /proc, without the space around it.
    pub(super) fn proc(&self, path: &str) -> Option<String> {
        text(&self.proc.join(path))
    }

    /// A file under /sys.
    pub(super) fn sys(&self, path: &str) -> Option<String> {
        text(&self.sys.join(path))
    }

    /// The kernel's version, as far as features come with one.
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
