//! Calibration: what moving one line from core to core costs right now ("c2c"), the unit of everything in the report.
//!
//! One 8-byte word on a line of its own is handed to and fro, both sides mapping it read-write; half a round trip is
//! one c2c. The placement of the two virtual cores decides it, and the machine changes that at will. Where a line's
//! home is in the last-level cache matters too, and its address decides that: hence several lines, one batch on each in
//! turn.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::barrier::{Barrier, CALIBRATION_LINES};
use super::clock::{self, Ticks};

/// Round trips in one batch: enough that reading the clock does not count.
const BATCH: u64 = 64;

/// What ends a calibration.
const END: u64 = u64::MAX;

/// The publisher's side: one way in nanoseconds, the median over batches of round trips for so long.
pub fn publisher(barrier: &Barrier, ticks: Ticks, length: Duration) -> f64 {
    let length = ticks.ticks(length);
    let mut batches = Vec::with_capacity(4096);
    let mut value = 0;
    let began = clock::now();
    let mut last = began;
    for line in (0..CALIBRATION_LINES).cycle() {
        let word = barrier.calibration(line);
        // Every line at least once.
        if last - began >= length && batches.len() >= CALIBRATION_LINES {
            word.store(END, Ordering::Release);
            while word.load(Ordering::Acquire) != 0 {}
            break;
        }
        for _ in 0..BATCH {
            value += 2;
            word.store(value - 1, Ordering::Release);
            while word.load(Ordering::Acquire) != value {}
        }
        let now = clock::now();
        batches.push((now - last) as f64);
        last = now;
    }
    ticks.ns(median(&mut batches)) / (2 * BATCH) as f64
}

/// The subscriber's side: hands back until the publisher ends it.
pub fn subscriber(barrier: &Barrier) {
    let mut value = 0;
    for line in (0..CALIBRATION_LINES).cycle() {
        let word = barrier.calibration(line);
        for _ in 0..BATCH {
            value += 2;
            loop {
                match word.load(Ordering::Acquire) {
                    END => {
                        word.store(0, Ordering::Release);
                        return;
                    }
                    found if found == value - 1 => break,
                    _ => {}
                }
            }
            word.store(value, Ordering::Release);
        }
    }
}

/// The median; 0 for nothing.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
