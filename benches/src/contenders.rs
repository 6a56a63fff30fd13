//! The list of contenders: all rows of the report, in the report's order.

use crate::harness::newest::measurement::Newest;
use crate::row::Row;

/// All rows, in the order of the report.
pub fn all() -> Vec<Row> {
    let mut rows = crate::limits::rows();
    rows.extend(crate::ring::rows());
    rows.extend(crate::records::rows());
    rows.extend(crate::kernel::rows());
    #[cfg(feature = "peers")]
    rows.extend(crate::peers::rows());
    rows
}

/// All rows of the newest value, in the order of the report.
pub fn newest() -> Vec<Row<Newest>> {
    #[cfg_attr(not(feature = "peers"), expect(unused_mut, reason = "the peers are added"))]
    let mut rows = crate::table::rows();
    #[cfg(feature = "peers")]
    rows.extend(crate::peers::newest_rows());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let names: Vec<_> =
            all().into_iter().map(|row| row.name).chain(newest().into_iter().map(|row| row.name)).collect();
        let unique: std::collections::HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }
}
