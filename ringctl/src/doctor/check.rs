//! A check of one property: what was found, what is wanted, and the commands that fix it.

use serde::Serialize;

/// The result of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// As wanted.
    Ok,
    /// It works, but not at its best or not with every option.
    Warn,
    /// It does not work.
    Fail,
    /// It is unknown, or does not exist on this machine.
    Skipped,
}

/// Who needs the property.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Needed {
    /// Every ring.
    Rings,
    /// Rings with some option, or with the lowest latency.
    RingsWithOptions,
    /// Other mechanisms between processes, not rings.
    Others,
}

/// A check of one property of the machine.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    pub(crate) what: &'static str,
    pub(crate) status: Status,
    pub(crate) needed: Needed,
    /// The option or mechanism that needs it.
    pub(crate) by: &'static str,
    pub(crate) found: String,
    pub(crate) wanted: String,
    /// The command that fixes it until the next boot.
    pub(crate) now: Option<String>,
    /// The command that fixes it permanently.
    pub(crate) for_good: Option<String>,
}

impl Check {
    pub(super) fn new(what: &'static str, needed: Needed, by: &'static str) -> Self {
        let (found, wanted) = (String::new(), String::new());
        Check { what, status: Status::Skipped, needed, by, found, wanted, now: None, for_good: None }
    }

    pub(super) fn wanted(self, wanted: impl Into<String>) -> Self {
        Check { wanted: wanted.into(), ..self }
    }

    pub(super) fn found(self, status: Status, found: impl Into<String>) -> Self {
        Check { status, found: found.into(), ..self }
    }

    /// Adds the commands that fix it, unless nothing is to be fixed.
    pub(super) fn fix(self, now: impl Into<String>, for_good: impl Into<String>) -> Self {
        match self.status {
            Status::Warn | Status::Fail => Check { now: Some(now.into()), for_good: Some(for_good.into()), ..self },
            Status::Ok | Status::Skipped => self,
        }
    }

    /// Adds the commands that set a value of `sysctl`.
    pub(super) fn fix_sysctl(self, key: &str, value: &str) -> Self {
        let line = format!("{key} = {value}");
        self.fix(
            format!("sysctl -w {key}=\"{value}\""),
            format!("echo '{line}' >> /etc/sysctl.d/90-feed-ring.conf && sysctl --system"),
        )
    }
}
