//! Calibration: measures c2c, the time one cache line takes from core to core. It is the unit of the report.
//!
//! Both sides map one 8-byte word on a line of its own read-write and hand it back and forth. Half a round trip is one
//! c2c. It depends on where the hypervisor places the two virtual cores, and that changes while the report runs. It
//! also depends on the line's address, which decides the line's slice of the last-level cache. Hence several lines are
//! used, one batch of round trips on each in turn.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::barrier::{Barrier, CALIBRATION_LINES};
use super::clock::{self, Ticks};

/// Round trips in one batch. With so many, the time for reading the clock does not matter.
const BATCH: u64 = 64;

/// The value that ends a calibration.
const END: u64 = u64::MAX;

/// The publisher's side: returns c2c in nanoseconds, the median over the batches within `length`.
pub fn publisher(barrier: &Barrier, ticks: Ticks, length: Duration) -> f64 {
    let length = ticks.ticks(length);
    let mut batches = Vec::with_capacity(4096);
    let mut value = 0;
    let began = clock::now();
    let mut last = began;
    for line in (0..CALIBRATION_LINES).cycle() {
        let word = barrier.calibration(line);
        // A calibration uses every line at least once.
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

/// The subscriber's side: hands the word back until the publisher ends the calibration.
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

/// The median, or 0 without values.
pub fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}
