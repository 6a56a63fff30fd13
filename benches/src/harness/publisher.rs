//! The publisher's side of a measurement: it sends, times, and decides when a round is over.

use anyhow::{Context as _, ensure};

use super::barrier::Barrier;
use super::calibrate;
use super::clock::{self, Ticks};
use super::contender::{Receiver, Sender};
use super::measurement::{Measurement, Paced, Plan, Samples, Stream, SubscriberResults};
use super::message::{self, Header, Message};
use super::round::{Lead, Leads};

/// Round trips between two readings of the clock.
const BATCH: u64 = 16;

/// Messages between two readings of the clock in a stream.
const STRIDE: u64 = 64;

/// The publisher's side.
pub struct PublisherSide<'a, S, R, const W: usize> {
    /// Sends the messages.
    pub sender: S,
    /// Receives the replies.
    pub receiver: R,
    /// The rounds so far.
    lead: Lead,
    /// The length of the rounds.
    pub plan: &'a Plan,
    /// The message that was sent last.
    message: Message<W>,
    /// The number of the next message.
    next: u64,
    /// The number of the next reply.
    next_reply: u64,
}

impl<S, R, const W: usize> Leads for PublisherSide<'_, S, R, W> {
    #[inline]
    fn lead(&mut self) -> &mut Lead {
        &mut self.lead
    }
}

impl<'a, S: Sender<W>, R: Receiver<W>, const W: usize> PublisherSide<'a, S, R, W> {
    /// A side that has not sent yet.
    pub fn new(sender: S, receiver: R, barrier: Barrier, plan: &'a Plan, ticks: Ticks) -> Self {
        let (message, lead) = (message::pattern(0, 0), Lead::new(barrier, plan, ticks));
        Self { sender, receiver, lead, plan, message, next: 0, next_reply: 0 }
    }

    /// The whole measurement, without the results that only the subscriber knows.
    ///
    /// # Errors
    /// The contender's; a message arrived damaged.
    pub fn measure(&mut self, never_waits: bool) -> anyhow::Result<Measurement> {
        self.check().context("checking messages before timing")?;
        self.check_burst().context("checking messages before timing")?;
        self.lead.begin();
        let ping = self.round(Self::ping)?;
        let single = self.round(Self::single)?;
        let mut paced = Vec::new();
        for interval in self.plan.paced.clone() {
            paced.push(self.round(|side| side.paced(interval))?);
        }
        let stream = self.round(Self::stream)?;
        let alone = if never_waits { Some(self.round(Self::alone)?) } else { None };
        self.lead.barrier.wait();
        Ok(Measurement { ping, single, paced, stream, alone })
    }

    #[inline(always)]
    fn send(&mut self, stamp: u64, last: bool) -> anyhow::Result<()> {
        Header::new(self.next, stamp, last).write(&mut self.message);
        self.next += 1;
        self.sender.send(&self.message)
    }

    /// Sends messages one by one, each answered. Both sides check every word.
    fn check(&mut self) -> anyhow::Result<()> {
        for _ in 0..self.plan.checked {
            self.sender.send(&message::pattern(self.next, 0))?;
            let number = self.next_reply;
            self.receiver.receive(|reply| message::check(reply, number, 1))??;
            self.next += 1;
            self.next_reply += 1;
        }
        self.send(0, true)
    }

    /// Sends messages at full speed, not answered. The subscriber checks every word.
    fn check_burst(&mut self) -> anyhow::Result<()> {
        self.lead.barrier.wait();
        for _ in 0..self.plan.checked {
            self.sender.send(&message::pattern(self.next, 0))?;
            self.next += 1;
        }
        self.send(0, true)
    }

    #[inline(always)]
    fn round_trip(&mut self) -> anyhow::Result<()> {
        self.send(0, false)?;
        let reply = self.receiver.receive(Header::of)??;
        if reply.number() != self.next_reply {
            return Err(wrong_reply(reply.number(), self.next_reply));
        }
        self.next_reply += 1;
        Ok(())
    }

