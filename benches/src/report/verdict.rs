//! The report's last sentence: how this ring stands beside the bare line and beside the best peer.

use serde::Serialize;

use crate::row::Kind;

use super::contender::Contender;

/// The row of this ring.
pub const RING: &str = "feed-ring spin ro 56 65536";

/// The same ring, mapped writable.
const WRITABLE: &str = "feed-ring spin rw 56 65536";

/// The bare line that is mapped and polled as this ring is.
const LINE: &str = "line ro pause";

/// Ratios from here to the reciprocal count as level. Two reports on one machine differ by as much.
const LEVEL: f64 = 0.95;

/// What the report concludes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// This ring's one-way latency; null if it has none.
    pub ring: Option<Figure>,
    /// The bare line.
    pub line: Option<Standing>,
    /// The peer with the lowest latency, for messages of the same size.
    pub best_peer: Option<Standing>,
    /// The number of peers with a latency, for messages of the same size.
    pub peers: usize,
    /// The same ring with a writable mapping.
    pub writable: Option<Figure>,
}

/// A one-way latency.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// In nanoseconds.
    pub ns: f64,
    /// Divided by c2c.
    pub over_c2c: f64,
}

/// A row with which this ring is compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Standing {
    /// The row's name.
    pub name: String,
    /// Its one-way latency in nanoseconds.
    pub ns: f64,
    /// This ring's latency, divided by the row's.
    pub ring_over: f64,
}

/// Why the figures allow no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Void {
    /// Each round was too short.
    Smoke,
    /// The program was not optimised.
    Debug,
}

impl Figure {
    fn of(row: &Contender) -> Option<Self> {
        Some(Self { ns: row.latency_ns?, over_c2c: row.latency_over_c2c? })
    }
}

impl Verdict {
    /// Compares the rows.
    pub fn of(rows: &[Contender]) -> Self {
        let find = |name: &str| rows.iter().find(|row| row.name == name);
        let ring_row = find(RING);
        let ring = ring_row.and_then(Figure::of);
        let standing = |row: &Contender| {
            let figure = Figure::of(row)?;
            // The ratio of rounds that follow each other is the better one. A row visited more often may have none.
            let ring_over = match row.latency_over_ring {
                Some(ratio) => 1.0 / ratio,
                None => ring?.over_c2c / figure.over_c2c,
            };
            Some(Standing { name: row.name.clone(), ns: figure.ns, ring_over })
        };
        let is_peer = |row: &&Contender| {
            matches!(row.kind, Kind::Peer | Kind::PeerThreads)
                && ring_row.is_none_or(|ring| ring.payload == row.payload)
        };
        let peers: Vec<Standing> = rows.iter().filter(is_peer).filter_map(standing).collect();
        Self {
            ring,
            line: find(LINE).and_then(standing),
            peers: peers.len(),
            best_peer: peers.into_iter().max_by(|a, b| a.ring_over.total_cmp(&b.ring_over)),
            writable: find(WRITABLE).and_then(Figure::of),
        }
    }

    /// The sentence. `busy` says that other processes disturbed the report.
    pub fn sentence(&self, void: Option<Void>, busy: bool) -> String {
        match void {
            Some(Void::Smoke) => return "Verdict: none: a smoke run shows that the contenders work.".into(),
            Some(Void::Debug) => return "Verdict: none: the times of a debug build mean nothing.".into(),
            None => {}
        }
        let Some(Figure { ns, over_c2c }) = self.ring else {
            return "Verdict: none: this ring has no latency; the reason stands above.".into();
        };
        let line = match &self.line {
            Some(line) => format!("{:.2} times the {} ns of a bare line", line.ring_over, digits(line.ns)),
            None => "beside a bare line without a figure".into(),
        };
        let peer = match &self.best_peer {
            Some(peer) => {
                let judged = if peer.ring_over < LEVEL {
                    "faster than it"
                } else if peer.ring_over <= 1.0 / LEVEL {
                    "level with it"
                } else {
                    "slower than it"
                };
                let of =
                    if self.peers == 1 { "the one peer".into() } else { format!("the best of {} peers", self.peers) };
                format!("{:.2} times the {} ns of {}, {of}: {judged}", peer.ring_over, digits(peer.ns), peer.name)
            }
            None => "no peer has a figure".into(),
        };
        let writable = match self.writable {
            Some(writable) => format!("; mapped writable (--map rw) it takes {} ns", digits(writable.ns)),
            None => String::new(),
        };
        let on = if busy { ", measured on a busy machine" } else { "" };
        format!(
            "Verdict{on}: this ring takes {} ns one way ({over_c2c:.2} c2c), {line}, and {peer}{writable}.",
            digits(ns)
        )
    }
}

