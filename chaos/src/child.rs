//! The child processes: this program in a role, killed when dropped, and what it says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A child process, killed when dropped.
pub(crate) struct ChildProcess {
    pub(crate) process: Child,
    listener: Option<JoinHandle<()>>,
}

impl ChildProcess {
    /// Starts this program in `role`. `on_line` gets each line that it prints.
    pub(crate) fn start(role: &[&str], root: &Path, mut on_line: impl FnMut(&str) + Send + 'static) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(role).arg("--root").arg(root).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = command.spawn()?;
        let output = BufReader::new(process.stdout.take().ok_or("no output")?);
        let listener = std::thread::spawn(move || {
            for line in output.lines().map_while(std::result::Result::ok) {
                on_line(&line);
            }
        });
        Ok(ChildProcess { process, listener: Some(listener) })
    }

    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(pid) = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, signal);
        }
    }

    /// Kills the process with SIGKILL and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Whether the process ended by itself. None should.
    pub(crate) fn has_ended(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(Some(_)))
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// Starts a child process that prints a line once it is ready.
pub(crate) fn start_and_watch(role: &[&str], root: &Path) -> Result<(ChildProcess, Arc<Mutex<bool>>)> {
    let ready = Arc::new(Mutex::new(false));
    let shared = Arc::clone(&ready);
    let on_line = move |_: &str| *shared.lock().unwrap_or_else(PoisonError::into_inner) = true;
    Ok((ChildProcess::start(role, root, on_line)?, ready))
}

/// Waits until the child process is ready.
pub(crate) fn wait_until_ready(child: &mut ChildProcess, ready: &Mutex<bool>) -> Result<()> {
    while !*ready.lock().unwrap_or_else(PoisonError::into_inner) {
        if child.has_ended() {
            return Err("a child process ended by itself".into());
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    Ok(())
}

/// A writer that is killed, and the next one.
pub(crate) struct Writers {
    role: Vec<String>,
    number: u64,
    pub(crate) process: ChildProcess,
}

impl Writers {
    /// Starts the first one in `role`, and waits until it is ready.
    pub(crate) fn start(role: &[&str], root: &Path) -> Result<Self> {
        let (mut process, ready) = start_numbered(role, 1, root)?;
        wait_until_ready(&mut process, &ready)?;
        Ok(Writers { role: role.iter().map(|word| (*word).to_owned()).collect(), number: 1, process })
    }

    /// Starts the next one, which takes over. It may be killed while it does, unless `wait`.
    pub(crate) fn start_next(&mut self, root: &Path, wait: bool) -> Result<()> {
        self.number += 1;
        let role = self.role.iter().map(String::as_str).collect::<Vec<_>>();
        let (process, ready) = start_numbered(&role, self.number, root)?;
        self.process = process;
        if wait { wait_until_ready(&mut self.process, &ready) } else { Ok(()) }
    }
}

fn start_numbered(role: &[&str], number: u64, root: &Path) -> Result<(ChildProcess, Arc<Mutex<bool>>)> {
    start_and_watch(&[role, &["--number", &number.to_string()]].concat(), root)
}

/// A process that receives or reads, and the counts that it last printed.
pub(crate) struct Counting<C> {
    child: ChildProcess,
    counts: Arc<Mutex<C>>,
    stopped: bool,
}

impl<C: Copy + Default + DeserializeOwned + Send + 'static> Counting<C> {
    /// Starts this program in `role`.
    pub(crate) fn start(role: &[&str], root: &Path) -> Result<Self> {
        let counts = Arc::new(Mutex::new(C::default()));
        let shared = Arc::clone(&counts);
        let child = ChildProcess::start(role, root, move |line| {
            if let Ok(now) = serde_json::from_str(line) {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
        })?;
        Ok(Counting { child, counts, stopped: false })
    }

    /// Stops the process, or lets it go on if it is stopped.
    pub(crate) fn stop_or_continue(&mut self) {
        self.child.signal(if self.stopped { Signal::CONT } else { Signal::STOP });
        self.stopped = !self.stopped;
    }

    /// Whether the process ended by itself. None should.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.has_ended()
    }

    /// Lets the process go on for a moment, if it is stopped, so that it tells what it saw.
    pub(crate) fn let_finish(&self) {
        self.child.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(50));
    }

    /// Kills the process and returns its counts.
    pub(crate) fn end(self) -> C {
        drop(self.child);
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
