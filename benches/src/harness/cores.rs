//! The two cores of a pair, and pinning a thread to one of them.

use anyhow::{Context as _, bail, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Two different cores, one for each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cores {
    /// The publisher's core.
    pub publisher: usize,
    /// The subscriber's core.
    pub subscriber: usize,
}

impl Cores {
    /// The first two cores that this process may run on.
    ///
    /// # Errors
    /// This process may run on one core only.
    pub fn first_two() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None).context("sched_getaffinity")?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        match (cores.next(), cores.next()) {
            (Some(publisher), Some(subscriber)) => Ok(Self { publisher, subscriber }),
            _ => bail!(
                "this process may run on one core only, and a pair needs two: widen its affinity (taskset, cpuset)"
            ),
        }
    }
}

impl std::str::FromStr for Cores {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (publisher, subscriber) =
            text.split_once(',').with_context(|| format!("`{text}` is not two cores: write them as 0,1"))?;
        let cores = Self { publisher: publisher.trim().parse()?, subscriber: subscriber.trim().parse()? };
        ensure!(cores.publisher != cores.subscriber, "`{text}` is one core, a pair needs two");
        Ok(cores)
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.publisher, self.subscriber)
    }
}

/// Pins the calling thread to one core.
///
/// # Errors
/// The core does not exist, or this process may not run on it.
pub fn pin(core: usize) -> anyhow::Result<()> {
    ensure!(core < CpuSet::MAX_CPU, "core {core}: the kernel numbers them below {}", CpuSet::MAX_CPU);
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set).with_context(|| format!("pinning to core {core}: choose another with --cores"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cores_are_two_numbers() {
        assert_eq!("2, 5".parse::<Cores>().unwrap(), Cores { publisher: 2, subscriber: 5 });
        assert!("1,1".parse::<Cores>().is_err());
        assert!("1".parse::<Cores>().is_err());
    }
}
