//! The subscriber's side of a measurement: it answers, counts and times the messages.

use anyhow::{Context as _, ensure};

use super::barrier::Barrier;
use super::clock::{self, Ticks};
use super::contender::{Receiver, Sender};
use super::measurement::{Plan, Samples, SubscriberResults};
use super::message::{self, Header, Message};
use super::round::{Follow, Follows};

/// The subscriber's side.
pub struct SubscriberSide<'a, S, R, const W: usize> {
    /// Receives the messages.
    pub receiver: R,
    /// Sends the replies.
    pub sender: S,
    /// The rounds so far.
    follow: Follow,
    /// The length of the rounds.
    pub plan: &'a Plan,
    /// The reply that was sent last.
    reply: Message<W>,
    /// The lowest number that the next message may have.
    next: u64,
    /// The number of the next reply.
    next_reply: u64,
    /// The results so far.
    results: SubscriberResults,
}

impl<S, R, const W: usize> Follows for SubscriberSide<'_, S, R, W> {
    #[inline]
    fn follow(&mut self) -> &mut Follow {
        &mut self.follow
    }
}

impl<'a, S: Sender<W>, R: Receiver<W>, const W: usize> SubscriberSide<'a, S, R, W> {
    /// A side that has not received yet.
    pub fn new(receiver: R, sender: S, barrier: Barrier, plan: &'a Plan, ticks: Ticks, shares_core: bool) -> Self {
        Self {
            receiver,
            sender,
            follow: Follow::new(barrier, ticks, shares_core),
            plan,
            reply: message::pattern(0, 1),
            next: 0,
            next_reply: 0,
            results: SubscriberResults::default(),
        }
    }

    /// The whole measurement.
    ///
    /// # Errors
    /// The contender's; a message arrived damaged.
    pub fn measure(&mut self, never_waits: bool) -> anyhow::Result<SubscriberResults> {
        self.check().context("checking messages before timing")?;
        self.check_burst(never_waits).context("checking messages before timing")?;
        self.follow.begin();
        self.round(Self::answer)?;
        self.round(Self::answer)?;
        for interval in &self.plan.paced {
            let count = self.plan.paced_for.as_nanos() / interval.as_nanos().max(1) + 2;
            let samples = self.round(|side| side.paced(count as usize))?;
            self.results.paced.push(samples);
        }
        (self.results.received, self.results.per_second) = self.round(Self::stream)?;
        if never_waits {
            self.round(|_| Ok(()))?;
        }
        self.follow.barrier.wait();
        Ok(std::mem::take(&mut self.results))
    }

    /// The next message's header. The numbers must grow.
    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<Header> {
        let header = self.receiver.receive(Header::of)??;
        if header.number() < self.next {
            return Err(out_of_order(header.number(), self.next));
        }
        self.next = header.number() + 1;
        Ok(header)
    }

    /// Receives messages one by one, checks every word and answers each.
    fn check(&mut self) -> anyhow::Result<()> {
        for number in 0..self.plan.checked {
            self.receiver.receive(|message| message::check(message, number, 0))??;
            self.next = number + 1;
            self.sender.send(&message::pattern(self.next_reply, 1))?;
            self.next_reply += 1;
        }
        let last = self.receive()?;
        ensure!(last.is_last() && last.number() == self.plan.checked, "expected the end, received {last:?}");
        Ok(())
    }

    /// Receives a burst and checks every word. The message's own number says what the words must be.
    fn check_burst(&mut self, never_waits: bool) -> anyhow::Result<()> {
        self.follow.barrier.wait();
        let first = self.next;
        let mut received = 0;
        loop {
            let header = self.receiver.receive(|message| {
                let header = Header::of_checked(message);
                if header.is_last() { Ok(header) } else { message::check(message, header.number(), 0).map(|()| header) }
            })??;
            ensure!(header.number() >= self.next, "received {} after {}", header.number(), self.next - 1);
            self.next = header.number() + 1;
            if header.is_last() {
                let sent = header.number() - first;
                ensure!(never_waits || received == sent, "received {received} of {sent}, though the publisher waits");
                return Ok(());
            }
            received += 1;
        }
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        loop {
            let header = self.receive()?;
            if header.is_last() {
                return Ok(());
            }
            Header::new(self.next_reply, 0, false).write(&mut self.reply);
            self.next_reply += 1;
            self.sender.send(&self.reply)?;
        }
    }

    fn paced(&mut self, count: usize) -> anyhow::Result<Samples> {
        let mut samples = Vec::with_capacity(count);
        loop {
            let header = self.receive()?;
            let now = clock::now_after_loads();
            if header.is_last() {
                return Ok(Samples::of(&samples, 1.0, self.follow.ticks));
            }
            samples.push(header.age(now));
        }
    }

    fn stream(&mut self) -> anyhow::Result<(u64, f64)> {
        let mut received = 0;
        let mut header = self.receive()?;
        let began = clock::now();
        while !header.is_last() {
            received += 1;
            header = self.receive()?;
        }
        let seconds = self.follow.ticks.ns((clock::now() - began) as f64) / 1e9;
        Ok((received, received as f64 / seconds))
    }
}

#[cold]
fn out_of_order(found: u64, expected: u64) -> anyhow::Error {
    anyhow::anyhow!("received message {found} where {expected} or later was due: out of order, or twice")
}
