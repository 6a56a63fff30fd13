//! The subscriber's side of a visit: it answers, counts and times what arrives.

use anyhow::{Context as _, ensure};

use super::calibrate;
use super::clock::{self, Ticks};
use super::contender::{Receiver, Sender};
use super::meeting::Meeting;
use super::message::{self, Head, Message};
use super::preempted;
use super::visit::{Findings, Plan, Samples};

/// The subscriber's side.
pub struct Follow<'a, S, R, const W: usize> {
    /// Where messages come in.
    pub receiver: R,
    /// Where replies leave.
    pub sender: S,
    /// Where the sides meet.
    pub meeting: Meeting,
    /// How long to do what.
    pub plan: &'a Plan,
    /// How long a tick is.
    pub ticks: Ticks,
    /// The reply as it was last sent.
    reply: Message<W>,
    /// The lowest number that the next message may have.
    next: u64,
    /// The number of the next reply.
    next_reply: u64,
    /// What is found out.
    findings: Findings,
}

impl<'a, S: Sender<W>, R: Receiver<W>, const W: usize> Follow<'a, S, R, W> {
    /// Ready to begin.
    pub fn new(receiver: R, sender: S, meeting: Meeting, plan: &'a Plan, ticks: Ticks) -> Self {
        Self {
            receiver,
            sender,
            meeting,
            plan,
            ticks,
            reply: message::pattern(0, 1),
            next: 0,
            next_reply: 0,
            findings: Findings::default(),
        }
    }

    /// The whole visit.
    ///
    /// # Errors
    /// The contender's, or what the check of the messages found.
    pub fn visit(&mut self, never_waits: bool) -> anyhow::Result<Findings> {
        self.check().context("checking messages before timing")?;
        self.check_burst(never_waits).context("checking messages before timing")?;
        self.calibrate();
        self.round(Self::answer)?;
        self.round(Self::answer)?;
        for interval in &self.plan.paced {
            let count = self.plan.paced_for.as_nanos() / interval.as_nanos().max(1) + 2;
            let samples = self.round(|follow| follow.paced(count as usize))?;
            self.findings.paced.push(samples);
        }
        (self.findings.received, self.findings.per_second) = self.round(Self::stream)?;
        if never_waits {
            self.round(|_| Ok(()))?;
        }
        self.meeting.meet();
        Ok(std::mem::take(&mut self.findings))
    }

    fn calibrate(&mut self) {
        self.meeting.meet();
        calibrate::follow(&self.meeting);
    }

    fn round<T>(&mut self, work: impl FnOnce(&mut Self) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let switches = preempted::count()?;
        self.meeting.meet();
        let value = work(self)?;
        self.findings.preempted.push(preempted::count()? != switches);
        self.calibrate();
        Ok(value)
    }

    /// The next message's head; numbers only ever grow.
    #[inline(always)]
    fn receive(&mut self) -> anyhow::Result<Head> {
        let head = self.receiver.receive(Head::of)??;
        if head.number() < self.next {
            return Err(out_of_order(head.number(), self.next));
        }
        self.next = head.number() + 1;
        Ok(head)
    }

    /// Messages one by one, every word checked, each answered.
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

    /// A burst, every word checked, each message by the number it carries.
    fn check_burst(&mut self, never_waits: bool) -> anyhow::Result<()> {
        self.meeting.meet();
        let first = self.next;
        let mut received = 0;
        loop {
            let head = self.receiver.receive(|message| {
                let head = Head::of_checked(message);
                if head.is_last() { Ok(head) } else { message::check(message, head.number(), 0).map(|()| head) }
            })??;
            ensure!(head.number() >= self.next, "received {} after {}", head.number(), self.next - 1);
            self.next = head.number() + 1;
            if head.is_last() {
                let sent = head.number() - first;
                ensure!(never_waits || received == sent, "received {received} of {sent}, though the publisher waits");
                return Ok(());
            }
            received += 1;
        }
    }

    fn answer(&mut self) -> anyhow::Result<()> {
        loop {
            let head = self.receive()?;
            if head.is_last() {
                return Ok(());
            }
            Head::new(self.next_reply, 0, false).write(&mut self.reply);
            self.next_reply += 1;
            self.sender.send(&self.reply)?;
        }
    }

    fn paced(&mut self, count: usize) -> anyhow::Result<Samples> {
        let mut samples = Vec::with_capacity(count);
        loop {
            let head = self.receive()?;
            let now = clock::now_after_loads();
            if head.is_last() {
                return Ok(Samples::of(&samples, 1.0, self.ticks));
            }
            samples.push(head.age(now));
        }
    }

    fn stream(&mut self) -> anyhow::Result<(u64, f64)> {
        let mut received = 0;
        let mut head = self.receive()?;
        let began = clock::now();
        while !head.is_last() {
            received += 1;
            head = self.receive()?;
        }
        let seconds = self.ticks.ns((clock::now() - began) as f64) / 1e9;
        Ok((received, received as f64 / seconds))
    }
}

#[cold]
fn out_of_order(found: u64, expected: u64) -> anyhow::Error {
    anyhow::anyhow!("received message {found} where {expected} or later was due: out of order, or twice")
}
