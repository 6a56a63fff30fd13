//! The rows of the limits.

use crate::row::{Kind, Row};

use super::flags::{Flags, Pause, ReadOnly, ReadWrite, Tight, WriteDenied};
use super::seqlock::Seqlock;

/// The rows of the bare lines, flags and seqlocks.
pub fn rows() -> Vec<Row> {
    let limit = |name: &str, lines, contender| Row::new(Kind::Limit, name, Some(lines), contender);
    let mut rows = vec![
        limit("line rw", 1, Flags::<ReadWrite, Tight>::new(1)),
        Row::new(Kind::Limit, "line rw pause", Some(1), Flags::<ReadWrite, Pause>::new(1)),
        Row::new(Kind::Limit, "line ro", Some(1), Flags::<ReadOnly, Tight>::new(1)),
        Row::new(Kind::Limit, "line pku pause", Some(1), Flags::<WriteDenied, Pause>::new(1)),
        Row::new(Kind::Limit, "line ro pause", Some(1), Flags::<ReadOnly, Pause>::new(1)),
    ];
    for lines in [1_024, 65_536] {
        rows.push(limit(&format!("flags rw {lines}"), lines, Flags::<ReadWrite, Tight>::new(lines)));
        rows.push(Row::new(
            Kind::Limit,
            format!("flags ro {lines}"),
            Some(lines),
            Flags::<ReadOnly, Tight>::new(lines),
        ));
    }
    for (name, ahead) in [("seqlock rw 56 65536", false), ("seqlock marked ahead rw 56 65536", true)] {
        rows.push(Row::new::<_, 7>(Kind::Limit, name, Some(65_536), Seqlock { slots: 65_536, ahead }));
    }
    rows
}
