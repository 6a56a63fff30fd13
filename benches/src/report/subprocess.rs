//! Measures a contender in a process of its own: this program, started again.
//!
//! A crash of the contender ends only that process.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::harness::clock::Ticks;
use crate::harness::contender::Unavailable;
use crate::harness::cores::Cores;
use crate::harness::fork;
use crate::harness::measurement::Plan;
use crate::harness::pair::{Session, print_error};
use crate::harness::priority;
use crate::harness::private_dir::PrivateDir;
use crate::row::Row;

/// The name of the hidden subcommand.
pub const SUBCOMMAND: &str = "measurement";

/// The longest time for a measurement, far more than any takes on a busy machine. Then its process is killed.
const PATIENCE: Duration = Duration::from_secs(40);

/// The arguments of the hidden subcommand.
#[derive(Debug, Parser)]
pub struct Args {
    /// The row's name.
    #[arg(long)]
    pub contender: String,
    /// The directory for the measurement's files.
    #[arg(long)]
    pub dir: PathBuf,
    /// The cores of the two sides.
    #[arg(long)]
    pub cores: Cores,
    /// The length of the rounds, as JSON.
    #[arg(long)]
    pub plan: String,
    /// The length of a tick.
    #[arg(long)]
    pub ticks_per_ns: f64,
    /// The process that started this one. If it dies, this process is killed.
    #[arg(long)]
    pub parent: i32,
}

/// The subprocess: measures the contender and prints the measurement as JSON. Returns the exit status.
pub fn run(args: &Args) -> u8 {
    let measurement = || -> anyhow::Result<()> {
        fork::die_with_parent(Pid::from_raw(args.parent).context("no parent")?)?;
        priority::step_down().context("stepping down below the report")?;
        let session = Session {
            dir: PrivateDir::existing(args.dir.clone()),
            cores: args.cores,
            plan: serde_json::from_str(&args.plan).context("the plan")?,
            ticks: Ticks::from_per_ns(args.ticks_per_ns),
        };
        if measure_if_among(crate::contenders::all(), &args.contender, &session)?
            || measure_if_among(crate::contenders::newest(), &args.contender, &session)?
        {
            return Ok(());
        }
        bail!("no contender `{}`", args.contender)
    };
    match measurement() {
        Ok(()) => 0,
        Err(error) => {
            print_error(&error);
            1
        }
    }
}

/// Measures the row of this name, if it is one of `rows`, and prints the measurement.
fn measure_if_among<M: Serialize>(rows: Vec<Row<M>>, name: &str, session: &Session) -> anyhow::Result<bool> {
    let Some(row) = rows.into_iter().find(|row| row.name == name) else { return Ok(false) };
    serde_json::to_writer(std::io::stdout().lock(), &row.measure(session)?).context("standard output")?;
    Ok(true)
}

/// The parent: measures a row in a subprocess.
///
/// # Errors
/// The measurement failed, or `interrupted` was set; [`Unavailable`] if this machine does not offer the mechanism.
pub fn measure<M: DeserializeOwned>(
    row: &Row<M>,
    dir: &PrivateDir,
    cores: Cores,
    plan: &Plan,
    ticks: Ticks,
    interrupted: &AtomicBool,
) -> anyhow::Result<M> {
    let (output, errors) = (dir.join("measurement.json"), dir.join("measurement.err"));
    let mut child = Command::new(std::env::current_exe().context("this program's path")?)
        .arg(SUBCOMMAND)
        .args(["--contender", &row.name])
        .arg("--dir")
        .arg(dir.path())
        .args(["--cores", &cores.to_string()])
        .args(["--plan", &serde_json::to_string(plan)?])
        .args(["--ticks-per-ns", &ticks.per_ns().to_string()])
        .args(["--parent", &getpid().as_raw_nonzero().to_string()])
        .stdin(Stdio::null())
        .stdout(File::create(&output)?)
        .stderr(File::create(&errors)?)
        .spawn()
        .context("starting the subprocess")?;
    let status = wait(&mut child, interrupted);
    let errors = std::fs::read_to_string(&errors).unwrap_or_default();
    for line in errors.lines() {
        if let Some(reason) = line.strip_prefix("SKIPPED: ") {
            return Err(Unavailable(reason.to_owned()).into());
        }
    }
    let status = status?;
    ensure!(status.success(), "{} ({status})", errors.trim().replace('\n', " · "));
    serde_json::from_slice(&std::fs::read(&output)?).context("the measurement's results")
}

/// Waits for the subprocess to end. Kills it after [`PATIENCE`] or when `interrupted` is set.
fn wait(child: &mut Child, interrupted: &AtomicBool) -> anyhow::Result<ExitStatus> {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
    let descriptor = pidfd_open(pid, PidfdFlags::empty()).context("pidfd_open")?;
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let late = began.elapsed() > PATIENCE;
        if late || interrupted.load(Ordering::SeqCst) {
            child.kill()?;
            child.wait()?;
            ensure!(!late, "not finished within {} s: killed", PATIENCE.as_secs());
            bail!("interrupted");
        }
        let mut descriptors = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut descriptors, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}
