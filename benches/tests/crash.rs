//! Kills the processes of a run: no process outlives the run, other contenders are reported, the next run cleans up.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feed_testing::{PrivateRoot, skipped};
use rustix::process::{Pid, Signal, kill_process};

/// A long run over contenders that could leave something behind. It is killed when dropped.
struct Run(Child);

impl Run {
    fn start(output: &Path, only: &[&str]) -> Option<Self> {
        if std::thread::available_parallelism().map_or(1, std::num::NonZero::get) < 2 {
            skipped("a crashing report: a pair needs two cores");
            return None;
        }
        let mut command = Command::new(env!("CARGO_BIN_EXE_report"));
        command.args(["--smoke", "--rounds", "10000", "--output"]).arg(output);
        for part in only {
            command.args(["--only", part]);
        }
        let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start the report");
        Some(Self(child))
    }

    fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Waits for the publisher's and the subscriber's process.
    fn pair(&self) -> (u32, u32) {
        until("a pair of processes", || {
            let publisher = *children(self.pid()).first()?;
            Some((publisher, *children(publisher).first()?))
        })
    }

    /// Waits for the private directory of the run.
    fn place(&self) -> PathBuf {
        until("the private directory", || places(self.pid()).pop())
    }

    fn kill(&mut self) {
        self.0.kill().expect("kill the report");
        self.0.wait().expect("wait for the report");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn children(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().expect("a process id")).collect()
}

fn is_gone(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z'))
}

fn places(pid: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir("/dev/shm").expect("/dev/shm").flatten().map(|entry| entry.path());
    entries.filter(|path| path.to_string_lossy().contains(&format!(".{pid}."))).collect()
}

fn kill(pid: u32) {
    let pid = Pid::from_raw(i32::try_from(pid).expect("a process id")).expect("a process id");
    // The process may have ended since it was listed.
    let _ = kill_process(pid, Signal::KILL);
}

#[test]
fn nobody_outlives_a_killed_run_and_the_next_removes_what_it_left() {
    let output = PrivateRoot::new();
    let Some(mut run) = Run::start(output.path(), &["posix mq 56", "sysv mq 56", "unix stream 56"]) else { return };
    let place = run.place();
    let (publisher, subscriber) = run.pair();
    run.kill();
    until("the pair's end", || (is_gone(publisher) && is_gone(subscriber)).then_some(()));

    // The run of another test may have removed the directory already.
    let next = Command::new(env!("CARGO_BIN_EXE_report"))
        .args(["--smoke", "--only", "line rw", "--output"])
        .arg(output.path())
        .stdout(Stdio::null())
        .status();
    assert!(next.expect("start the report").success());
    assert!(!place.exists(), "{} is still there", place.display());
    assert!(places(run.pid()).is_empty());
}

#[test]
fn a_dead_subscriber_fails_its_contender_and_not_the_run() {
    dead_side(|(_, subscriber)| subscriber);
}

#[test]
fn a_dead_publisher_fails_its_contender_and_not_the_run() {
    dead_side(|(publisher, _)| publisher);
}

/// Kills one side of every pair until each of the two contenders has failed. Then the run ends by itself.
fn dead_side(side: fn((u32, u32)) -> u32) {
    let output = PrivateRoot::new();
    let Some(mut run) = Run::start(output.path(), &["pipe 56", "shm eventfd 56"]) else { return };
    let status = until("the run's end", || {
        if let Some(&publisher) = children(run.pid()).first()
            && let Some(&subscriber) = children(publisher).first()
        {
            kill(side((publisher, subscriber)));
        }
        run.0.try_wait().expect("wait for the report")
    });
    assert_eq!(status.code(), Some(1), "a run with failed contenders says so");
    let json = fs::read(output.path().join("report.json")).expect("the report is written all the same");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("report.json is JSON");
    let failed: Vec<_> = json["failed"].as_array().expect("failed").iter().map(|row| row["name"].as_str()).collect();
    assert_eq!(failed, [Some("pipe 56"), Some("shm eventfd 56")]);
    assert!(places(run.pid()).is_empty(), "the run left something behind");
}
