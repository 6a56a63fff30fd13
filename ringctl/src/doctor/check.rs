//! One line of the report: what was found, what is wanted, and the commands that mend it.

use serde::Serialize;

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

    /// What mends it; kept only where something is to be mended.
    pub(super) fn mend(self, now: impl Into<String>, for_good: impl Into<String>) -> Self {
        match self.status {
            Status::Warn | Status::Fail => Check { now: Some(now.into()), for_good: Some(for_good.into()), ..self },
            Status::Ok | Status::Skipped => self,
        }
    }

    /// The same by a value of `sysctl`.
    pub(super) fn mend_sysctl(self, key: &str, value: &str) -> Self {
        let line = format!("{key} = {value}");
        self.mend(
            format!("sysctl -w {key}=\"{value}\""),
            format!("echo '{line}' >> /etc/sysctl.d/90-feed-ring.conf && sysctl --system"),
        )
    }
}
