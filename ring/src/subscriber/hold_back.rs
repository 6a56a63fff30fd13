//! A stream at full speed: a subscriber that is faster than its publisher follows on its heels, and whichever line the one
//! is about to write, the other has just taken. Both then go at the pace of that quarrel. A subscriber that lets the
//! publisher get a few hundred messages ahead reads lines that are done with, and neither waits for the other.
//!
//! It must not cost anybody else anything: so only a subscriber that found a message each time it looked, 64 times in a row
//! and in no time, holds back, for one or two microseconds at most.

use std::time::{Duration, Instant};

use super::Subscriber;
use crate::payload::Payload;
use crate::slot;
use crate::sync::spin_loop;

/// Messages between two looks at how far ahead the publisher is.
pub(super) const EVERY: u64 = 64;

/// How far ahead it is to be. On Zen 4 less than 200 gained little.
const DISTANCE: u64 = 256;

/// Messages that came slower than this are no stream at full speed.
const AT_FULL_SPEED: Duration = Duration::from_nanos(64 * EVERY);

/// In a smaller ring the slots never leave the subscriber's cache, and holding back gains nothing.
const MIN_BYTES: u64 = 1 << 20;

/// And a subscriber is not to be an eighth of the ring behind.
const MIN_CAPACITY: u64 = 8 * DISTANCE;

/// Looks at the slot that is to be published, and pauses between two of them.
const LOOKS: u32 = 4;
const PAUSES: u32 = 16;

/// What a subscriber remembers to know whether to hold back.
pub(super) struct HoldBack {
    /// Whether it may pay.
    pays: bool,
    /// The sequence number of the last message that was not there yet when it was asked for.
    caught_up: u64,
    /// When it last looked and the publisher was not far ahead.
    near: Instant,
    /// How often it did.
    pub(super) times: u64,
}

impl HoldBack {
    /// For a ring of so many slots of so many words.
    pub(super) fn new(capacity: u64, words: usize) -> Self {
        let pays = capacity >= MIN_CAPACITY && capacity.saturating_mul(8 * words as u64) >= MIN_BYTES;
        HoldBack { pays, caught_up: 0, near: Instant::now(), times: 0 }
    }

    /// Not at all, if it is not wanted.
    pub(super) fn want(&mut self, wanted: bool) {
        self.pays &= wanted;
    }
}

impl<T: Payload> Subscriber<T> {
    /// The next message was not there yet.
    pub(super) fn caught_up(&mut self) {
        self.hold_back.caught_up = self.next;
    }

    /// Before a message; `waits` tells whether it would be waited for. Returns at which sequence number to ask again.
    pub(super) fn hold_back(&mut self, waits: bool) -> u64 {
        if !self.hold_back.pays {
            return u64::MAX;
        }
        let far = self.next.saturating_add(DISTANCE - 1);
        let (slot, awaited) = (self.slots.at(far), slot::published(far));
        let always_there = self.next.saturating_sub(self.hold_back.caught_up) > EVERY;
        if waits && always_there && slot[0].load() < awaited {
            if self.hold_back.near.elapsed() < AT_FULL_SPEED {
                self.hold_back.times += 1;
                for _ in 0..LOOKS {
                    (0..PAUSES).for_each(|_| spin_loop());
                    if slot[0].load() >= awaited {
                        break;
                    }
                }
            }
            self.hold_back.near = Instant::now();
        }
        self.next.saturating_add(EVERY)
    }
}
