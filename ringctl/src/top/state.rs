//! The state of `top`: the last survey in order, the rate history of each ring, and the selected ring.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::survey::{Rates, Snapshot, Survey};

/// The length of the history: as many rates as the widest sparkline shows.
const HISTORY: usize = 240;

/// The columns by which rings can be sorted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sort {
    Name,
    Rate,
    Lag,
    Lost,
    Published,
}

impl Sort {
    const ALL: [Sort; 5] = [Sort::Name, Sort::Rate, Sort::Lag, Sort::Lost, Sort::Published];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Sort::Name => "name",
            Sort::Rate => "rate",
            Sort::Lag => "lag",
            Sort::Lost => "lost",
            Sort::Published => "published",
        }
    }

    /// Ascending by name, descending by number.
    fn compare(self, a: &Snapshot, b: &Snapshot) -> Ordering {
        match self {
            Sort::Name => Ordering::Equal,
            Sort::Rate => b.rate.unwrap_or(-1.0).total_cmp(&a.rate.unwrap_or(-1.0)),
            Sort::Lag => b.slowest_lag.cmp(&a.slowest_lag),
            Sort::Lost => b.lost().cmp(&a.lost()),
            Sort::Published => b.published.cmp(&a.published),
        }
        .then_with(|| a.name.cmp(&b.name))
    }
}

pub(crate) struct State {
    pub(crate) root: String,
    pub(crate) survey: Survey,
    pub(crate) sort: Sort,
    pub(crate) reversed: bool,
    selected: Option<String>,
    rates: Rates,
    history: HashMap<String, Vec<u64>>,
}

impl State {
    pub(crate) fn new(root: String) -> Self {
        State {
            root,
            survey: Survey::default(),
            sort: Sort::Name,
            reversed: false,
            selected: None,
            rates: Rates::default(),
            history: HashMap::new(),
        }
    }

    /// Takes over a new survey.
    pub(crate) fn update(&mut self, mut survey: Survey) {
        self.rates.apply(&mut survey.rings);
        let mut history = HashMap::new();
        for ring in &survey.rings {
            let mut rates = self.history.remove(&ring.name).unwrap_or_default();
            rates.extend(ring.rate.map(|rate| rate as u64));
            let surplus = rates.len().saturating_sub(HISTORY);
            rates.drain(..surplus);
            history.insert(ring.name.clone(), rates);
        }
        self.history = history;
        self.survey = survey;
        self.sort_rings();
    }

    pub(crate) fn sort_by_next(&mut self) {
        let at = Sort::ALL.iter().position(|sort| *sort == self.sort).unwrap_or(0);
        self.sort = Sort::ALL[(at + 1) % Sort::ALL.len()];
        self.sort_rings();
    }

    pub(crate) fn reverse(&mut self) {
        self.reversed = !self.reversed;
        self.sort_rings();
    }

    fn sort_rings(&mut self) {
        let (sort, reversed) = (self.sort, self.reversed);
        self.survey.rings.sort_by(|a, b| {
            let order = sort.compare(a, b);
            if reversed { order.reverse() } else { order }
        });
    }

    /// Moves the selection by `lines`, down if positive.
    pub(crate) fn select(&mut self, lines: isize) {
        let Some(last) = self.survey.rings.len().checked_sub(1) else { return };
        let at = self.selected().unwrap_or(0).saturating_add_signed(lines).min(last);
        self.selected = Some(self.survey.rings[at].name.clone());
    }

    /// The index of the selected ring. The selection follows the ring when the order changes.
    pub(crate) fn selected(&self) -> Option<usize> {
        let named =
            self.selected.as_ref().and_then(|name| self.survey.rings.iter().position(|ring| ring.name == *name));
        named.or((!self.survey.rings.is_empty()).then_some(0))
    }

    /// The rates of a ring, oldest first.
    pub(crate) fn history(&self, name: &str) -> &[u64] {
        self.history.get(name).map_or(&[], Vec::as_slice)
    }
}
