//! `tail`: the newest messages, and with `-f` each one that follows, like `tail` of files.

use std::path::Path;
use std::time::Duration;

use feed_program::say::say;
use feed_ring::inspect::{Life, Ring, Unread};
use serde_json::{Value, json};

use crate::args::Which;
use crate::messages::Writer;
use crate::open::open;
use crate::outcome::Outcome;
use crate::output::Output;
use crate::survey::life;

/// Between two looks at a slot that is not written yet. Each takes the slot's line from the publisher once.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks between two questions whether the ring is still there.
const CURRENT: u32 = 200;

pub(crate) fn run(root: &Path, which: &Which, count: u64, follow: bool, out: &mut Output) -> anyhow::Result<Outcome> {
    let ring = open(root, which)?;
    let held = ring.held();
    let next = held.end.saturating_sub(count).max(held.start);
    let mut tail = Tail { writer: Writer::decoding(&ring), epoch: ring.epoch(), next, bytes: Vec::new(), ring };
    // The messages of now; without -f those that come meanwhile are for the next time.
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
    writer: Writer,
    epoch: u64,
    next: u64,
    bytes: Vec<u8>,
}

impl Tail {
    /// Writes the next message, or that messages were lost; otherwise tells why there is nothing.
    fn step(&mut self, out: &mut Output) -> anyhow::Result<Result<(), Unread>> {
        match self.ring.read(self.next, &mut self.bytes) {
            Ok(()) => {
                self.tell_epochs(out)?;
                self.writer.write(self.next, &self.bytes, out)?;
                self.next += 1;
            }
            Err(Unread::Overwritten) => {
                // Not the oldest, which would be overwritten before it is read.
                let held = self.ring.held();
                let resume = (held.start + (held.end - held.start) / 8).max(self.next + 1);
                let missed = resume - self.next;
                self.next = resume;
                let text = format!("{missed} messages lost: the publisher is faster than what is written here");
                self.say(&text, json!({ "lost": missed }), out)?;
            }
            Err(why) => return Ok(Err(why)),
        }
        Ok(Ok(()))
    }

    fn follow(&mut self, out: &mut Output) -> anyhow::Result<Outcome> {
        let (mut dead, mut looks) = (false, 0u32);
        loop {
            // Asked before the slot is looked at: what was published before the end is not missed.
            let publisher = self.ring.publisher();
            match self.step(out)? {
                Ok(()) => continue,
                Err(Unread::NotYet) => {}
                Err(why) => anyhow::bail!("{}, sequence {}: {why}", self.ring.path().display(), self.next),
            }
            self.tell_epochs(out)?;
            match publisher {
                Life::Closed | Life::Superseded => {
                    let end = life(publisher);
                    self.say(&format!("the ring is {end}"), json!({ "ended": end }), out)?;
                    return Ok(Outcome::Fine);
                }
                Life::Dead if self.ring.is_sealed() => {
                    let text = "the publisher died: a sealed ring ends with it";
                    self.say(text, json!({ "ended": "dead" }), out)?;
                    return Ok(Outcome::Fine);
                }
                Life::Dead if !dead => {
                    let text = "the publisher died: waiting for it to come back";
                    self.say(text, json!({ "publisher": "dead" }), out)?;
                }
                _ => {}
            }
            dead = publisher == Life::Dead;
            looks = looks.wrapping_add(1);
            if dead && looks.is_multiple_of(CURRENT) && !self.ring.is_current() {
                self.say("the ring was removed", json!({ "ended": "removed" }), out)?;
                return Ok(Outcome::Fine);
            }
            out.flush()?;
            std::thread::sleep(PAUSE);
        }
    }

    /// Tells of each epoch that began, before the first message of it.
    fn tell_epochs(&mut self, out: &mut Output) -> anyhow::Result<()> {
        if self.ring.epoch() == self.epoch {
            return Ok(());
        }
        let begun = self.ring.epochs().into_iter().filter(|&(epoch, begin)| epoch > self.epoch && begin <= self.next);
        for (epoch, begin) in begun.collect::<Vec<_>>() {
            self.epoch = epoch;
            let text = format!("the publisher restarted: epoch {epoch} begins at sequence {begin}");
            self.say(&text, json!({ "epoch": epoch, "sequence": begin }), out)?;
        }
        Ok(())
    }

    /// Says something about the ring: beside the messages, or among them in JSON.
    fn say(&self, text: &str, json: Value, out: &mut Output) -> anyhow::Result<()> {
        if out.json {
            out.json(&json)?;
        } else {
            out.flush()?;
            say(format_args!("{}: {text}", self.ring.path().display()));
        }
        Ok(())
    }
}
