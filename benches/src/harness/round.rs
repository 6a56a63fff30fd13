//! One round between two calibrations, as either side of a pair goes through it.

use std::time::Duration;

use super::barrier::Barrier;
use super::calibrate;
use super::clock::Ticks;
use super::measurement::{Dropped, Plan, Round};
use super::preempted;

/// What the side that decides knows about its rounds: the publisher, or the writer.
#[derive(Debug)]
pub struct Lead {
    /// Waits for the other side.
    pub barrier: Barrier,
    /// The length of a tick.
    pub ticks: Ticks,
    /// The length of a calibration.
    calibration: Duration,
    /// c2c by the last calibration, in ns.
    before: f64,
    /// Rounds that may still be repeated.
    repeats: u32,
}

impl Lead {
    /// Before the first calibration.
    pub fn new(barrier: Barrier, plan: &Plan, ticks: Ticks) -> Self {
        Self { barrier, ticks, calibration: plan.calibration, before: 0.0, repeats: plan.repeats }
    }

    /// Calibrates before the first round.
    pub fn begin(&mut self) {
        self.before = self.calibrate();
    }

    fn calibrate(&mut self) -> f64 {
        self.barrier.wait();
        calibrate::publisher(&self.barrier, self.ticks, self.calibration)
    }
}

/// What the other side knows about its rounds: the subscriber, or the reader.
#[derive(Debug)]
pub struct Follow {
    /// Waits for the other side.
    pub barrier: Barrier,
    /// The length of a tick.
    pub ticks: Ticks,
    /// Whether losing its core is no flaw, because it shares the core on purpose.
    shares_core: bool,
}

impl Follow {
    /// Before the first calibration.
    pub fn new(barrier: Barrier, ticks: Ticks, shares_core: bool) -> Self {
        Self { barrier, ticks, shares_core }
    }

    /// Calibrates before the first round.
    pub fn begin(&mut self) {
        self.barrier.wait();
        calibrate::subscriber(&self.barrier);
    }
}

/// The side that decides.
pub trait Leads {
    /// What it knows about its rounds.
    fn lead(&mut self) -> &mut Lead;

    /// One round between two calibrations. The calibration before it is also the one after the previous round. A round
    /// that does not count is repeated at once, while the plan allows it.
    ///
    /// # Errors
    /// Those of `work`.
    fn round<T>(&mut self, mut work: impl FnMut(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<Round<T>> {
        let mut dropped = Dropped::default();
        loop {
            let switches = preempted::count()?;
            self.lead().barrier.wait();
            let value = work(self)?;
            let lost_core = preempted::count()? != switches;
            let lead = self.lead();
            let after = lead.calibrate();
            let preempted = lost_core || lead.barrier.lost_core();
            let round = Round { before: lead.before, after, preempted, dropped, value };
            lead.before = after;
            let flaw = round.flaw().filter(|_| lead.repeats > 0);
            lead.barrier.tell_repeated(flaw.is_some());
            lead.barrier.wait();
            let Some(flaw) = flaw else { return Ok(round) };
            dropped.count(flaw);
            lead.repeats -= 1;
        }
    }
}

/// The other side.
pub trait Follows {
    /// What it knows about its rounds.
    fn follow(&mut self) -> &mut Follow;

    /// One round, repeated for as long as the side that decides says so. Only the last try's result is kept.
    ///
    /// # Errors
    /// Those of `work`.
    fn round<T>(&mut self, mut work: impl FnMut(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        loop {
            let switches = preempted::count()?;
            self.follow().barrier.wait();
            let value = work(self)?;
            let lost_core = preempted::count()? != switches;
            let follow = self.follow();
            follow.barrier.tell_lost_core(lost_core && !follow.shares_core);
            follow.begin();
            follow.barrier.wait();
            if !follow.barrier.is_repeated() {
                return Ok(value);
            }
        }
    }
}
