//! Where a program runs and what of it stays in memory: pinning to a CPU, locking pages.

use std::io;

use rustix::mm::MlockAllFlags;
use rustix::process::Resource;
use rustix::thread::CpuSet;

/// Why a program could not be placed as it was asked to be.
#[derive(Debug, thiserror::Error)]
pub enum PlacementError {
    /// There is no such CPU, or this process may not run on it.
    #[error(
        "CPU {cpu}: {reason}; it may run on {allowed}: choose one of them, or change the cpuset (taskset, Cpus_allowed_list in /proc/self/status)"
    )]
    Cpu {
        /// The CPU asked for.
        cpu: usize,
        /// What the kernel said, or what was found afterwards.
        reason: String,
        /// The CPUs that the process may run on, as ranges.
        allowed: String,
    },
    /// Memory cannot be locked.
    #[error(
        "cannot lock memory: {source}: {needed} bytes are mapped, RLIMIT_MEMLOCK is {limit}: raise it (ulimit -l unlimited, LimitMEMLOCK=infinity in the service's unit, --ulimit memlock=-1 for a container) or grant CAP_IPC_LOCK"
    )]
    Memlock {
        /// What the kernel said.
        source: io::Error,
        /// Bytes that the process has mapped: all of them are locked.
        needed: u64,
        /// The limit, in bytes, or `unlimited`.
        limit: String,
    },
}

/// Lets the calling thread, and every thread it starts from now on, run on one CPU only, and checks that it is so.
///
/// Call it before anything large is allocated: memory is taken from the node of the CPU that touches it first.
///
/// # Errors
/// [`PlacementError::Cpu`]: there is no such CPU, or the process's cpuset is without it.
pub fn pin_to_cpu(cpu: usize) -> Result<(), PlacementError> {
    let before = rustix::thread::sched_getaffinity(None);
    let allowed = || before.as_ref().map_or_else(|errno| format!("unknown CPUs ({errno})"), ranges);
    let refused = |reason: String| PlacementError::Cpu { cpu, reason, allowed: allowed() };
    if cpu >= CpuSet::MAX_CPU {
        return Err(refused("there is no such CPU".to_owned()));
    }
    let mut only = CpuSet::new();
    only.set(cpu);
    rustix::thread::sched_setaffinity(None, &only)
        .map_err(|errno| refused(format!("it does not exist, or this process may not run on it ({errno})")))?;
    match rustix::thread::sched_getaffinity(None) {
        Ok(now) if now == only => Ok(()),
        Ok(now) => Err(refused(format!("the kernel put this process on {} instead", ranges(&now)))),
        Err(errno) => Err(refused(format!("cannot be read back ({errno})"))),
    }
}

/// Locks everything that is mapped now into memory: the program, its buffers, its rings. Returns how many bytes that is.
///
/// Call it once everything is open. What is mapped later is not locked, so that running into the limit is an error here
/// and never an allocation that fails.
///
/// # Errors
/// [`PlacementError::Memlock`]: the limit is lower than what is mapped, and the process is without `CAP_IPC_LOCK`.
pub fn lock_memory() -> Result<u64, PlacementError> {
    rustix::mm::mlockall(MlockAllFlags::CURRENT).map_err(|errno| PlacementError::Memlock {
        source: errno.into(),
        needed: status_bytes("VmSize:"),
        limit: match rustix::process::getrlimit(Resource::Memlock).current {
            Some(bytes) => format!("{bytes} bytes"),
            None => "unlimited".to_owned(),
        },
    })?;
    Ok(status_bytes("VmLck:"))
}

/// A size in `/proc/self/status`; 0 if there is none, which only a kernel without `/proc` does.
fn status_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// `CPUs 0-2,5`.
fn ranges(set: &CpuSet) -> String {
    let mut parts = Vec::new();
    let mut cpu = 0;
    while cpu < CpuSet::MAX_CPU {
        let first = cpu;
        while cpu < CpuSet::MAX_CPU && set.is_set(cpu) {
            cpu += 1;
        }
        match cpu - first {
            0 => cpu += 1,
            1 => parts.push(first.to_string()),
            _ => parts.push(format!("{first}-{}", cpu - 1)),
        }
    }
    format!("CPUs {}", parts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_of_cpus_is_shown_as_ranges() {
        let mut set = CpuSet::new();
        for cpu in [0, 1, 2, 5, 7, 8, CpuSet::MAX_CPU - 1] {
            set.set(cpu);
        }
        assert_eq!(ranges(&set), format!("CPUs 0-2,5,7-8,{}", CpuSet::MAX_CPU - 1));
        assert_eq!(ranges(&CpuSet::new()), "CPUs ");
    }

    #[test]
    fn a_thread_is_pinned_and_what_it_may_not_use_is_refused() {
        // On a thread of its own: the others of this program keep theirs.
        let pinned = std::thread::spawn(|| {
            let before = rustix::thread::sched_getaffinity(None).unwrap();
            let cpu = (0..CpuSet::MAX_CPU).find(|&cpu| before.is_set(cpu)).unwrap();
            let absent = (0..CpuSet::MAX_CPU).rev().find(|&cpu| !before.is_set(cpu)).unwrap();
            for cpu in [absent, CpuSet::MAX_CPU, usize::MAX] {
                let error = pin_to_cpu(cpu).unwrap_err().to_string();
                assert!(error.contains(&format!("CPU {cpu}: ")) && error.contains(&ranges(&before)), "{error}");
            }
            assert_eq!(rustix::thread::sched_getaffinity(None).unwrap(), before, "a refusal changes nothing");
            pin_to_cpu(cpu).unwrap();
            (cpu, std::thread::spawn(|| rustix::thread::sched_getaffinity(None).unwrap()).join().unwrap())
        });
        let (cpu, inherited) = pinned.join().unwrap();
        assert!(inherited.is_set(cpu) && inherited.count() == 1);
    }
}
