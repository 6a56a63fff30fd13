//! Real-time priority: with it, ordinary processes do not take the core away from a side during a round.
//!
//! The report takes it once, at its start. Every process and thread that it starts inherits it, those of the peers too.
//! The measured processes then step down by one: both may occupy their cores without a pause, and the report must still
//! be able to end them. The kernel gives ordinary processes some 5 % of a core even so (`sched_rt_runtime_us`). Rounds
//! that this disturbs are dropped.

use std::io;

use rustix::process::{Resource, getrlimit};

use crate::sys::scheduler;

/// The priority of the report. Most kernel threads with real-time priority have 50, so the sides have as much.
const WANTED: i32 = 51;

/// The lowest priority that leaves one below it for the sides.
const LOWEST: i32 = 2;

/// The outcome of taking real-time priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Priority {
    /// It was taken.
    Taken(i32),
    /// The process already had it, for example from `chrt`.
    Had(i32),
    /// The user did not want it.
    Declined,
    /// The kernel refused. What it said, and how to get it.
    Refused(String),
}

impl Priority {
    /// Whether this process and its children now have real-time priority.
    pub fn is_real_time(&self) -> bool {
        matches!(self, Self::Taken(_) | Self::Had(_))
    }
}

impl std::fmt::Display for Priority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Taken(priority) => write!(f, "real-time priority: SCHED_FIFO {priority}"),
            Self::Had(priority) => write!(f, "real-time priority: {priority}, as it was started with"),
            Self::Declined => write!(f, "no real-time priority: --no-real-time"),
            Self::Refused(why) => write!(f, "no real-time priority: {why}"),
        }
    }
}

/// Takes real-time priority if this process may.
pub fn take() -> Priority {
    match scheduler::current() {
        Ok((libc::SCHED_FIFO | libc::SCHED_RR, priority)) => return Priority::Had(priority),
        Ok(_) => {}
        Err(error) => return Priority::Refused(format!("sched_getscheduler: {error}")),
    }
    let limit = getrlimit(Resource::Rtprio).current.map_or(i32::MAX, |limit| i32::try_from(limit).unwrap_or(i32::MAX));
    let mut refused = None;
    for priority in attempts(limit) {
        match scheduler::set(libc::SCHED_FIFO, priority) {
            Ok(()) => return Priority::Taken(priority),
            Err(error) => refused = Some(error),
        }
    }
    let error = refused.unwrap_or_else(|| io::Error::from_raw_os_error(libc::EPERM));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    Priority::Refused(explain(&error, limit, may_change_priorities(&status)))
}

/// Priorities to try, the highest first. A capability allows any priority, the limit those up to it.
fn attempts(limit: i32) -> Vec<i32> {
    let mut attempts = vec![WANTED];
    if (LOWEST..WANTED).contains(&limit) {
        attempts.push(limit);
    }
    attempts
}

/// Whether the process has `CAP_SYS_NICE`, by the text of `/proc/self/status`.
fn may_change_priorities(status: &str) -> bool {
    const CAP_SYS_NICE: u64 = 1 << 23;
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).is_some_and(|set| set & CAP_SYS_NICE != 0)
}

/// The reason and the remedy, in one line.
fn explain(error: &io::Error, limit: i32, may: bool) -> String {
    if error.raw_os_error() == Some(libc::EPERM) && !may {
        return format!(
            "this user may not take it (limit rtprio {limit}, no CAP_SYS_NICE): run the report as root, or add `USER - \
             rtprio {WANTED}` to /etc/security/limits.conf and log in again; without it other processes disturb more rounds"
        );
    }
    if error.raw_os_error() == Some(libc::EPERM) {
        return format!(
            "{error}: this control group has no real-time time: run the report outside it, or raise its cpu.rt_runtime_us"
        );
    }
    format!("sched_setscheduler: {error}: this system does not offer it to programs")
}

/// Gives a measured process the priority below the report's. Without real-time priority it changes nothing.
///
/// # Errors
/// The kernel's.
pub fn step_down() -> io::Result<()> {
    match scheduler::current()? {
        (policy @ (libc::SCHED_FIFO | libc::SCHED_RR), priority) if priority >= LOWEST => {
            scheduler::set(policy, priority - 1)
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> io::Error {
        io::Error::from_raw_os_error(libc::EPERM)
    }

    #[test]
    fn a_limit_below_the_wanted_priority_is_tried_after_it() {
        assert_eq!(attempts(0), [WANTED]);
        assert_eq!(attempts(1), [WANTED], "the sides would have no priority below the report's");
        assert_eq!(attempts(20), [WANTED, 20]);
        assert_eq!(attempts(99), [WANTED]);
    }

    #[test]
    fn the_capability_is_bit_23() {
        assert!(may_change_priorities("Name:\treport\nCapEff:\t000001ffffffffff\n"));
        assert!(may_change_priorities("CapEff:\t0000000000800000\n"));
        assert!(!may_change_priorities("CapEff:\t00000000ff7fffff\n"));
        assert!(!may_change_priorities("CapPrm:\t000001ffffffffff\n"));
    }

    #[test]
    fn a_refusal_names_its_remedy() {
        let of = |error: &io::Error, may| explain(error, 0, may);
        assert!(of(&refused(), false).contains("rtprio"), "{}", of(&refused(), false));
        assert!(of(&refused(), true).contains("cpu.rt_runtime_us"), "{}", of(&refused(), true));
        let missing = io::Error::from_raw_os_error(libc::ENOSYS);
        assert!(of(&missing, true).contains("does not offer it"), "{}", of(&missing, true));
    }

    // In a thread of its own, whose policy the other tests do not see.
    #[test]
    fn the_sides_rank_below_the_report_and_children_inherit() {
        std::thread::spawn(|| {
            let taken = take();
            let Priority::Taken(priority) = taken else {
                feed_testing::skipped(&format!("real-time priority: {taken}"));
                return;
            };
            assert_eq!(take(), Priority::Had(priority));
            let inherited = std::thread::spawn(|| {
                step_down().unwrap();
                scheduler::current().unwrap()
            });
            assert_eq!(inherited.join().unwrap(), (libc::SCHED_FIFO, priority - 1));
        })
        .join()
        .unwrap();
    }
}