/// Nanoseconds with about three digits.
fn digits(ns: f64) -> String {
    if ns < 100.0 { format!("{ns:.1}") } else { format!("{ns:.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, kind: Kind, payload: usize, over_c2c: Option<f64>) -> Contender {
        Contender {
            name: name.into(),
            kind,
            payload,
            latency_over_c2c: over_c2c,
            latency_ns: over_c2c.map(|over| 40.0 * over),
            latency_over_ring: over_c2c.map(|over| over / 1.5),
            ..Contender::empty()
        }
    }

    fn rows(fast_peer: f64) -> Vec<Contender> {
        vec![
            row(LINE, Kind::Limit, 56, Some(1.25)),
            row(RING, Kind::Ring, 56, Some(1.5)),
            row("slow 56", Kind::Peer, 56, Some(9.0)),
            row("fast 56", Kind::PeerThreads, 56, Some(fast_peer)),
            row("small 8", Kind::Peer, 8, Some(0.5)),
            row("disturbed 56", Kind::Peer, 56, None),
        ]
    }

    #[test]
    fn the_best_peer_is_of_the_same_size() {
        let verdict = Verdict::of(&rows(2.0));
        assert_eq!(verdict.best_peer, Some(Standing { name: "fast 56".into(), ns: 80.0, ring_over: 0.75 }));
        assert_eq!(
            verdict.sentence(None, false),
            "Verdict: this ring takes 60.0 ns one way (1.50 c2c), 1.20 times the 50.0 ns of a bare line, and 0.75 times the \
             80.0 ns of fast 56, the best of 2 peers: faster than it."
        );
    }

    #[test]
    fn a_slower_ring_is_called_slower_and_a_close_one_level() {
        let ends = |fast, end: &str| {
            let sentence = Verdict::of(&rows(fast)).sentence(None, false);
            assert!(sentence.ends_with(end), "{sentence}");
        };
        ends(1.2, "1.25 times the 48.0 ns of fast 56, the best of 2 peers: slower than it.");
        ends(1.5, "level with it.");
        ends(1.45, "level with it.");
        ends(1.55, "level with it.");
    }

    #[test]
    fn what_is_missing_is_said() {
        let only_ring = Verdict::of(&[row(RING, Kind::Ring, 56, Some(1.5))]).sentence(None, false);
        assert!(only_ring.contains("without a figure") && only_ring.contains("no peer has a figure"), "{only_ring}");
        assert!(Verdict::of(&[row(RING, Kind::Ring, 56, None)]).sentence(None, false).starts_with("Verdict: none"));
        assert!(Verdict::of(&[]).sentence(None, false).starts_with("Verdict: none"));
        for void in [Void::Smoke, Void::Debug] {
            assert!(Verdict::of(&rows(2.0)).sentence(Some(void), false).starts_with("Verdict: none"));
        }
        assert!(Verdict::of(&rows(2.0)).sentence(None, true).contains("measured on a busy machine"));
    }

    #[test]
    fn without_rounds_in_common_the_ratio_is_that_of_the_medians() {
        let mut rows = rows(2.0);
        rows.iter_mut().for_each(|row| row.latency_over_ring = None);
        assert_eq!(Verdict::of(&rows).best_peer.map(|peer| peer.ring_over), Some(0.75));
    }
}
