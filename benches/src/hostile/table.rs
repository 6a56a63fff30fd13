//! The table of all attacks, and the sentence below it.

use std::fmt;

use super::case::{Case, Place};
use crate::harness::cores::Cores;
use crate::harness::quantiles::Quantiles;

/// The largest ratio of the 99.9 % quantiles that counts as no delay.
const TARGET: f64 = 2.0;

/// One attack, and what each round measured without and with it.
pub(super) struct Row<'a> {
    pub(super) case: &'a Case,
    pub(super) alone: Vec<Quantiles>,
    pub(super) attacked: Vec<Quantiles>,
}

/// All of them, those that are alike one after the other.
pub(super) struct Table<'a> {
    pub(super) rows: &'a [Row<'a>],
    pub(super) cores: Cores,
}

impl Table<'_> {
    /// Every measurement without an attack on a ring or table like this one.
    fn alone(&self, case: &Case) -> Vec<Quantiles> {
        let same = self.rows.iter().filter(|row| row.case.is_like(case));
        same.flat_map(|row| row.alone.iter().copied()).collect()
    }

    /// How many times as long the attack makes the longest of 1,000.
    fn ratio(&self, row: &Row<'_>) -> f64 {
        let p999 = |measured: &[Quantiles]| Quantiles::median(measured).p999;
        p999(&row.attacked) as f64 / p999(&self.alone(row.case)).max(1) as f64
    }
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Duration of a publish, or of a store into a row, in ns, one each microsecond; publisher on core {}, all others on \
             core {}.\nMedians of the rounds, and the lowest and the highest 99.9 % of a round; the ratio is that of the 99.9 %.\n",
            self.cores.publisher, self.cores.subscriber
        )?;
        writeln!(
            f,
            "{:5} {:14} {:24} {:>7} {:>7} {:>7}  {:>14}  ratio",
            "into", "where", "beside it", "50 %", "99 %", "99.9 %", "from to"
        )?;
        let figures = |measured: &[Quantiles]| {
            let Quantiles { p50, p99, p999 } = Quantiles::median(measured);
            let each = || measured.iter().map(|quantiles| quantiles.p999);
            let range = format!("{} {}", each().min().unwrap_or(0), each().max().unwrap_or(0));
            format!("{p50:>7} {p99:>7} {p999:>7}  {range:>14}")
        };
        let mut before: Option<&Case> = None;
        for row in self.rows {
            let (target, place) = (row.case.target.name(), row.case.place.name());
            if before.replace(row.case).is_none_or(|before| !before.is_like(row.case)) {
                let where_to = if row.case.place == Place::Own { place } else { "sealed, 0644" };
                writeln!(f, "{target:5} {where_to:14} {:24} {}", "nothing", figures(&self.alone(row.case)))?;
            }
            writeln!(
                f,
                "{target:5} {place:14} {:24} {}  {:5.1}{}",
                row.case.attack.name(),
                figures(&row.attacked),
                self.ratio(row),
                if row.case.harmless { "" } else { " as documented" }
            )?;
        }
        let harmless = || self.rows.iter().filter(|row| row.case.harmless);
        let (all, within) = (harmless().count(), harmless().filter(|row| self.ratio(row) <= TARGET).count());
        writeln!(
            f,
            "\n{within} of the {all} that docs/reliability.md says cannot delay a publisher stay within {TARGET} of alone at 99.9 %."
        )
    }
}
