//! Measures what it costs a publisher if `ringctl` inspects its ring.
//!
//! `cargo run --release -p ringctl --example cost_of_looking`
//!
//! The publisher publishes at full speed. In turns of 100 ms `ringctl` inspects the ring, far more often than in use,
//! and is stopped. The publisher's processor time per message with `ringctl` is divided by that of the turn before
//! without it. The result is the median over the turns. Processor time does not count other programs on the core.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feed_ring::Publisher;
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

const TURN: Duration = Duration::from_millis(100);
const TURNS: usize = 40;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ringctl = std::env::current_exe()?.with_file_name("../ringctl");
    let root = feed_testing::PrivateRoot::new();
    let mut publisher = Publisher::<[u64; 7]>::options("cost").root(&root).capacity(65_536).create()?;
    println!("{:<44}{:>8}{:>8}{:>8}", "looking, over not looking", "median", "p10", "p90");
    for (what, arguments) in [
        ("nobody looks (the noise)", &["completions", "bash"][..]),
        ("stat --watch 0.01: 100 looks a second", &["--json", "stat", "cost", "--watch", "0.01"]),
        ("top --interval 0.01: 100 looks a second", &["--json", "top", "--interval", "0.01"]),
        ("export --sample 0.01: 100 looks a second", &["export", "--listen", "127.0.0.1:0", "--sample", "0.01"]),
        ("tail -f: as fast as it can write", &["tail", "cost", "-f"]),
        ("verify, again and again", &["--again", "verify", "cost"]),
    ] {
        // `verify` ends: a shell repeats it.
        let mut command = match arguments {
            ["--again", rest @ ..] => {
                let mut shell = Command::new("sh");
                shell.args(["-c", "while :; do \"$0\" \"$@\"; done"]).arg(&ringctl).args(["--root"]).arg(root.path());
                shell.args(rest);
                shell
            }
            _ => {
                let mut program = Command::new(&ringctl);
                program.arg("--root").arg(root.path()).args(arguments);
                program
            }
        };
        let mut looking = Looking(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        std::thread::sleep(Duration::from_millis(200));
        let mut ratios = Vec::new();
        for _ in 0..TURNS {
            looking.signal(Signal::STOP);
            let without = publish(&mut publisher);
            looking.signal(Signal::CONT);
            ratios.push(publish(&mut publisher) / without);
        }
        looking.end();
        ratios.sort_by(f64::total_cmp);
        let at = |share: f64| ratios[(share * (TURNS - 1) as f64) as usize];
        println!("{what:<44}{:>8.3}{:>8.3}{:>8.3}", at(0.5), at(0.1), at(0.9));
    }
    Ok(())
}

/// Publishes for a turn; returns nanoseconds of processor time per message.
fn publish(publisher: &mut Publisher<[u64; 7]>) -> f64 {
    let (begun, before) = (Instant::now(), processor_time());
    let mut count = 0u64;
    while begun.elapsed() < TURN {
        for number in 0..10_000 {
            publisher.publish(&[number; 7]);
        }
        count += 10_000;
    }
    (processor_time() - before) / count as f64
}

fn processor_time() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// A process that inspects the ring; killed when dropped.
struct Looking(Child);

impl Looking {
    fn signal(&self, signal: Signal) {
        // A process that has ended needs no signal.
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }

    fn end(&mut self) {
        self.signal(Signal::CONT);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.end();
    }
}
