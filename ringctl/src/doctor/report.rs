//! The report as text, one group of checks after the other.

use std::fmt::Write as _;

use super::check::{Check, Needed, Status};

pub(super) fn text(checks: &[Check]) -> String {
    let mut text = String::new();
    let mut last = None;
    for check in checks {
        if last != Some(check.needed) {
            let title = match check.needed {
                Needed::Rings => "Every ring needs",
                Needed::RingsWithOptions => "Rings need with some options, or for the lowest latency",
                Needed::Others => "No ring needs; other mechanisms do",
            };
            // Writing to a String cannot fail.
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
