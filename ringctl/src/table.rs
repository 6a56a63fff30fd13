//! Tables as text: columns as wide as their contents, and fewer of them on a narrow terminal.

/// A column.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column<'a> {
    pub(crate) title: &'a str,
    /// Aligned to the right, as numbers are.
    pub(crate) right: bool,
    /// The columns of the lowest rank are left out first when there is no room; those of rank [`ALWAYS`] never.
    pub(crate) rank: u8,
}

/// The rank of the columns that are never left out.
pub(crate) const ALWAYS: u8 = u8::MAX;

/// The space between two columns.
pub(crate) const GAP: usize = 2;

/// A table of rows with one text for each column. Leaves out columns until it fits into `width`.
pub(crate) fn render(columns: &[Column<'_>], rows: &[Vec<String>], width: Option<usize>) -> String {
    let widths = widths(columns, rows);
    let shown = fitting(columns, &widths, width.unwrap_or(usize::MAX));
    let mut text = String::new();
    let titles: Vec<String> = columns.iter().map(|column| column.title.to_owned()).collect();
    for row in std::iter::once(&titles).chain(rows) {
        let mut line = String::new();
        for &index in &shown {
            let (cell, width) = (&row[index], widths[index]);
            let space = " ".repeat(width.saturating_sub(cell.chars().count()));
            if !line.is_empty() {
                line.push_str(&" ".repeat(GAP));
            }
            line.push_str(&if columns[index].right { format!("{space}{cell}") } else { format!("{cell}{space}") });
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The width of each column.
pub(crate) fn widths(columns: &[Column<'_>], rows: &[Vec<String>]) -> Vec<usize> {
    let cell = |text: &str| text.chars().count();
    (0..columns.len())
        .map(|index| rows.iter().map(|row| cell(&row[index])).max().unwrap_or(0).max(cell(columns[index].title)))
        .collect()
}

/// The indices of the columns that fit into `width`; the lowest ranks are left out first.
pub(crate) fn fitting(columns: &[Column<'_>], widths: &[usize], width: usize) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    let total = |shown: &[usize]| shown.iter().map(|&index| widths[index] + GAP).sum::<usize>().saturating_sub(GAP);
    while total(&shown) > width {
        let least = (0..shown.len()).min_by_key(|&at| columns[shown[at]].rank);
        match least {
            Some(at) if columns[shown[at]].rank < ALWAYS => shown.remove(at),
            _ => break,
        };
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_columns_on_a_narrow_terminal() {
        let column = |title, right, rank| Column { title, right, rank };
        let columns = [column("NAME", false, ALWAYS), column("MODE", false, 1), column("RATE", true, 2)];
        let rows = [vec!["quotes".to_owned(), "0640".to_owned(), "12 /s".to_owned()]];
        assert_eq!(render(&columns, &rows, None), "NAME    MODE   RATE\nquotes  0640  12 /s\n");
        assert_eq!(render(&columns, &rows, Some(19)), "NAME    MODE   RATE\nquotes  0640  12 /s\n");
        assert_eq!(render(&columns, &rows, Some(18)), "NAME     RATE\nquotes  12 /s\n");
        assert_eq!(render(&columns, &rows, Some(3)), "NAME\nquotes\n");
    }
}
