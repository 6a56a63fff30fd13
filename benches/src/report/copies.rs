//! Copies within one process: what copying a large message into a slot and out of it costs beside memcpy of the same bytes
//! between the same places, and publishing and receiving it; all in the first-level cache.

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
    /// memcpy into a place that lies in its cache lines as a payload lies in its slot's.
    pub memcpy_in_ns: f64,
    /// memcpy out of it.
    pub memcpy_out_ns: f64,
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

/// A place like a slot: a word, then the payload.
#[repr(align(64))]
struct Place<const W: usize> {
    _sequence: u64,
    payload: [u64; W],
}

/// Of 248, 1,016 and 4,088 bytes.
pub fn measure(ticks: Ticks) -> Vec<Copies> {
    vec![copies::<31>(ticks), copies::<127>(ticks), copies::<511>(ticks)]
}

fn copies<const W: usize>(ticks: Ticks) -> Copies {
    let (mut publisher, ring) = in_process::<[u64; W]>(SLOTS).expect("a ring of a few messages");
    let mut subscriber = ring.subscribe(Join::Latest);
    let mut place = Place { _sequence: 0, payload: [0; W] };
    let (message, mut out) = ([7; W], [0; W]);
    let alone = CopyAlone::<[u64; W]>::default();
    let mut figures = [const { Vec::new() }; 6];
    for _ in 0..ROUNDS {
        // Copies are many to one look at the clock, so that it does not count.
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
