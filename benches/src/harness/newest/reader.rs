//! The reader's side of a measurement: it reads, checks what it reads, and says when it has seen enough.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::contender::Reader;
use super::measurement::ReaderResults;
use crate::harness::barrier::Barrier;
use crate::harness::clock::{self, Ticks};
use crate::harness::measurement::{Plan, Samples};
use crate::harness::message::{self, Header, Message};
use crate::harness::round::{Follow, Follows};

/// Reads between two looks at the clock.
const STRIDE: u64 = 64;

/// The reader's side.
pub(super) struct ReaderSide<'a, T, const W: usize> {
    reader: T,
    follow: Follow,
    plan: &'a Plan,
    /// The lowest number that the next value may have.
    least: u64,
}

impl<T, const W: usize> Follows for ReaderSide<'_, T, W> {
    #[inline]
    fn follow(&mut self) -> &mut Follow {
        &mut self.follow
    }
}

impl<'a, T: Reader<W>, const W: usize> ReaderSide<'a, T, W> {
    /// A side that has read nothing.
    pub(super) fn new(reader: T, barrier: Barrier, plan: &'a Plan, ticks: Ticks) -> Self {
        Self { reader, follow: Follow::new(barrier, ticks, false), plan, least: 0 }
    }

    /// The whole measurement.
    pub(super) fn measure(&mut self) -> anyhow::Result<ReaderResults> {
        self.check().context("checking values before timing")?;
        self.follow.begin();
        self.round(|_| Ok(()))?;
        let read = self.round(|side| side.reads(side.plan.ping))?;
        let beside = self.round(|side| {
            let time = side.reads(side.plan.stream)?;
            side.follow.barrier.tell_enough();
            Ok(time)
        })?;
        let single = self.round(Self::single)?;
        self.follow.barrier.wait();
        Ok(ReaderResults { read, beside, single, most_attempts: self.reader.most_attempts() })
    }

    /// Checks every word of values that are stored at full speed. The value's own number says what the words must be.
    fn check(&mut self) -> anyhow::Result<()> {
        self.follow.barrier.wait();
        for _ in 0..self.plan.checked {
            let header = self.reader.read(|value: &Message<W>| {
                let header = Header::of_checked(value);
                message::check(value, header.number(), 0).map(|()| header)
            })??;
            ensure!(header.number() >= self.least, "read {} after {}", header.number(), self.least);
            self.least = header.number();
        }
        self.follow.barrier.tell_enough();
        Ok(())
    }

    /// Reads once. The numbers must not fall.
    #[inline(always)]
    fn read(&mut self) -> anyhow::Result<()> {
        // All words are needed, so a contender that copies them cannot leave any out.
        let header = self.reader.read(|value| Header::of(black_box(value)))??;
        if header.number() < self.least {
            return Err(went_back(header.number(), self.least));
        }
        self.least = header.number();
        Ok(())
    }

    /// Reads at full speed. Returns ns per read.
    fn reads(&mut self, length: Duration) -> anyhow::Result<f64> {
        let length = self.follow.ticks.ticks(length);
        let (began, mut count) = (clock::now(), 0);
        loop {
            for _ in 0..STRIDE {
                self.read()?;
            }
            count += STRIDE;
            let elapsed = clock::now() - began;
            if elapsed >= length {
                return Ok(self.follow.ticks.ns(elapsed as f64) / count as f64);
            }
        }
    }

    /// Times each read beside the writer.
    fn single(&mut self) -> anyhow::Result<Samples> {
        let length = self.follow.ticks.ticks(self.plan.single);
        let mut samples = Vec::with_capacity(1 << 20);
        let began = clock::now_after_loads();
        let mut last = began;
        while last - began < length || samples.is_empty() {
            self.read()?;
            let now = clock::now_after_loads();
            samples.push(now - last);
            last = now;
        }
        self.follow.barrier.tell_enough();
        Ok(Samples::of(&samples, 1.0, self.follow.ticks))
    }
}

#[cold]
fn went_back(found: u64, least: u64) -> anyhow::Error {
    anyhow::anyhow!("read value {found} after value {least}: went back")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::harness::barrier;

    /// Reads these values one after the other.
    struct Values(std::vec::IntoIter<Message<7>>);

    impl Reader<7> for Values {
        fn read<R>(&mut self, look: impl FnOnce(&Message<7>) -> R) -> anyhow::Result<R> {
            Ok(look(&self.0.next().context("no more values")?))
        }
    }

    fn numbered(number: u64) -> Message<7> {
        let mut value = message::pattern(0, 0);
        Header::new(number, 0, false).write(&mut value);
        value
    }

    /// What the side says of the last of these values, having said nothing of those before.
    fn last_of(values: Vec<Message<7>>) -> String {
        let memory = barrier::memory().expect("memory of the barrier");
        let barrier = Barrier::subscriber(&memory).expect("a barrier");
        let (count, plan) = (values.len(), Plan::smoke());
        let mut side = ReaderSide::new(Values(values.into_iter()), barrier, &plan, Ticks::from_per_ns(1.0));
        for _ in 1..count {
            side.read().expect("a value that is right");
        }
        side.read().expect_err("a value that is wrong").to_string()
    }

    #[test]
    fn an_older_value_is_noticed_and_the_same_one_is_not() {
        let values = [5, 5, 6, 5].map(numbered).to_vec();
        assert_eq!(last_of(values), "read value 5 after value 6: went back");
    }

    #[test]
    fn a_torn_value_is_noticed() {
        let mut torn = numbered(6);
        torn[6] = numbered(5)[6];
        assert!(last_of(vec![numbered(5), torn]).starts_with("received a torn message"));
    }
}
