//! Compares copying a message into a slot and out of it with memcpy, and with publishing and receiving.
//!
//! All of it happens in one process and in the first-level cache.

use std::hint::black_box;

use feed_ring::{CopyAlone, Join, WaitStrategy, in_process};
use serde::Serialize;

use crate::harness::calibrate::median;
use crate::harness::clock::{self, Ticks};

/// Slots of the ring.
const SLOTS: usize = 4;

/// Messages that are published and then received. A ring holds one message less than it has slots.
const HELD: usize = SLOTS - 1;

/// Repetitions between two readings of the clock.
const REPEAT: usize = 64;

/// Batches of repetitions.
const ROUNDS: usize = 400;

/// Costs of a message, in ns. Each is a median.
#[derive(Clone, Debug, Serialize)]
pub struct Copies {
    /// Bytes in a message.
    pub payload: usize,
    /// memcpy into memory that is aligned like the payload of a slot.
    pub memcpy_in_ns: f64,
    /// memcpy out of that memory.
    pub memcpy_out_ns: f64,
    /// Copying into a slot, without the protocol.
    pub store_ns: f64,
    /// Copying out of a slot, without the protocol.
    pub load_ns: f64,
    /// Publishing: the copy, the protocol, and taking over the cache lines of the next slot.
    pub publish_ns: f64,
    /// Receiving into an existing message.
    pub receive_ns: f64,
    /// Speed of copying into a slot divided by that of memcpy: the median of the ratios.
    pub store_over_memcpy: f64,
    /// Speed of copying out of a slot divided by that of memcpy: the median of the ratios.
    pub load_over_memcpy: f64,
}

/// Memory laid out like a slot: the sequence word, then the payload.
#[repr(align(64))]
struct Place<const W: usize> {
    _sequence: u64,
    payload: [u64; W],
}

/// Measures messages of 248, 1,016 and 4,088 bytes.
pub fn measure(ticks: Ticks) -> Vec<Copies> {
    vec![copies::<31>(ticks), copies::<127>(ticks), copies::<511>(ticks)]
}

fn copies<const W: usize>(ticks: Ticks) -> Copies {
    let (mut publisher, ring) = in_process::<[u64; W]>(SLOTS).expect("a ring of a few messages");
    let mut subscriber = ring.subscribe_with(Join::Latest, WaitStrategy::Spin);
    let mut place = Place { _sequence: 0, payload: [0; W] };
    let (message, mut out) = ([7; W], [0; W]);
    let alone = CopyAlone::<[u64; W]>::default();
    let mut figures = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        // Many copies between two readings of the clock, so that reading it does not matter.
        let mut copied = |which: usize, copy: &mut dyn FnMut()| {
            let began = clock::now();
            copy();
            figures[which].push(ticks.ns((clock::now() - began) as f64) / REPEAT as f64);
        };
        copied(0, &mut || (0..REPEAT).for_each(|_| black_box(&mut place.payload).copy_from_slice(black_box(&message))));
        copied(1, &mut || (0..REPEAT).for_each(|_| black_box(&mut out).copy_from_slice(black_box(&place.payload))));
        copied(2, &mut || (0..REPEAT).for_each(|_| alone.store(black_box(&message))));
        copied(3, &mut || (0..REPEAT).for_each(|_| alone.load(black_box(&mut out))));
        let (mut publishing, mut receiving) = (0, 0);
        for _ in 0..REPEAT {
            let began = clock::now();
            for _ in 0..HELD {
                publisher.publish(black_box(&message));
            }
            let published = clock::now();
            for _ in 0..HELD {
                subscriber.try_recv_into(black_box(&mut out)).expect("a message just published");
            }
            publishing += published - began;
            receiving += clock::now() - published;
        }
        figures[4].push(ticks.ns(publishing as f64) / (REPEAT * HELD) as f64);
        figures[5].push(ticks.ns(receiving as f64) / (REPEAT * HELD) as f64);
    }
    let ratio = |of: usize, to: usize| {
        median(&mut figures[of].iter().zip(&figures[to]).map(|(of, to)| of / to).collect::<Vec<_>>())
    };
    let (store_over_memcpy, load_over_memcpy) = (ratio(0, 2), ratio(1, 3));
    let [memcpy_in_ns, memcpy_out_ns, store_ns, load_ns, publish_ns, receive_ns] =
        figures.map(|mut figures| median(&mut figures));
    Copies {
        payload: W * 8,
        memcpy_in_ns,
        memcpy_out_ns,
        store_ns,
        load_ns,
        publish_ns,
        receive_ns,
        store_over_memcpy,
        load_over_memcpy,
    }
}
