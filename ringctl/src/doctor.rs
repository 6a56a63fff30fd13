//! `doctor`: is this machine fit for rings? And, because whoever moves from one mechanism to another has to know, for the
//! other ways processes talk to each other.
//!
//! What is looked at is given as directories, so that machines can be made up to try it on.

mod cpu;
mod limits;
mod memory;
mod rings;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::Outcome;
use crate::args;
use crate::output::Output;
use crate::survey::Survey;

/// How one thing about the machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As wanted.
    Ok,
    /// It works, but not as well as it could, or not with every option.
    Warn,
    /// It does not work.
    Fail,
    /// It cannot be told, or does not exist here.
    Skipped,
}

/// Who needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Needed {
    /// Every ring.
    Rings,
    /// Rings that were asked for it by an option, or for the lowest latency.
    RingsWithOptions,
    /// Not rings: other mechanisms between processes.
    Others,
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) what: &'static str,
    pub(crate) status: Status,
    pub(crate) needed: Needed,
    /// For which option or mechanism.
    pub(crate) by: &'static str,
    pub(crate) found: String,
    pub(crate) wanted: String,
    /// The command that mends it until the next boot.
    pub(crate) now: Option<String>,
    /// And the one that mends it for good.
    pub(crate) for_good: Option<String>,
}

impl Check {
    fn new(what: &'static str, needed: Needed, by: &'static str) -> Self {
        let (found, wanted) = (String::new(), String::new());
        Check { what, status: Status::Skipped, needed, by, found, wanted, now: None, for_good: None }
    }

    fn wanted(self, wanted: impl Into<String>) -> Self {
        Check { wanted: wanted.into(), ..self }
    }

    fn found(self, status: Status, found: impl Into<String>) -> Self {
        Check { status, found: found.into(), ..self }
    }

    /// What mends it; kept only where something is to be mended.
    fn mend(self, now: impl Into<String>, for_good: impl Into<String>) -> Self {
        match self.status {
            Status::Warn | Status::Fail => Check { now: Some(now.into()), for_good: Some(for_good.into()), ..self },
            Status::Ok | Status::Skipped => self,
        }
    }

    /// The same by a value of `sysctl`.
    fn mend_sysctl(self, key: &str, value: &str) -> Self {
        let line = format!("{key} = {value}");
        self.mend(
            format!("sysctl -w {key}=\"{value}\""),
            format!("echo '{line}' >> /etc/sysctl.d/90-feed-ring.conf && sysctl --system"),
        )
    }
}

/// The machine that is looked at.
pub(crate) struct Machine {
    proc: PathBuf,
    sys: PathBuf,
    etc: PathBuf,
    run: PathBuf,
    usr: PathBuf,
    /// Where the rings stand.
    root: PathBuf,
    /// The rings there.
    survey: Survey,
    /// Bytes that the next ring needs.
    need: u64,
    /// Whether somebody said so, or it is the largest that there is: a ring of which nobody said that it will come.
    planned: bool,
}

impl Machine {
    fn new(root: &Path, machine: &args::Machine) -> Self {
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
    fn short(&self) -> Status {
        if self.planned { Status::Fail } else { Status::Warn }
    }

    /// What the next ring is.
    fn next_ring(&self) -> &'static str {
        if self.planned { "the ring that is planned" } else { "one more ring like the largest" }
    }

    /// A file under /proc, without the space around it.
    fn proc(&self, path: &str) -> Option<String> {
        text(&self.proc.join(path))
    }

    /// A file under /sys.
    fn sys(&self, path: &str) -> Option<String> {
        text(&self.sys.join(path))
    }

    /// The kernel's version, as far as features come with one.
    fn kernel(&self) -> Option<(u32, u32)> {
        let release = self.proc("sys/kernel/osrelease")?;
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(|number| number.parse::<u32>().ok());
        Some((numbers.next()??, numbers.next()??))
    }

    /// The numbers of a file under /proc/sys.
    fn sysctl(&self, path: &str) -> Option<Vec<u64>> {
        self.proc(&format!("sys/{path}"))?.split_whitespace().map(|word| word.parse().ok()).collect()
    }
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

pub(crate) fn run(root: &Path, machine: &args::Machine, out: &mut Output) -> anyhow::Result<Outcome> {
    let machine = Machine::new(root, machine);
    let mut checks = Vec::new();
    memory::check(&machine, &mut checks);
    rings::check(&machine, &mut checks);
    cpu::check(&machine, &mut checks);
    limits::check(&machine, &mut checks);
    // A stable sort: within a group the order of above.
    checks.sort_by_key(|check| check.needed as u8);
    match out.json {
        true => out.json(&checks)?,
        false => out.text(&report(&checks))?,
    }
    let failed = checks.iter().any(|check| check.status == Status::Fail);
    Ok(if failed { Outcome::Wrong } else { Outcome::Fine })
}

fn report(checks: &[Check]) -> String {
    let mut text = String::new();
    let mut last = None;
    for check in checks {
        if last != Some(check.needed) {
            let title = match check.needed {
                Needed::Rings => "Every ring needs",
                Needed::RingsWithOptions => "Rings need with some options, or for the lowest latency",
                Needed::Others => "No ring needs; other mechanisms do",
            };
            // Writing to a String cannot fail, here and below.
            let _ = writeln!(text, "{}{title}", if last.is_some() { "\n" } else { "" });
            last = Some(check.needed);
        }
        let status = match check.status {
            Status::Ok => "ok",
            Status::Warn => "warn",
            Status::Fail => "FAIL",
            Status::Skipped => "skipped",
        };
        let _ = write!(text, "  {status:<8}{}: {}", check.what, check.found);
        if !check.wanted.is_empty() {
            let _ = write!(text, " (wanted: {})", check.wanted);
        }
        if check.needed != Needed::Rings {
            let _ = write!(text, " [{}]", check.by);
        }
        text.push('\n');
        for (when, command) in [("now", &check.now), ("for good", &check.for_good)] {
            if let Some(command) = command {
                let _ = writeln!(text, "          {when}: {command}");
            }
        }
    }
    let count = |status| checks.iter().filter(|check| check.status == status).count();
    let (ok, warn, fail) = (count(Status::Ok), count(Status::Warn), count(Status::Fail));
    let _ = writeln!(text, "\n{ok} ok, {warn} warn, {fail} fail, {} skipped", count(Status::Skipped));
    text
}
