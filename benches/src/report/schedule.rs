//! Which rows a sweep visits: all of them, or those that lack a figure.

/// The number of sweeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Sweeps that visit every row before any visits those that lack a figure.
    pub first: usize,
    /// Sweeps that visit every row, in all.
    pub regular: usize,
    /// Sweeps at most that visit the rows that lack a figure.
    pub extra: usize,
}

/// What a sweep visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// Every row. The number counts these sweeps, from 1.
    Regular(usize),
    /// The rows that lack a figure. The number counts these sweeps, from 1.
    Extra(usize),
}

/// The sweeps so far.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    schedule: Schedule,
    regular: usize,
    extra: usize,
}

impl Progress {
    /// Before the first sweep.
    pub fn new(schedule: Schedule) -> Self {
        Self { schedule, regular: 0, extra: 0 }
    }

    /// The next sweep and the rows that it visits, in their order; `None` at the end. A row of `references` is visited
    /// beside every row that lacks a figure, because ratios are taken within a sweep.
    ///
    /// `lacks` is asked only after the first sweeps.
    pub fn next(
        &mut self,
        rows: usize,
        references: &[usize],
        lacks: impl Fn(usize) -> bool,
    ) -> Option<(Sweep, Vec<usize>)> {
        // Each sweep begins with another row, so that no contender always follows the same one.
        let sweep = self.regular + self.extra;
        let order = (0..rows).map(|step| (step + sweep * 7) % rows);
        let Schedule { first, regular, extra } = self.schedule;
        if self.regular >= first && self.extra < extra {
            let lacking: Vec<usize> = order.clone().filter(|&row| lacks(row)).collect();
            if !lacking.is_empty() {
                self.extra += 1;
                let visits = order.filter(|row| lacking.contains(row) || references.contains(row));
                return Some((Sweep::Extra(self.extra), visits.collect()));
            }
        }
        (self.regular < regular).then(|| {
            self.regular += 1;
            (Sweep::Regular(self.regular), order.collect())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule { first: 2, regular: 3, extra: 2 };
    const ALL: usize = 10;

    /// The sweeps of a report in which these rows lack a figure, before each sweep.
    fn sweeps(lacking: &[&[usize]]) -> Vec<(Sweep, Vec<usize>)> {
        let mut progress = Progress::new(SCHEDULE);
        let sweeps = lacking.iter().map_while(|lacking| progress.next(ALL, &[0, 5], |row| lacking.contains(&row)));
        sweeps.collect()
    }

    fn kinds(lacking: &[&[usize]]) -> Vec<Sweep> {
        sweeps(lacking).into_iter().map(|(sweep, _)| sweep).collect()
    }

    #[test]
    fn without_a_lack_there_are_regular_sweeps_that_each_begin_with_another_row() {
        let sweeps = sweeps(&[[].as_slice(); 9]);
        assert_eq!(sweeps.len(), 3);
        assert_eq!(sweeps[0], (Sweep::Regular(1), (0..ALL).collect()));
        assert_eq!(sweeps[1], (Sweep::Regular(2), vec![7, 8, 9, 0, 1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn rows_that_lack_a_figure_are_visited_with_the_references() {
        let sweeps = sweeps(&[&[9], &[9], &[9, 2], &[9], &[]]);
        assert_eq!(sweeps[1].0, Sweep::Regular(2), "not before the first sweeps are over");
        assert_eq!(sweeps[2], (Sweep::Extra(1), vec![5, 9, 0, 2]));
        assert_eq!(sweeps[3], (Sweep::Extra(2), vec![5, 9, 0]));
    }

    #[test]
    fn regular_sweeps_go_on_once_nothing_lacks() {
        use Sweep::{Extra, Regular};
        assert_eq!(kinds(&[&[1], &[1], &[1], &[], &[]]), [Regular(1), Regular(2), Extra(1), Regular(3)]);
    }

    #[test]
    fn extra_sweeps_are_bounded() {
        use Sweep::{Extra, Regular};
        assert_eq!(kinds(&[[1].as_slice(); 9]), [Regular(1), Regular(2), Extra(1), Extra(2), Regular(3)]);
    }
}