    fn ping(&mut self) -> anyhow::Result<f64> {
        let length = self.lead.ticks.ticks(self.plan.ping);
        let mut batches = Vec::with_capacity(1 << 16);
        let began = clock::now();
        let mut last = began;
        while last - began < length || batches.is_empty() {
            for _ in 0..BATCH {
                self.round_trip()?;
            }
            let now = clock::now();
            batches.push((now - last) as f64);
            last = now;
        }
        self.send(0, true)?;
        Ok(self.lead.ticks.ns(calibrate::median(&mut batches)) / (2 * BATCH) as f64)
    }

    fn single(&mut self) -> anyhow::Result<Samples> {
        let length = self.lead.ticks.ticks(self.plan.single);
        let mut samples = Vec::with_capacity(1 << 20);
        let began = clock::now();
        let mut last = began;
        while last - began < length || samples.is_empty() {
            self.round_trip()?;
            let now = clock::now_after_loads();
            samples.push(now - last);
            last = now;
        }
        self.send(0, true)?;
        Ok(Samples::of(&samples, 2.0, self.lead.ticks))
    }

    fn paced(&mut self, interval: std::time::Duration) -> anyhow::Result<Paced> {
        let (step, length) = (self.lead.ticks.ticks(interval).max(1), self.lead.ticks.ticks(self.plan.paced_for));
        let began = clock::now();
        let mut due = began + step;
        let mut now = began;
        for _ in 0..length.div_ceil(step) {
            now = clock::now();
            // The latency of a late message counts from the time at which it was due. Else a slow sender would look
            // fast.
            let stamp = if now >= due {
                due
            } else {
                while now < due {
                    now = clock::now();
                }
                now
            };
            self.send(stamp, false)?;
            due += step;
            // Three times over the planned length the pace is clearly too fast.
            if now - began > 3 * length {
                break;
            }
        }
        self.send(0, true)?;
        let kept_pace = (now - began) as f64 <= length as f64 * 1.05 + step as f64 * 2.0;
        Ok(Paced { interval: interval.as_nanos() as f64, kept_pace, samples: Samples::default() })
    }

    fn stream(&mut self) -> anyhow::Result<Stream> {
        let (publish, sent) = self.saturate(self.plan.stream)?;
        self.send(0, true)?;
        Ok(Stream { publish, sent, received: 0, per_second: 0.0 })
    }

    fn alone(&mut self) -> anyhow::Result<f64> {
        Ok(self.saturate(self.plan.alone)?.0)
    }

    /// Sends at full speed. Returns ns per message and the number of messages.
    fn saturate(&mut self, length: std::time::Duration) -> anyhow::Result<(f64, u64)> {
        let length = self.lead.ticks.ticks(length);
        let (began, first) = (clock::now(), self.next);
        loop {
            for _ in 0..STRIDE {
                self.send(0, false)?;
            }
            let elapsed = clock::now() - began;
            if elapsed >= length {
                let sent = self.next - first;
                return Ok((self.lead.ticks.ns(elapsed as f64) / sent as f64, sent));
            }
        }
    }
}

/// Adds the subscriber's results to the measurement.
///
/// # Errors
/// The sides disagree about the rounds, or messages were lost although the publisher waits for its readers.
pub fn add_subscriber_results(
    measurement: &mut Measurement,
    results: SubscriberResults,
    never_waits: bool,
) -> anyhow::Result<()> {
    ensure!(results.paced.len() == measurement.paced.len(), "the two sides disagree about the rounds");
    for (round, samples) in measurement.paced.iter_mut().zip(results.paced) {
        round.value.samples = samples;
    }
    let stream = &mut measurement.stream.value;
    stream.received = results.received;
    stream.per_second = results.per_second;
    let stream = measurement.stream.value;
    ensure!(
        never_waits || stream.received == stream.sent,
        "received {} of {} messages, though the publisher waits for readers",
        stream.received,
        stream.sent
    );
    ensure!(stream.received <= stream.sent, "received {} of {} messages", stream.received, stream.sent);
    Ok(())
}

#[cold]
fn wrong_reply(found: u64, expected: u64) -> anyhow::Error {
    anyhow::anyhow!("received reply {found}, expected {expected}")
}
