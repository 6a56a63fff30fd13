//! Runs a closure in a forked child process that never outlives its parent.
#![allow(unsafe_code)] // fork(2) is unsafe: after it, only the calling thread exists in the child.

use anyhow::{Context as _, ensure};
use rustix::process::{Pid, Signal, WaitOptions, getpid, getppid, set_parent_process_death_signal, waitpid};

/// A child process. Dropping this kills it.
#[derive(Debug)]
pub struct Child {
    pid: Option<Pid>,
}

/// Runs `work` in a child process. The child exits with 0, or with 1 and the error on standard error.
///
/// # Errors
/// This process has more than one thread: the child would inherit locks that no thread of it can release. Or the kernel
/// refuses.
pub fn child(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Child> {
    let threads = std::fs::read_dir("/proc/self/task").context("/proc/self/task")?.count();
    ensure!(threads == 1, "fork with {threads} threads running: fork before starting threads");
    let parent = getpid();
    // SAFETY: this process has one thread, as just checked, so the child has every thread that it needs.
    let pid = unsafe { libc::fork() };
    match pid {
        -1 => Err(std::io::Error::last_os_error()).context("fork"),
        0 => {
            let code = match die_with_parent(parent).and_then(|()| work()) {
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

/// Asks the kernel to kill this process when its parent dies.
///
/// # Errors
/// The parent is dead already.
pub fn die_with_parent(parent: Pid) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL)).context("PR_SET_PDEATHSIG")?;
    // The parent may have died before the call above.
    ensure!(getppid() == Some(parent), "the parent process {} is gone", parent.as_raw_nonzero());
    Ok(())
}

impl Child {
    /// Waits for the child's end.
    ///
    /// # Errors
    /// The child did not exit with 0.
    pub fn wait(mut self) -> anyhow::Result<()> {
        let pid = self.pid.take().context("waited for already")?;
        let (_, status) = waitpid(Some(pid), WaitOptions::empty()).context("waitpid")?.context("waitpid: no status")?;
        ensure!(status.exit_status() == Some(0), "the other process ended with {status:?}");
        Ok(())
    }

    /// The child's process id; `None` after `wait`.
    pub fn pid(&self) -> Option<Pid> {
        self.pid
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(pid) = self.pid.take() {
            // Both calls fail if the child is gone already. That is fine.
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = waitpid(Some(pid), WaitOptions::empty());
        }
    }
}
