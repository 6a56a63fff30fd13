//! The rows of the peers.

use crate::harness::newest::contender::ROWS;
use crate::harness::newest::measurement::Newest;
use crate::row::{Kind, Row};

use super::capacity::CAPACITY;
use super::{
    bcast, crossbeam, disruptor, iceoryx, iceoryx_blackboard, outcry, photon, ringfire, ringfire_arena, ringfire_table,
    rtrb,
};

/// The rows for messages of 56 bytes and, in a full report, of 8, 248 and 1,016 bytes.
pub fn rows() -> Vec<Row> {
    let mut rows = of_size::<7>();
    rows.extend(of_length::<3>(0).into_iter().chain(of_length::<6>(0)).chain(of_length::<9>(1)));
    rows.extend(of_length::<187>(4));
    for others in [of_size::<1>(), of_size::<31>(), of_size::<127>()] {
        rows.extend(others.into_iter().map(Row::only_full));
    }
    rows
}

fn of_size<const W: usize>() -> Vec<Row> {
    let name = |peer: &str| format!("{peer} {}", W * 8);
    let capacity = Some(CAPACITY);
    vec![
        Row::new::<_, W>(Kind::Peer, name("ringfire"), capacity, ringfire::Ringfire),
        Row::new::<_, W>(Kind::Peer, name("iceoryx2"), Some(iceoryx::CAPACITY), iceoryx::Iceoryx),
        Row::in_threads::<_, W>(name("photon-ring"), capacity, photon::Photon),
        Row::in_threads::<_, W>(name("disruptor"), capacity, disruptor::Disruptor),
        Row::in_threads::<_, W>(name("rtrb"), capacity, rtrb::Rtrb),
        Row::in_threads::<_, W>(name("crossbeam-channel"), capacity, crossbeam::Crossbeam),
    ]
}

/// The rows of those with messages of any length, for `W` words and `extra` bytes.
fn of_length<const W: usize>(extra: usize) -> Vec<Row> {
    let name = |peer: &str| format!("{peer} records {}", W * 8 + extra);
    vec![
        Row::new::<_, W>(Kind::Peer, name("outcry"), None, outcry::Outcry { extra }),
        Row::new::<_, W>(Kind::Peer, name("bcast"), None, bcast::Bcast { extra }),
        Row::new::<_, W>(Kind::Peer, name("ringfire arena"), None, ringfire_arena::RingfireArena { extra }),
    ]
}

/// The rows of the newest value, of 56 bytes and, in a full report, of 248 bytes.
pub fn newest_rows() -> Vec<Row<Newest>> {
    let mut rows = newest_of_size::<7>();
    rows.extend(newest_of_size::<31>().into_iter().map(Row::only_full));
    rows
}

fn newest_of_size<const W: usize>() -> Vec<Row<Newest>> {
    let name = |peer: &str| format!("{peer} {}", W * 8);
    vec![
        Row::newest::<_, W>(Kind::Peer, name("ringfire table"), ROWS, ringfire_table::RingfireTable),
        Row::newest::<_, W>(Kind::Peer, name("iceoryx2 blackboard"), ROWS, iceoryx_blackboard::Blackboard),
    ]
}
