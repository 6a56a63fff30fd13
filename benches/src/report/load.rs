//! What else wanted the cores while the report was measured: other processes, and the host of a virtual machine.
//!
//! Between two measurements only this process runs, so whatever else the kernel counts as runnable is a disturbance.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// From this mean number of other runnable processes on, the machine counts as busy.
const BUSY: f64 = 0.5;

/// From this share of the time on, what the host took counts as a disturbance, in percent.
const STOLEN: f64 = 1.0;

/// The number of times that names of processes are looked up. A look-up reads all of `/proc`.
const LOOKUPS: u32 = 50;

/// Observes the machine from its creation on.
#[derive(Debug, Default)]
pub struct Observer {
    samples: u32,
    others: u64,
    lookups: u32,
    names: BTreeMap<String, u32>,
    times: Option<(Times, Times)>,
}

/// The other load on the machine, as the report states it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Load {
    /// Other processes and threads that were running or ready, on average; null if the kernel does not tell.
    pub others: Option<f64>,
    /// The names of those seen most often.
    pub names: Vec<String>,
    /// Share of the cores' time that the host of this virtual machine took, in percent; null if the kernel does not
    /// tell.
    pub stolen_percent: Option<f64>,
}

/// Time of all cores since the machine started, in the kernel's unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Times {
    all: u64,
    stolen: u64,
}

impl Observer {
    /// Looks once. To be called while none of the report's own children runs.
    pub fn look(&mut self) {
        let Ok(stat) = std::fs::read_to_string("/proc/stat") else { return };
        if let Some(now) = times(&stat) {
            self.times = Some((self.times.map_or(now, |(first, _)| first), now));
        }
        let Some(running) = running(&stat) else { return };
        // This process is one of them.
        let others = running.saturating_sub(1);
        self.samples += 1;
        self.others += others;
        if others > 0 && self.lookups < LOOKUPS {
            self.lookups += 1;
            for name in ready_processes() {
                *self.names.entry(name).or_default() += 1;
            }
        }
    }

    /// What was seen so far.
    pub fn load(&self) -> Load {
        let mut names: Vec<(&String, &u32)> = self.names.iter().filter(|&(_, &seen)| 5 * seen > self.lookups).collect();
        names.sort_by_key(|&(_, &seen)| std::cmp::Reverse(seen));
        let stolen = self.times.filter(|(first, last)| last.all > first.all).map(|(first, last)| {
            100.0 * last.stolen.saturating_sub(first.stolen) as f64 / (last.all - first.all) as f64
        });
        Load {
            others: (self.samples > 0).then(|| self.others as f64 / f64::from(self.samples)),
            names: names.into_iter().take(3).map(|(name, _)| name.clone()).collect(),
            stolen_percent: stolen,
        }
    }
}

impl Load {
    /// Whether other processes wanted the cores most of the time.
    pub fn is_busy(&self) -> bool {
        self.others.is_some_and(|others| others >= BUSY)
    }

    /// One line for each disturbance.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(others) = self.others.filter(|_| self.is_busy()) {
            let mut line = format!("The machine was busy: on average {others:.1} other processes wanted its cores");
            if !self.names.is_empty() {
                let _ = write!(line, " (seen most: {})", self.names.join(", "));
            }
            lines.push(line + ". End them and measure again.");
        }
        if let Some(stolen) = self.stolen_percent.filter(|&stolen| stolen >= STOLEN) {
            lines.push(format!(
                "The host of this virtual machine took {stolen:.1} % of the cores' time. Measure again when it is quiet."
            ));
        }
        lines
    }
}

/// The number of runnable processes and threads, by the text of `/proc/stat`.
fn running(stat: &str) -> Option<u64> {
    stat.lines().find_map(|line| line.strip_prefix("procs_running "))?.trim().parse().ok()
}

/// The time of all cores, by the text of `/proc/stat`.
fn times(stat: &str) -> Option<Times> {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "))?;
    let times: Vec<u64> = line.split_whitespace().map_while(|time| time.parse().ok()).collect();
    // user, nice, system, idle, iowait, irq, softirq, steal; a guest's time is part of user.
    Some(Times { all: times.iter().take(8).sum(), stolen: *times.get(7)? })
}

/// The names of the processes that run or are ready, without this one.
fn ready_processes() -> Vec<String> {
    let own = std::process::id();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let others =
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(|&pid: &u32| pid != own);
    others.filter_map(|pid| ready_name(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)).collect()
}

/// The name of a process if it runs or is ready, by the text of its `stat`.
fn ready_name(stat: &str) -> Option<String> {
    let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
    rest.trim_start().starts_with('R').then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str =
        "cpu  10 20 30 400 5 6 7 8 9 0\ncpu0 1 2 3 4 5 6 7 8 9 0\nctxt 1\nprocs_running 3\nprocs_blocked 0\n";

    #[test]
    fn the_kernels_figures() {
        assert_eq!(running(STAT), Some(3));
        assert_eq!(times(STAT), Some(Times { all: 486, stolen: 8 }));
        assert_eq!((running("ctxt 1\n"), times("cpu  1 2 3\n")), (None, None));
        assert_eq!(ready_name("12 (a (b) c) R 1 12\n"), Some("a (b) c".into()));
        assert_eq!(ready_name("12 (yes) S 1 R\n"), None);
    }

    #[test]
    fn a_busy_machine_is_named_and_a_quiet_one_is_not() {
        let busy = Observer {
            samples: 10,
            others: 21,
            lookups: 9,
            names: [("yes".into(), 9), ("cc1".into(), 1)].into(),
            times: Some((Times { all: 100, stolen: 0 }, Times { all: 1100, stolen: 25 })),
        };
        let load = busy.load();
        assert!(load.is_busy());
        let lines = load.lines();
        assert!(lines[0].contains("2.1 other processes") && lines[0].contains("(seen most: yes)"), "{lines:?}");
        assert!(lines[1].contains("2.5 %"), "{lines:?}");

        let quiet = Observer { samples: 100, others: 4, lookups: 4, ..Observer::default() };
        assert_eq!((quiet.load().is_busy(), quiet.load().lines()), (false, Vec::new()));
        assert_eq!(Observer::default().load(), Load::default());
    }

    #[test]
    fn this_machine_can_be_observed() {
        let mut observer = Observer::default();
        observer.look();
        assert_eq!(observer.samples, 1, "/proc/stat has no procs_running");
    }
}
