//! Messages on standard error: whole lines.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard error in one call, so that lines of several programs on one terminal do not mix. Ignores a
/// standard error that cannot be written, about which `eprintln!` would panic.
pub fn say(what: impl Display) {
    let _ = try_say(what);
}

/// Writes a line to standard error as [`say`] does: for data that must not be lost unnoticed.
///
/// # Errors
/// The kernel's error. A closed pipe is none.
pub fn try_say(what: impl Display) -> io::Result<()> {
    match io::stderr().write_all(format!("{what}\n").as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// An error and its causes in one line: `cannot do that: the cause`. Leaves out a cause whose text the line already
/// contains.
pub fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !line.contains(&cause_text) {
            line = format!("{line}: {cause_text}");
        }
        next = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Failed {
        text: &'static str,
        source: Option<io::Error>,
    }

    #[test]
    fn each_cause_is_written_once() {
        let error = |text| Failed { text, source: Some(io::Error::other("no room")) };
        assert_eq!(with_causes(&error("/a: cannot write")), "/a: cannot write: no room");
        assert_eq!(with_causes(&error("/a: cannot write: no room: make some")), "/a: cannot write: no room: make some");
        assert_eq!(with_causes(&Failed { text: "alone", source: None }), "alone");
    }
}
