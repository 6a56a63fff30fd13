//! The publisher that is measured: one message, or one store into a row, each microsecond, and the duration of each.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use feed_ring::placement::pin_to_cpu;
use hdrhistogram::Histogram;

use super::case::{Attack, Case, KEY, Place, Target};
use super::options::{Options, Role};
use crate::harness::clock::{self, Ticks};
use crate::harness::cores::Cores;
use crate::harness::private_dir::PrivateDir;
use crate::harness::quantiles::Quantiles;

/// The interval between two messages.
const INTERVAL: Duration = Duration::from_micros(1);

/// Messages before those that are measured.
const WARM_UP: u64 = 20_000;

/// A user who owns nothing.
const NOBODY: u32 = 65_534;

/// Publishes or stores, and prints the quantiles.
pub(super) fn run(
    options: &Options,
    case: &Case,
    directory: &Path,
    cores: Cores,
    attacked: bool,
) -> anyhow::Result<()> {
    // Before the publisher is made, as docs/performance.md advises.
    pin_to_cpu(cores.publisher)?;
    feed_ring::guard::install()?;
    let attacker = || attacked.then(|| Attacker::start(options, case, directory, cores)).transpose();
    let quantiles = match case.target {
        Target::Ring => {
            let mut publisher = case.place.publisher(directory).create()?;
            let quantiles = quantiles(options, attacker()?, |number| publisher.publish(&[number; 7]))?;
            publisher.close()?;
            quantiles
        }
        Target::Table => {
            let mut writer = case.place.writer(directory).create_table()?;
            let row = writer.row(&KEY)?;
            let quantiles = quantiles(options, attacker()?, |number| writer.store(row, &[number; 7]))?;
            writer.close()?;
            quantiles
        }
    };
    println!("{}", serde_json::to_string(&quantiles)?);
    Ok(())
}

/// The quantiles of the durations of `publish`, which is given the number of the message. The attack ends afterwards.
fn quantiles(
    options: &Options,
    attacker: Option<Attacker>,
    mut publish: impl FnMut(u64) -> u64,
) -> anyhow::Result<Quantiles> {
    let ticks = Ticks::measure();
    let mut durations = Histogram::<u64>::new_with_max(10_000_000_000, 3)?;
    let interval = ticks.ticks(INTERVAL);
    let mut due = clock::now();
    for number in 0..WARM_UP + options.messages {
        due += interval;
        while clock::now() < due {
            std::hint::spin_loop();
        }
        let begun = clock::now_after_loads();
        publish(number);
        let ended = clock::now_after_loads();
        if number >= WARM_UP {
            durations.saturating_record(ticks.ns((ended - begun) as f64) as u64);
        }
        // What came too late is not made up for: that would be another pace.
        due = due.max(ended);
    }
    if let Some(mut attacker) = attacker {
        attacker.end()?;
    }
    Ok(Quantiles::of(&durations))
}

/// One measurement, in a process of its own.
pub(super) fn measure_in_child(
    options: &Options,
    case: usize,
    role: Role,
    directory: &PrivateDir,
    cores: Cores,
) -> anyhow::Result<Quantiles> {
    let directory = directory.subdir("target")?;
    for path in [directory.path(), directory.path().parent().unwrap_or(directory.path())] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))?;
    }
    let mut command = own(options, case, role, directory.path(), cores)?;
    let output = command.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "a measurement ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("what a measurement printed")
}

/// This program, in another role.
fn own(options: &Options, case: usize, role: Role, directory: &Path, cores: Cores) -> anyhow::Result<Command> {
    let role = match role {
        Role::Alone => "alone",
        Role::Attacked => "attacked",
        Role::Attack => "attack",
    };
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--role", role, "--case", &case.to_string(), "--cores", &cores.to_string()]);
    command.args(["--messages", &options.messages.to_string()]).arg("--directory").arg(directory);
    Ok(command)
}

/// The attacking process. Dropping this kills it.
struct Attacker(Child);

impl Attacker {
    /// Starts it, as another user where that is allowed and the attack is one of another user. Returns once it attacks.
    fn start(options: &Options, case: &Case, directory: &Path, cores: Cores) -> anyhow::Result<Self> {
        let mut command = own(options, options.case, Role::Attack, directory, cores)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let another = case.place == Place::Admitting || case.attack == Attack::Membarrier;
        if another && rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let mut child = command.spawn().context("starting the attacker")?;
        let output = child.stdout.take().context("the attacker's output")?;
        let attacker = Attacker(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(line == "attacking\n", "the attacker failed");
        Ok(attacker)
    }

    /// Ends it. An attack that ended before was none.
    fn end(&mut self) -> anyhow::Result<()> {
        ensure!(self.0.try_wait()?.is_none(), "the attacker ended too early");
        self.0.kill()?;
        self.0.wait()?;
        Ok(())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
