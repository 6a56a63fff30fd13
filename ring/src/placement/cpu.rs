//! Pinning a thread to a CPU.

use rustix::thread::CpuSet;

use super::error::PlacementError;
use crate::sync::remember_pinned;

/// Restricts the calling thread, and every thread that it starts later, to one CPU, and checks the result.
///
/// Two threads of the library's are kept apart from it: the one that wakes sleepers for a publisher
/// ([`Wake::Thread`](crate::Wake::Thread)), and the one that serves a sealed ring. Whether they are started before this call
/// or after it, they run on the CPUs that were allowed before the first call, without those that threads were pinned to. If
/// that leaves none, they keep off the CPU that their starter is pinned to.
///
/// Call it before large allocations: memory comes from the NUMA node of the CPU that touches it first.
///
/// # Errors
/// [`PlacementError::Cpu`] if there is no such CPU, or if the process's cpuset lacks it. The thread keeps its CPUs if
/// the kernel refuses.
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
        Ok(now) if now == only => {
            before.into_iter().for_each(|before| remember_pinned(before, cpu));
            Ok(())
        }
        Ok(now) => Err(refused(format!("the kernel put this process on {} instead", ranges(&now)))),
        Err(errno) => Err(refused(format!("cannot be read back ({errno})"))),
    }
}

/// A set of CPUs as text, such as `CPUs 0-2,5`.
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

#[cfg(all(test, not(loom)))]
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
    #[cfg_attr(miri, ignore = "moves threads")]
    fn a_thread_is_pinned_and_other_cpus_are_refused() {
        // In a thread of its own, so that the test program's other threads keep their CPUs.
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
