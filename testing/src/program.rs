//! Runs the workspace's programs as processes of their own.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime};

use rustix::process::{Pid, Signal, kill_process};

/// The longest time to wait for a program to end or to print something.
const PATIENCE: Duration = Duration::from_secs(120);

/// The path of a program of this workspace, built and up to date.
///
/// Cargo tells a test only the programs of its own package. Those of other packages are in the same directory if `cargo
/// test --workspace` built them. A program that is missing or older than its sources is built here.
///
/// # Panics
/// If the program cannot be built.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this program");
    let profile = test.parent().and_then(Path::parent).expect("tests stand in target/PROFILE/deps");
    let path = profile.join(name);
    static BUILDING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_fresh(&path) {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.args(["build", "--quiet", "--package", name, "--bin", name]);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.env("CARGO_TARGET_DIR", profile.parent().expect("a profile stands in the target directory"));
        if profile.file_name().is_some_and(|name| name == "release") {
            cargo.arg("--release");
        }
        let built = cargo.status().expect("run cargo");
        assert!(built.success() && path.is_file(), "cannot build {}", path.display());
    }
    path
}

/// Whether the program exists and no source of the workspace is newer.
fn is_fresh(path: &Path) -> bool {
    let Some(built) = modified(path) else { return false };
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let packages = std::fs::read_dir(workspace).into_iter().flatten().flatten();
    packages.map(|package| package.path().join("src")).all(|sources| is_older(&sources, built))
}

/// Whether all files below a directory are older than `than`.
fn is_older(directory: &Path, than: SystemTime) -> bool {
    std::fs::read_dir(directory)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .all(|path| if path.is_dir() { is_older(&path, than) } else { modified(&path).is_none_or(|time| time <= than) })
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

/// A running program. Its output is collected while it runs; it is killed when dropped.
#[derive(Debug)]
pub struct Program {
    process: Child,
    stdout: Collected,
    stderr: Collected,
}

/// The exit code and the output of a program.
#[derive(Debug)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

impl Program {
    /// Starts a command and collects its outputs. Its input is empty unless the command says otherwise.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        take_ignored_signals();
        // RUST_LOG is meant for the tests. The program gets it only if the test sets it.
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env_remove("RUST_LOG");
        }
        let started = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut process = started.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Collected::of(process.stdout.take().expect("its output is piped"));
        let stderr = Collected::of(process.stderr.take().expect("its output is piped"));
        Program { process, stdout, stderr }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Its standard input, if the command piped it. Only the first call returns it.
    pub fn stdin(&mut self) -> Option<std::process::ChildStdin> {
        self.process.stdin.take()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// If it has ended.
    pub fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.process.id().cast_signed()).expect("a process id");
        kill_process(id, signal).expect("signal a running program");
    }

    /// Kills it with SIGKILL and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Waits until its standard output contains `text`.
    ///
    /// # Panics
    /// If the program ends or minutes pass first.
    pub fn wait_for(&mut self, text: &str) {
        self.wait_until(text, |program| &program.stdout);
    }

    /// Waits until its standard error contains `text`.
    ///
    /// # Panics
    /// If the program ends or minutes pass first.
    pub fn wait_for_error(&mut self, text: &str) {
        self.wait_until(text, |program| &program.stderr);
    }

    /// Its standard error so far.
    pub fn stderr(&self) -> String {
        self.stderr.text()
    }

    fn wait_until(&mut self, text: &str, output: fn(&Self) -> &Collected) {
        let begun = Instant::now();
        while !output(self).text().contains(text) {
            let ended = self.process.try_wait().expect("wait for a program").is_some();
            // The last output is collected after the program's end, so look once more.
            if (ended && output(self).is_complete()) || begun.elapsed() > PATIENCE {
                assert!(output(self).text().contains(text), "it did not say {text:?}: {}", self.said());
                return;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// If the program does not end within minutes.
    pub fn finish(mut self) -> Finished {
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = self.process.try_wait().expect("wait for a program") {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.said());
            std::thread::sleep(Duration::from_millis(1));
        };
        Finished { code: status.code(), stdout: self.stdout.all(), stderr: self.stderr.all() }
    }

    fn said(&self) -> String {
        format!("standard output: {}, standard error: {}", self.stdout.text(), self.stderr.text())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The output of a pipe. A thread collects it, so that the pipe never fills up and blocks the program.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collected {
    fn of(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 64 * 1024];
            while let Ok(count @ 1..) = pipe.read(&mut buffer) {
                lock(&shared).extend_from_slice(&buffer[..count]);
            }
        });
        Collected { bytes, thread: Some(thread) }
    }

    fn is_complete(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&lock(&self.bytes)).into_owned()
    }

    fn all(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.text()
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Undoes for the programs that are started from here on that this process was started with SIGHUP ignored (`nohup`), or
/// SIGINT (in the background of a script): a signal with a handler is reset to its default when another program is executed.
/// Where SIGINT is not ignored, it still ends this process.
fn take_ignored_signals() {
    static TAKEN: std::sync::Once = std::sync::Once::new();
    TAKEN.call_once(|| {
        let take = |signal| signal_hook::flag::register(signal, Arc::default()).expect("a handler");
        take(signal_hook::consts::SIGHUP);
        if is_ignored(signal_hook::consts::SIGINT) {
            take(signal_hook::consts::SIGINT);
        }
    });
}

/// Whether this process ignores a signal.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & 1 << (signal - 1) != 0)
}
