//! Child processes for tests: the test program itself, started again for one ignored test that acts as the child.
//!
//! Such a test is `#[ignore]`d, so that it does not run by itself. It begins with [`as_child`], which kills it when its
//! parent ends. It gets its parameters in environment variables.

use std::io::{BufRead, BufReader, Read};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};

const MARK: &str = "FEED_TEST_CHILD";

/// The command that runs the test `test` of this test program as a child. `test` is the path that `cargo test` prints.
///
/// # Panics
/// If this program cannot be found.
pub fn child(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("the path of this program"));
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1", "-q"]).env(MARK, "1");
    command
}

/// Whether this process was started by [`child`]. If so, it is killed when its parent ends.
pub fn as_child() -> bool {
    if std::env::var_os(MARK).is_none() {
        return false;
    }
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    true
}

/// A running child and the lines that it prints. It is killed when dropped.
#[derive(Debug)]
pub struct Child {
    process: std::process::Child,
    output: BufReader<ChildStdout>,
}

impl Child {
    /// Starts a command with its standard output piped.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().expect("start a child process");
        let output = BufReader::new(process.stdout.take().expect("its output is piped"));
        Child { process, output }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Waits for a line that begins with `word`, and returns the rest of the line.
    ///
    /// # Panics
    /// If the output ends first.
    pub fn wait_for(&mut self, word: &str) -> String {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            if self.output.read_line(&mut line).unwrap_or(0) == 0 {
                panic!("the child ended without saying {word:?}; it said: {seen}");
            }
            if let Some(rest) = line.trim_end().strip_prefix(word) {
                return rest.trim().to_owned();
            }
            seen.push_str(&line);
        }
    }

    /// Whether it has not ended yet.
    ///
    /// # Panics
    /// If the kernel does not tell.
    pub fn goes_on(&mut self) -> bool {
        self.process.try_wait().expect("ask for a child's end").is_none()
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits for the child's end. Returns its status and the rest of its output.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn finish(mut self) -> (ExitStatus, String) {
        let mut rest = String::new();
        let _ = self.output.read_to_string(&mut rest);
        (self.process.wait().expect("wait for a child"), rest)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}
