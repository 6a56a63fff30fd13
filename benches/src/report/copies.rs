//! Copies within one process: what publishing and receiving a large message costs beside a bare memcpy of its bytes, all in
//! the first-level cache.

use std::hint::black_box;

use feed_ring::{CopyAlone, Join, in_process};
use serde::Serialize;

use crate::harness::calibrate::median;
use crate::harness::clock::{self, Ticks};

/// Slots of the ring.
const SLOTS: usize = 4;

/// Messages published, then received: what such a ring holds.
const HELD: usize = SLOTS - 1;

/// Repetitions between two looks at the clock.
const REPEAT: usize = 64;

/// Batches.
const ROUNDS: usize = 400;

/// What a message of so many bytes costs, in ns: medians.
#[derive(Clone, Debug, Serialize)]
pub struct Copies {
    /// Bytes in a message.
    pub payload: usize,
    /// memcpy into a place of that size.
    pub memcpy_ns: f64,
    /// The copy into a slot, alone.
    pub store_ns: f64,
    /// The copy out of it, alone.
    pub load_ns: f64,
    /// Publishing: the copy, the protocol, and taking over the lines of the next message.
    pub publish_ns: f64,
    /// Receiving it into a message that is there.
    pub receive_ns: f64,
    /// The speed of the copy into a slot over memcpy's: median of ratios.
    pub store_over_memcpy: f64,
    /// The same of the copy out of it.
    pub load_over_memcpy: f64,
}

/// Of 248, 1,016 and 4,088 bytes.
pub fn measure(ticks: Ticks) -> Vec<Copies> {
    vec![copies::<31>(ticks), copies::<127>(ticks), copies::<511>(ticks)]
}

fn copies<const W: usize>(ticks: Ticks) -> Copies {
    let (mut publisher, ring) = in_process::<[u64; W]>(SLOTS).expect("a ring of a few messages");
    let mut subscriber = ring.subscribe(Join::Latest);
    let (message, mut out, mut place) = ([7; W], [0; W], [0; W]);
    let alone = CopyAlone::<[u64; W]>::default();
    let mut figures = [const { Vec::new() }; 5];
    for _ in 0..ROUNDS {
        let mut spent = [0; 5];
        for _ in 0..REPEAT {
            let mut last = clock::now();
            let mut part = 0;
            let mut done = || {
                let now = clock::now();
                spent[part] += now - last;
                (last, part) = (now, part + 1);
            };
            for _ in 0..HELD {
                black_box(&mut place).copy_from_slice(black_box(&message));
            }
            done();
            for _ in 0..HELD {
                alone.store(black_box(&message));
            }
            done();
            for _ in 0..HELD {
                alone.load(black_box(&mut out));
            }
            done();
            for _ in 0..HELD {
                publisher.publish(black_box(&message));
            }
            done();
            for _ in 0..HELD {
                subscriber.try_recv_into(black_box(&mut out)).expect("a message just published");
            }
            done();
        }
        for (figures, spent) in figures.iter_mut().zip(spent) {
            figures.push(ticks.ns(spent as f64) / (REPEAT * HELD) as f64);
        }
    }
    let ratio = |to: usize| median(&mut figures[0].iter().zip(&figures[to]).map(|(a, b)| a / b).collect::<Vec<_>>());
    let (store_over_memcpy, load_over_memcpy) = (ratio(1), ratio(2));
    let [memcpy_ns, store_ns, load_ns, publish_ns, receive_ns] = figures.map(|mut figures| median(&mut figures));
    let payload = W * 8;
    Copies { payload, memcpy_ns, store_ns, load_ns, publish_ns, receive_ns, store_over_memcpy, load_over_memcpy }
}
