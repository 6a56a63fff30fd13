//! The writer's side of a measurement: it stores, alone and until the reader has seen enough.

use std::hint::black_box;
use std::time::Duration;

use anyhow::Context as _;

use super::contender::Writer;
use super::measurement::{Beside, Newest};
use crate::harness::barrier::Barrier;
use crate::harness::clock::{self, Ticks};
use crate::harness::measurement::{Plan, Samples};
use crate::harness::message::{self, Header, Message};
use crate::harness::round::{Lead, Leads};

/// Stores between two looks at the clock or at the reader.
const STRIDE: u64 = 64;

/// Values that take turns. Each is written half as many stores before it is stored. A contender that loads several words at
/// once would otherwise wait for the words that were written just before, and one that loads them singly would not.
const VALUES: usize = 16;

/// The writer's side.
pub(super) struct WriterSide<'a, T, const W: usize> {
    writer: T,
    lead: Lead,
    plan: &'a Plan,
    /// The next values, and those that were stored last.
    values: [Message<W>; VALUES],
    /// The number of the next value.
    next: u64,
}

impl<T, const W: usize> Leads for WriterSide<'_, T, W> {
    #[inline]
    fn lead(&mut self) -> &mut Lead {
        &mut self.lead
    }
}

impl<'a, T: Writer<W>, const W: usize> WriterSide<'a, T, W> {
    /// A side that has stored value 0.
    pub(super) fn new(writer: T, barrier: Barrier, plan: &'a Plan, ticks: Ticks) -> Self {
        Self { writer, lead: Lead::new(barrier, plan, ticks), plan, values: [message::pattern(0, 0); VALUES], next: 1 }
    }

    /// The whole measurement, without the results that only the reader knows.
    pub(super) fn measure(&mut self) -> anyhow::Result<Newest> {
        self.check().context("checking values before timing")?;
        for number in self.next..self.next + VALUES as u64 / 2 {
            self.prepare(number);
        }
        self.lead.begin();
        let store = self.round(|side| side.alone(side.plan.alone))?;
        let read = self.round(|_| Ok(0.0))?;
        let beside = self.round(|side| Ok(Beside { store: side.until_enough()?, ..Beside::default() }))?;
        let single = self.round(|side| side.until_enough().map(|_| Samples::default()))?;
        self.lead.barrier.wait();
        Ok(Newest { store, read, beside, single, most_attempts: None })
    }

    /// Stores values in which every word is checked, at full speed.
    fn check(&mut self) -> anyhow::Result<()> {
        self.lead.barrier.wait();
        while !self.lead.barrier.is_enough() {
            self.writer.store(&message::pattern(self.next, 0))?;
            self.next += 1;
        }
        Ok(())
    }

    #[inline(always)]
    fn store(&mut self) -> anyhow::Result<()> {
        self.prepare(self.next + VALUES as u64 / 2);
        let value = &self.values[self.next as usize % VALUES];
        self.next += 1;
        self.writer.store(black_box(value))
    }

    #[inline(always)]
    fn prepare(&mut self, number: u64) {
        Header::new(number, 0, false).write(&mut self.values[number as usize % VALUES]);
    }

    /// Stores at full speed. Returns ns per store.
    fn alone(&mut self, length: Duration) -> anyhow::Result<f64> {
        let length = self.lead.ticks.ticks(length);
        let began = clock::now();
        self.store_until(|_| clock::now() - began >= length)
    }

    /// As [`alone`](Self::alone), until the reader has seen enough.
    fn until_enough(&mut self) -> anyhow::Result<f64> {
        self.store_until(|barrier| barrier.is_enough())
    }

    #[inline(always)]
    fn store_until(&mut self, is_over: impl Fn(&Barrier) -> bool) -> anyhow::Result<f64> {
        let (began, first) = (clock::now(), self.next);
        loop {
            for _ in 0..STRIDE {
                self.store()?;
            }
            if is_over(&self.lead.barrier) {
                let elapsed = clock::now() - began;
                return Ok(self.lead.ticks.ns(elapsed as f64) / (self.next - first) as f64);
            }
        }
    }
}
