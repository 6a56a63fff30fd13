//! The rows of this project's table and cell.

use feed_ring::Mapping;

use super::contender::ROWS;
use super::measurement::Newest;
use super::table::{Cell, Table};
use crate::row::{Kind, Row};

/// The rows for values of 56 bytes and, in a full report, of 248 bytes.
pub fn rows() -> Vec<Row<Newest>> {
    let mut rows = of_size::<7>();
    rows.extend(of_size::<31>().into_iter().map(Row::only_full));
    rows
}

fn of_size<const W: usize>() -> Vec<Row<Newest>> {
    let name = |what: &str| format!("feed-ring {what} {}", W * 8);
    vec![
        Row::newest::<_, W>(Kind::Table, name("table ro"), ROWS, Table { mapping: Mapping::ReadOnly }),
        Row::newest::<_, W>(Kind::Table, name("table rw"), ROWS, Table { mapping: Mapping::ReadWrite }),
        Row::newest::<_, W>(Kind::Table, name("cell ro"), 1, Cell),
    ]
}
