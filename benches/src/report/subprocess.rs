//! One measurement as a process of its own: the pair is this program run again, so that a contender's crash is its own
//! affair.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::Parser;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};

use crate::harness::clock::Ticks;
use crate::harness::contender::Unavailable;
use crate::harness::cores::Cores;
use crate::harness::fork;
use crate::harness::measurement::{Measurement, Plan};
use crate::harness::pair::{Session, print_error};
use crate::harness::private_dir::PrivateDir;
use crate::row::Row;

/// The hidden subcommand.
pub const SUBCOMMAND: &str = "measurement";

/// How long a measurement may take before it is ended: far more than any takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// What a visiting process is told.
#[derive(Debug, Parser)]
pub struct Args {
    /// The row's name.
    #[arg(long)]
    pub contender: String,
    /// Where its files go.
    #[arg(long)]
    pub dir: PathBuf,
    /// Where its two sides run.
    #[arg(long)]
    pub cores: Cores,
    /// What to do, as JSON.
    #[arg(long)]
    pub plan: String,
    /// How long a tick is.
    #[arg(long)]
    pub ticks_per_ns: f64,
    /// The process that gave the args, without which this one ends.
    #[arg(long)]
    pub parent: i32,
}

/// Carries the args out: the measurement as JSON on standard output. The process's exit status.
pub fn run(args: &Args) -> u8 {
    let measurement = || -> anyhow::Result<()> {
        fork::die_with(Pid::from_raw(args.parent).context("no parent")?)?;
        let row = crate::contenders::all().into_iter().find(|row| row.name == args.contender);
        let row = row.with_context(|| format!("no contender `{}`", args.contender))?;
        let session = Session {
            dir: PrivateDir::existing(args.dir.clone()),
            cores: args.cores,
            plan: serde_json::from_str(&args.plan).context("the plan")?,
            ticks: Ticks::from_per_ns(args.ticks_per_ns),
        };
        let measurement = row.measure(&session)?;
        serde_json::to_writer(std::io::stdout().lock(), &measurement).context("standard output")
    };
    match measurement() {
        Ok(()) => 0,
        Err(error) => {
            print_error(&error);
            1
        }
    }
}

/// Measurements a row in a process of its own.
///
/// # Errors
/// The measurement failed, [`Unavailable`] when this machine does not offer the mechanism, or `interrupted` was set.
pub fn measure(
    row: &Row,
    dir: &PrivateDir,
    cores: Cores,
    plan: &Plan,
    ticks: Ticks,
    interrupted: &AtomicBool,
) -> anyhow::Result<Measurement> {
    let (output, complaints) = (dir.join("measurement.json"), dir.join("measurement.err"));
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
        .stderr(File::create(&complaints)?)
        .spawn()
        .context("starting a pair")?;
    let status = wait(&mut child, interrupted);
    let complaints = std::fs::read_to_string(&complaints).unwrap_or_default();
    for line in complaints.lines() {
        if let Some(reason) = line.strip_prefix("SKIPPED: ") {
            return Err(Unavailable(reason.to_owned()).into());
        }
    }
    let status = status?;
    ensure!(status.success(), "{} ({status})", complaints.trim().replace('\n', " · "));
    serde_json::from_slice(&std::fs::read(&output)?).context("the measurement's results")
}

/// Waits for its end, and ends it if that takes too long.
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
            ensure!(!late, "no end within {} s: ended", PATIENCE.as_secs());
            bail!("interrupted");
        }
        let mut descriptors = [PollFd::new(&descriptor, PollFlags::IN)];
        match poll(&mut descriptors, Some(&Timespec { tv_sec: 1, tv_nsec: 0 })) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("poll"),
        }
    }
}
