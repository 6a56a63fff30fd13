//! What an end of a bridge prints when it ends.

use std::sync::atomic::AtomicBool;

use anyhow::Context;
use feed_program::args::SummaryFormat;
use feed_program::bridge::{ReceiveStatus, SendStatus};
use feed_program::readable::count;
use feed_program::stdout;
use serde::Serialize;

/// A summary of one ring.
pub(crate) trait Summary: Serialize {
    /// Its lines: a name and a number each.
    fn lines(&self) -> Vec<(&'static str, u64)>;
    fn ring(&self) -> &str;
}

/// What was sent.
#[derive(Debug, Serialize)]
pub(crate) struct Sent {
    ring: String,
    next: u64,
    epoch: u64,
    sent: u64,
    frames: u64,
    bytes: u64,
    lost: u64,
    refill_requests: u64,
    refilled: u64,
    failures: u64,
}

impl Sent {
    pub(crate) fn of(ring: &str, status: &SendStatus) -> Self {
        Sent {
            ring: ring.to_owned(),
            next: status.next,
            epoch: status.epoch,
            sent: status.sent_messages,
            frames: status.sent_frames,
            bytes: status.sent_bytes,
            lost: status.lost_messages,
            refill_requests: status.refill_requests,
            refilled: status.refilled_messages,
            failures: status.failures,
        }
    }
}

impl Summary for Sent {
    fn ring(&self) -> &str {
        &self.ring
    }

    fn lines(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("sent", self.sent),
            ("lost before they were sent", self.lost),
            ("sent again on request", self.refilled),
            ("frames", self.frames),
            ("bytes", self.bytes),
            ("next number", self.next),
            ("epoch", self.epoch),
        ]
    }
}

/// What was received: `first + published + lost_near + lost_wire + lost_far = next`.
#[derive(Debug, Serialize)]
pub(crate) struct Received {
    ring: String,
    first: u64,
    next: u64,
    epoch: u64,
    published: u64,
    lost_near: u64,
    lost_wire: u64,
    lost_far: u64,
    refilled: u64,
    repeated: u64,
    frames: u64,
    bytes: u64,
    refused_frames: u64,
    stale_frames: u64,
    dropped_frames: u64,
    senders: u64,
    fresh_rings: u64,
}

impl Received {
    pub(crate) fn of(ring: &str, status: &ReceiveStatus) -> Self {
        Received {
            ring: ring.to_owned(),
            first: status.first,
            next: status.next,
            epoch: status.epoch,
            published: status.published_messages,
            lost_near: status.lost_near,
            lost_wire: status.lost_wire,
            lost_far: status.lost_far,
            refilled: status.refilled_messages,
            repeated: status.repeated_messages,
            frames: status.frames,
            bytes: status.bytes,
            refused_frames: status.refused_frames,
            stale_frames: status.stale_frames,
            dropped_frames: status.dropped_frames,
            senders: status.senders,
            fresh_rings: status.fresh_rings,
        }
    }
}

impl Summary for Received {
    fn ring(&self) -> &str {
        &self.ring
    }

    fn lines(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("published", self.published),
            ("lost by the sender", self.lost_near),
            ("lost on the way", self.lost_wire),
            ("lost before this end was there", self.lost_far),
            ("refilled", self.refilled),
            ("first number", self.first),
            ("next number", self.next),
            ("epoch", self.epoch),
            ("frames", self.frames),
            ("bytes", self.bytes),
        ]
    }
}

/// Prints the summaries: a table for each ring, or one JSON object on a line for each.
///
/// # Errors
/// A standard output that cannot be written.
pub(crate) fn print<S: Summary>(all: Vec<S>, format: SummaryFormat, stop: &AtomicBool) -> anyhow::Result<()> {
    let mut text = String::new();
    for summary in all {
        match format {
            SummaryFormat::Json => {
                text += &(serde_json::to_string(&summary).context("cannot print the summary")? + "\n")
            }
            SummaryFormat::Text => {
                text += &format!("{}\n", summary.ring());
                for (name, number) in summary.lines() {
                    text += &format!("  {name:<32}{:>20}\n", count(number));
                }
            }
        }
    }
    stdout::print_summary(&text, stop).context("cannot print the summary")
}
