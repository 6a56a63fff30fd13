//! Standard output: text for people, or JSON.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::AtomicBool;

use feed_program::stdout::{OutputError, Stdout};
use serde::Serialize;

/// Signals end this program at once: no write has to end on one.
static NEVER: AtomicBool = AtomicBool::new(false);

/// Standard output: text for people, or JSON.
///
/// It is buffered. Whoever writes the last of it must call [`flush`](Self::flush): only that reports what could not be
/// written.
pub(crate) struct Output {
    pub(crate) json: bool,
    stdout: Stdout<'static>,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        Output { json, stdout: Stdout::new(&NEVER) }
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), OutputError> {
        Ok(self.stdout.write_all(text.as_bytes())?)
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, line: &str) -> Result<(), OutputError> {
        self.text(line)?;
        self.text("\n")
    }

    /// Writes a value on a line of its own.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), OutputError> {
        let json = serde_json::to_string(value).map_err(io::Error::from)?;
        self.line(&json)
    }

    /// Writes buffered output.
    pub(crate) fn flush(&mut self) -> Result<(), OutputError> {
        Ok(self.stdout.flush()?)
    }
}

/// The width of standard output in columns; `None` if it is not a terminal.
pub(crate) fn width() -> Option<usize> {
    let stdout = io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
}
