//! The list of contenders: the rows of the report, in its order.

use crate::harness::contender::Contender;
use crate::harness::pair::{self, Session};
use crate::harness::visit::Visit;
use crate::limits::{Flags, Pause, ReadOnly, ReadWrite, Seqlock, Tight, WriteDenied};

/// What sort of thing a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// What nothing can beat.
    Limit,
    /// This project's ring.
    Ring,
    /// A mechanism of the kernel or the C library.
    Kernel,
    /// Another project, between processes.
    Peer,
    /// Another project that works only within one process: measured between two threads.
    PeerThreads,
}

impl Kind {
    /// As it stands in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Limit => "limit",
            Kind::Ring => "ring",
            Kind::Kernel => "kernel",
            Kind::Peer => "peer",
            Kind::PeerThreads => "peer-threads",
        }
    }
}

type Visitor = Box<dyn Fn(&Session) -> anyhow::Result<Visit>>;

/// One row.
pub struct Row {
    /// Unique.
    pub name: String,
    /// What sort of thing it is.
    pub kind: Kind,
    /// Bytes in a message.
    pub payload: usize,
    /// Messages it holds, where that is a number of messages.
    pub capacity: Option<usize>,
    /// Whether a quick report has it too.
    pub quick: bool,
    visit: Visitor,
}

impl Row {
    /// A row between two processes.
    pub fn new<C: Contender<W> + 'static, const W: usize>(
        kind: Kind,
        name: impl Into<String>,
        capacity: Option<usize>,
        contender: C,
    ) -> Self {
        Self {
            name: name.into(),
            kind,
            payload: W * 8,
            capacity,
            quick: true,
            visit: Box::new(move |session| pair::processes(&contender, session)),
        }
    }

    /// A row between two threads of one process.
    pub fn in_threads<C: Contender<W> + Sync + 'static, const W: usize>(
        name: impl Into<String>,
        capacity: Option<usize>,
        contender: C,
    ) -> Self {
        Self {
            name: name.into(),
            kind: Kind::PeerThreads,
            payload: W * 8,
            capacity,
            quick: true,
            visit: Box::new(move |session| pair::threads(&contender, session)),
        }
    }

    /// A row that only a full report has.
    pub fn only_full(mut self) -> Self {
        self.quick = false;
        self
    }

    /// Visits the contender once.
    ///
    /// # Errors
    /// The contender's.
    pub fn visit(&self, session: &Session) -> anyhow::Result<Visit> {
        (self.visit)(session)
    }
}

/// All rows.
pub fn all() -> Vec<Row> {
    let mut rows = limits();
    rows.extend(crate::ring::rows());
    rows.extend(crate::kernel::rows());
    #[cfg(feature = "peers")]
    rows.extend(crate::peers::rows());
    rows
}

fn limits() -> Vec<Row> {
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
