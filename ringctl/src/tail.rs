//! `tail`: the newest messages or records, and with `-f` each one that follows.

use std::path::Path;
use std::time::Duration;

use feed_program::say::say;
use feed_ring::inspect::{Life, Ring, Unread};
use serde_json::{Value, json};

use crate::args::RingArg;
use crate::messages::MessageWriter;
use crate::open::open;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::life;

/// The time between two reads of a slot that is not written yet. Each read takes the slot's cache line from the
/// publisher once.
const PAUSE: Duration = Duration::from_millis(5);

/// The number of reads between two checks that the ring still has its name.
const CHECK_EVERY: u32 = 200;

pub(crate) fn run(root: &Path, arg: &RingArg, count: u64, follow: bool, out: &mut Output) -> anyhow::Result<Outcome> {
    let ring = open(root, arg)?;
    let held = ring.held();
    let next = held.end.saturating_sub(count).max(held.start);
    let writer = MessageWriter::for_people(&ring, out)?;
    let mut tail = Tail { writer, epoch: ring.epoch(), next, bytes: Vec::new(), ring };
    // The messages published before the command started; without -f no others.
    while tail.next < held.end {
        if let Err(why) = tail.step(out)? {
            anyhow::ensure!(why == Unread::NotYet, "{}, sequence {}: {why}", tail.ring.path().display(), tail.next);
            break;
        }
    }
    match follow {
        true => tail.follow(out),
        false => Ok(Outcome::Fine),
    }
}

struct Tail {
    ring: Ring,
    writer: MessageWriter,
    epoch: u64,
    next: u64,
    bytes: Vec<u8>,
}

impl Tail {
    /// Writes the next message, or reports that messages were lost. Returns the reason if there is nothing to write.
    fn step(&mut self, out: &mut Output) -> anyhow::Result<Result<(), Unread>> {
        match self.ring.read_record(self.next, &mut self.bytes) {
            Ok(kind) => {
                self.report_epochs(out)?;
                self.writer.write(&self.ring, (self.next, kind), &self.bytes, out)?;
                self.next += 1;
            }
            Err(Unread::Overwritten) => {
                // The oldest message would be overwritten before it is read.
                let held = self.ring.held();
                let resume = (held.start + (held.end - held.start) / 8).max(self.next + 1);
                let missed = resume - self.next;
                self.next = resume;
                let what = if self.ring.is_records() { "records" } else { "messages" };
                let text = format!("{missed} {what} lost: the publisher is faster than what is written here");
                self.report(&text, json!({ "lost": missed }), out)?;
            }
            Err(Unread::PassedOver { until }) => {
                let missed = until.saturating_sub(self.next).max(1);
                self.next += missed;
                let what = if self.ring.is_records() { "records" } else { "messages" };
                let text = format!("{missed} {what} lost on their way to the publisher of this ring");
                self.report(&text, json!({ "lost": missed }), out)?;
            }
            Err(why) => return Ok(Err(why)),
        }
        Ok(Ok(()))
    }

    fn follow(&mut self, out: &mut Output) -> anyhow::Result<Outcome> {
        let (mut dead, mut reads) = (false, 0u32);
        loop {
            // Read before the slot: messages published before the end are not missed.
            let publisher = self.ring.publisher();
            match self.step(out)? {
                Ok(()) => continue,
                Err(Unread::NotYet) => {}
                Err(why) => anyhow::bail!("{}, sequence {}: {why}", self.ring.path().display(), self.next),
            }
            self.report_epochs(out)?;
            match publisher {
                Life::Closed | Life::Superseded => {
                    let end = life(publisher);
                    self.report(&format!("the ring is {end}"), json!({ "ended": end }), out)?;
                    return Ok(Outcome::Fine);
                }
                Life::Dead if self.ring.is_sealed() => {
                    let text = "the publisher is gone: a sealed ring ends with it";
                    self.report(text, json!({ "ended": "dead" }), out)?;
                    return Ok(Outcome::Fine);
                }
                Life::Dead if !dead => {
                    let text = "the publisher is gone: waiting for the next one";
                    self.report(text, json!({ "publisher": "dead" }), out)?;
                }
                _ => {}
            }
            dead = publisher == Life::Dead;
            reads = reads.wrapping_add(1);
            if dead && reads.is_multiple_of(CHECK_EVERY) && !self.ring.is_current() {
                self.report("the ring was removed", json!({ "ended": "removed" }), out)?;
                return Ok(Outcome::Fine);
            }
            out.flush()?;
            std::thread::sleep(PAUSE);
        }
    }

    /// Reports each new epoch before its first message.
    fn report_epochs(&mut self, out: &mut Output) -> anyhow::Result<()> {
        if self.ring.epoch() == self.epoch {
            return Ok(());
        }
        let begun = self.ring.epochs().into_iter().filter(|&(epoch, begin)| epoch > self.epoch && begin <= self.next);
        for (epoch, begin) in begun.collect::<Vec<_>>() {
            self.epoch = epoch;
            let text = format!("the publisher restarted: epoch {epoch} begins at sequence {begin}");
            self.report(&text, json!({ "epoch": epoch, "sequence": begin }), out)?;
        }
        Ok(())
    }

    /// Reports something about the ring: on standard error, or in JSON among the messages.
    fn report(&self, text: &str, json: Value, out: &mut Output) -> anyhow::Result<()> {
        if out.json {
            out.json(&json)?;
        } else {
            out.flush()?;
            say(format_args!("{}: {text}", self.ring.path().display()));
        }
        Ok(())
    }
}
