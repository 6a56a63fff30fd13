//! The table of all attacks, and the sentence below it.

use std::fmt;

use super::case::Case;
use crate::harness::cores::Cores;
use crate::harness::quantiles::Quantiles;

/// The largest ratio of the 99.9 % quantiles that counts as no delay.
const TARGET: f64 = 2.0;

/// One attack and its figures.
pub(super) struct Row<'a> {
    pub(super) case: &'a Case,
    pub(super) alone: Quantiles,
    pub(super) attacked: Quantiles,
}

impl Row<'_> {
    fn ratio(&self) -> f64 {
        self.attacked.p999 as f64 / self.alone.p999.max(1) as f64
    }
}

/// All of them.
pub(super) struct Table<'a> {
    pub(super) rows: &'a [Row<'a>],
    pub(super) cores: Cores,
}

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Duration of a publish, or of a store into a row, in ns, one each microsecond; publisher on core {}, all others on \
             core {}.\n",
            self.cores.publisher, self.cores.subscriber
        )?;
        writeln!(f, "{:5} {:14} {:24} {:^23}  {:^23}", "", "", "", "alone", "beside it")?;
        let quantiles = format!("{:>7} {:>7} {:>7}", "50 %", "99 %", "99.9 %");
        writeln!(f, "{:5} {:14} {:24} {quantiles}  {quantiles}  ratio", "into", "where", "beside it")?;
        for row in self.rows {
            let figures = |Quantiles { p50, p99, p999 }| format!("{p50:>7} {p99:>7} {p999:>7}");
            writeln!(
                f,
                "{:5} {:14} {:24} {}  {}  {:5.1}{}",
                row.case.target.name(),
                row.case.place.name(),
                row.case.attack.name(),
                figures(row.alone),
                figures(row.attacked),
                row.ratio(),
                if row.case.harmless { "" } else { " as documented" }
            )?;
        }
        let harmless = || self.rows.iter().filter(|row| row.case.harmless);
        let (all, within) = (harmless().count(), harmless().filter(|row| row.ratio() <= TARGET).count());
        writeln!(
            f,
            "\n{within} of the {all} that docs/reliability.md says cannot delay a publisher stay within {TARGET} of alone at 99.9 %."
        )
    }
}
