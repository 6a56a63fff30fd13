//! Keeping the library's own threads off the CPUs that the program pinned threads to.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The CPUs that the process could run on before it pinned a thread.
static UNPINNED: OnceLock<CpuSet> = OnceLock::new();

/// A bit for each CPU that a thread was pinned to. A static array and no lock: a child that was forked while another thread
/// held a lock could never take it.
static PINNED: [AtomicU64; CpuSet::MAX_CPU / 64] = [const { AtomicU64::new(0) }; CpuSet::MAX_CPU / 64];

/// Remembers that a thread that could run on the CPUs `before` was pinned to `cpu`.
pub(crate) fn remember_pinned(before: CpuSet, cpu: usize) {
    let _ = UNPINNED.set(before); // the first call counts
    // Relaxed: nothing else is read by it. A thread that does not see it yet sees it when it looks again.
    PINNED[cpu / 64].fetch_or(1 << (cpu % 64), Ordering::Relaxed);
}

/// Where a thread of the library's own runs.
pub(crate) struct Apart {
    /// The CPUs of the thread that starts it.
    starter: Option<CpuSet>,
    /// Where it was put last.
    put: Option<CpuSet>,
}

impl Apart {
    /// For a thread that the calling one starts.
    pub(crate) fn from_this_thread() -> Self {
        Apart { starter: sched_getaffinity(None).ok(), put: None }
    }

    /// Puts the calling thread where it belongs by now: a publisher may be pinned before or after it is made.
    pub(crate) fn keep(&mut self) {
        let (Some(unpinned), Some(starter)) = (UNPINNED.get(), &self.starter) else { return };
        let cpus = apart(unpinned, &pinned(), starter);
        if self.put != Some(cpus) {
            let _ = sched_setaffinity(None, &cpus); // refused: it stays where it is
            self.put = Some(cpus);
        }
    }
}

/// The CPUs that threads were pinned to.
fn pinned() -> CpuSet {
    let mut pinned = CpuSet::new();
    for (index, word) in PINNED.iter().enumerate() {
        let word = word.load(Ordering::Relaxed); // as in `remember_pinned`
        (0..64).filter(|bit| word >> bit & 1 != 0).for_each(|bit| pinned.set(index * 64 + bit));
    }
    pinned
}

/// The CPUs for a thread that `starter`'s thread started: those that no thread was pinned to. If there are none, those that
/// the starter is not pinned to. Otherwise all, and the scheduler decides.
fn apart(unpinned: &CpuSet, pinned: &CpuSet, starter: &CpuSet) -> CpuSet {
    let others = |than: &CpuSet| without(unpinned, than);
    let of_starter = if starter.count() == 1 { *starter } else { CpuSet::new() };
    let chosen = [others(pinned), others(&of_starter)].into_iter().find(|cpus| cpus.count() > 0);
    chosen.unwrap_or(*unpinned)
}

fn without(cpus: &CpuSet, others: &CpuSet) -> CpuSet {
    let mut rest = *cpus;
    (0..CpuSet::MAX_CPU).filter(|&cpu| others.is_set(cpu)).for_each(|cpu| rest.unset(cpu));
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(cpus: &[usize]) -> CpuSet {
        let mut set = CpuSet::new();
        cpus.iter().for_each(|&cpu| set.set(cpu));
        set
    }

    #[test]
    fn a_thread_keeps_off_pinned_cpus_as_long_as_others_are_left() {
        let all = set(&[0, 1, 70]);
        assert_eq!(apart(&all, &set(&[]), &all), all, "nobody is pinned");
        assert_eq!(apart(&all, &set(&[70]), &set(&[70])), set(&[0, 1]));
        assert_eq!(apart(&all, &set(&[0]), &all), set(&[1, 70]), "pinned after it was started");
        assert_eq!(apart(&all, &set(&[0, 1, 70]), &set(&[1])), set(&[0, 70]), "every CPU has a pinned thread");
        assert_eq!(apart(&all, &set(&[0, 1, 70]), &all), all, "and the starter is on none of them alone");
        assert_eq!(apart(&set(&[3]), &set(&[3]), &set(&[3])), set(&[3]), "there is one CPU");
    }
}
