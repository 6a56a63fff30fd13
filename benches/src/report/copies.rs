//! Copies within one process: what publishing and receiving a large message costs beside a bare memcpy of its bytes, all in
//! the first-level cache.

use std::hint::black_box;

use feed_ring::{Join, in_process};
use serde::Serialize;

use crate::harness::calibrate::median;
use crate::harness::clock::{self, Ticks};

/// Slots of the ring, and messages between which memcpy goes to and fro.
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
    /// memcpy into one of several messages.
    pub memcpy_ns: f64,
    /// Publishing it: the copy and all the rest.
    pub publish_ns: f64,
    /// Receiving it into a message that is there.
    pub receive_ns: f64,
    /// How fast publishing copies, over memcpy: without what a message of 8 bytes costs to publish.
    pub publish_copy_over_memcpy: f64,
    /// How fast receiving copies, over memcpy: without what a message of 8 bytes costs to receive.
    pub receive_copy_over_memcpy: f64,
}

/// Of 248, 1,016 and 4,088 bytes.
pub fn measure(ticks: Ticks) -> Vec<Copies> {
    let least = times::<1>(ticks);
    let copies = |(payload, [memcpy_ns, publish_ns, receive_ns]): (usize, [f64; 3])| Copies {
        payload,
        memcpy_ns,
        publish_ns,
        receive_ns,
        publish_copy_over_memcpy: (memcpy_ns - least[0]) / (publish_ns - least[1]),
        receive_copy_over_memcpy: (memcpy_ns - least[0]) / (receive_ns - least[2]),
    };
    [(248, times::<31>(ticks)), (1_016, times::<127>(ticks)), (4_088, times::<511>(ticks))].map(copies).to_vec()
}

/// One memcpy, one publish, one receive.
fn times<const W: usize>(ticks: Ticks) -> [f64; 3] {
    let (mut publisher, ring) = in_process::<[u64; W]>(SLOTS).expect("a ring of a few messages");
    let mut subscriber = ring.subscribe(Join::Latest);
    let (message, mut out) = ([7; W], [0; W]);
    let mut room = [[0; W]; SLOTS];
    let mut figures = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        let mut spent = [0; 3];
        for _ in 0..REPEAT {
            let began = clock::now();
            for place in room.iter_mut().take(HELD) {
                place.copy_from_slice(black_box(&message));
                black_box(&*place);
            }
            let copied = clock::now();
            for _ in 0..HELD {
                publisher.publish(black_box(&message));
            }
            let published = clock::now();
            for _ in 0..HELD {
                subscriber.try_recv_into(black_box(&mut out)).expect("a message just published");
            }
            let received = clock::now();
            spent[0] += copied - began;
            spent[1] += published - copied;
            spent[2] += received - published;
        }
        for (figures, spent) in figures.iter_mut().zip(spent) {
            figures.push(ticks.ns(spent as f64) / (REPEAT * HELD) as f64);
        }
    }
    figures.map(|mut figures| median(&mut figures))
}
