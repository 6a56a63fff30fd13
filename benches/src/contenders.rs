//! The list of contenders: all rows of the report, in the report's order.

use crate::row::Row;

/// All rows, in the order of the report.
pub fn all() -> Vec<Row> {
    let mut rows = crate::limits::rows();
    rows.extend(crate::ring::rows());
    rows.extend(crate::kernel::rows());
    #[cfg(feature = "peers")]
    rows.extend(crate::peers::rows());
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let rows = all();
        let names: std::collections::HashSet<_> = rows.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names.len(), rows.len());
    }
}
