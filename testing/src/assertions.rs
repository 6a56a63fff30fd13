//! What tests of programs assert about how a program ended.

use crate::program::Finished;

impl Finished {
    /// The last line of standard output: the summary of a program that was asked for JSON.
    pub fn last_line(&self) -> &str {
        self.stdout.lines().last().unwrap_or_default()
    }

    /// Fails unless the program ended with exit code 0 and wrote nothing to standard error.
    #[track_caller]
    pub fn assert_quiet_success(&self) {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{}", self.tail());
    }

    /// Fails unless the program ended with this exit code and one line on standard error, which begins with `name: ` and
    /// contains each of these texts.
    #[track_caller]
    pub fn assert_one_line(&self, name: &str, code: i32, contains: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.tail());
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.tail());
        assert!(self.stderr.starts_with(&format!("{name}: ")), "{}", self.tail());
        for text in contains {
            assert!(self.stderr.contains(text), "{text:?} expected: {}", self.tail());
        }
    }

    /// Fails unless the program refused its command line: exit code 2, nothing on standard output, and these texts on
    /// standard error.
    #[track_caller]
    pub fn assert_usage_error(&self, contains: &[&str]) {
        assert_eq!((self.code, self.stdout.as_str()), (Some(2), ""), "{self:?}");
        for text in contains {
            assert!(self.stderr.contains(text), "{text:?} expected: {self:?}");
        }
    }

    /// The end of standard output, and all of standard error: for the message of a failed assertion.
    pub fn tail(&self) -> String {
        let from = self.stdout.len().saturating_sub(2_000);
        format!("exit code {:?}; … {} {}", self.code, &self.stdout[from..], self.stderr)
    }
}
