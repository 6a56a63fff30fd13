//! The columns about a subscriber that `stat` and `top` share.

use crate::format::count;
use crate::survey::Subscriber;
use crate::table::{ALWAYS, Column};

pub(crate) const COLUMNS: [Column<'static>; 6] = [
    Column { title: "ENTRY", right: true, rank: 0 },
    Column { title: "PID", right: true, rank: ALWAYS },
    Column { title: "SEQUENCE", right: true, rank: 1 },
    Column { title: "LAG", right: true, rank: ALWAYS },
    Column { title: "OF RING", right: true, rank: 2 },
    Column { title: "LOST", right: true, rank: 3 },
];

/// A subscriber's cells in [`COLUMNS`]. The ring holds so many messages.
pub(crate) fn cells(subscriber: &Subscriber, holds: u64) -> Vec<String> {
    vec![
        subscriber.entry.to_string(),
        subscriber.pid.to_string(),
        count(subscriber.sequence),
        count(subscriber.lag),
        format!("{:.1} %", share(subscriber, holds) * 100.0),
        count(subscriber.lost),
    ]
}

/// A subscriber's lag as a part of the messages that the ring holds: 1 if it is about to lose some.
pub(crate) fn share(subscriber: &Subscriber, holds: u64) -> f64 {
    subscriber.lag as f64 / holds as f64
}
