//! The machine, the kernel and the date that a report states.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// The model name of the CPU.
    pub cpu: String,
    /// Number of CPUs.
    pub cpus: usize,
    /// Whether the machine is virtual.
    pub is_virtual: bool,
    /// Memory in bytes.
    pub memory: u64,
    /// The architecture of the CPU.
    pub architecture: String,
}

impl Machine {
    /// Describes this machine.
    pub fn current() -> Self {
        let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let field = |name: &str| {
            let line = cpu.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let flags = field("flags").unwrap_or_default();
        Self {
            cpu: field("model name").unwrap_or_else(|| "unknown".into()),
            cpus: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            is_virtual: flags.split_whitespace().any(|flag| flag == "hypervisor"),
            memory: memory().unwrap_or(0),
            architecture: std::env::consts::ARCH.into(),
        }
    }
}

fn memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kilobytes: u64 = text.lines().next()?.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// The kernel's name and release.
pub fn kernel() -> String {
    let name = rustix::system::uname();
    format!("{} {}", name.sysname().to_string_lossy(), name.release().to_string_lossy())
}

/// [`scheduling`] of a process with real-time priority.
pub const REAL_TIME: &str = "real-time";

/// The scheduling policy of this process and its children. With `real-time` they keep their cores while other processes
/// want them.
pub fn scheduling() -> &'static str {
    // The command name may contain spaces and parentheses, so fields are counted from its closing parenthesis. The
    // policy is field 41.
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let policy = stat.rsplit_once(')').and_then(|(_, fields)| fields.split_whitespace().nth(38)?.parse().ok());
    match policy {
        Some(libc::SCHED_FIFO | libc::SCHED_RR) => REAL_TIME,
        Some(_) => "other",
        None => "unknown",
    }
}

/// The present time, as `2026-11-23T04:05:06Z`.
pub fn date() -> String {
    format_date(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}

/// Formats seconds since 1970 as a date of the Gregorian calendar.
fn format_date(seconds: u64) -> String {
    let (mut days, second) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    loop {
        let length = 365 + u64::from(is_leap(year));
        if days < length {
            break;
        }
        days -= length;
        year += 1;
    }
    let mut month = 1;
    for length in [31, 28 + u64::from(is_leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", days + 1)
}

#[cfg(test)]
mod tests {
    #[test]
    fn dates() {
        assert_eq!(super::format_date(0), "1970-01-01T00:00:00Z");
        assert_eq!(super::format_date(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(super::format_date(1_795_406_706), "2026-11-23T04:05:06Z");
    }
}
