//! A second process that begins as a copy of this one, and that never outlives it.
#![allow(unsafe_code)] // fork(2) is unsafe: after it, only the calling thread exists in the child.

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, set_parent_process_death_signal, waitpid};

/// A child that runs to its end or is killed when this is dropped.
#[derive(Debug)]
pub struct Child {
    pid: Option<Pid>,
}

/// Runs `work` in a child process and exits it, 0 when all went well, else 1 with the reason on standard error.
///
/// # Errors
/// This process has more than one thread (locks that another thread holds would stay locked for ever in the child),
/// or the kernel refuses.
pub fn child(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Child> {
    let threads = std::fs::read_dir("/proc/self/task").context("/proc/self/task")?.count();
    ensure!(threads == 1, "fork with {threads} threads running: fork before starting threads");
    let parent = getpid();
    // SAFETY: this process has one thread, as just checked, so the child is as good a process as its parent.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(std::io::Error::last_os_error()).context("fork"),
        0 => {
            let code = match die_with(parent).and_then(|()| work()) {
                Ok(()) => 0,
                Err(error) => {
                    eprintln!("{error:#}");
                    1
                }
            };
            std::process::exit(code)
        }
        pid => Ok(Child { pid: Pid::from_raw(pid) }),
    }
}

/// Has the kernel kill this process as soon as its parent is dead.
///
/// # Errors
/// The parent is dead already.
pub fn die_with(parent: Pid) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("PR_SET_PDEATHSIG")?;
    // It may have died before the line above.
    ensure!(getppid() == Some(parent), "the parent process {} is gone", parent.as_raw_nonzero());
    Ok(())
}

impl Child {
    /// Waits for its end.
    ///
    /// # Errors
    /// It did not exit with 0.
    pub fn wait(mut self) -> anyhow::Result<()> {
        let pid = self.pid.take().context("waited for already")?;
        let (_, status) = waitpid(Some(pid), WaitOptions::empty()).context("waitpid")?.context("waitpid: no status")?;
        ensure!(status.exit_status() == Some(0), "the other process ended with {status:?}");
        Ok(())
    }

    /// Its process id.
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.take() {
            // A child that is gone already makes both fail, which is as good.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
