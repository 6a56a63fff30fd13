//! One row of the report: a contender with its name, kind and size.

use crate::harness::contender::Contender;
use crate::harness::measurement::Measurement;
use crate::harness::newest::contender::Keeper;
use crate::harness::newest::measurement::Newest;
use crate::harness::newest::pair as newest_pair;
use crate::harness::pair::{self, Session};

/// The kind of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A limit that no mechanism can beat.
    Limit,
    /// This project's ring.
    Ring,
    /// This project's table, or its cell.
    Table,
    /// A mechanism of the kernel or the C library.
    Kernel,
    /// Another project, measured between two processes.
    Peer,
    /// Another project that works only within one process, measured between two threads.
    PeerThreads,
}

impl Kind {
    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Limit => "limit",
            Kind::Ring => "ring",
            Kind::Table => "table",
            Kind::Kernel => "kernel",
            Kind::Peer => "peer",
            Kind::PeerThreads => "peer-threads",
        }
    }
}

type Measure<M> = Box<dyn Fn(&Session) -> anyhow::Result<M>>;

/// One row. `M` is what is measured.
pub struct Row<M = Measurement> {
    /// The name of the row, unique in the report.
    pub name: String,
    /// The kind of the row.
    pub kind: Kind,
    /// Bytes in a message.
    pub payload: usize,
    /// Messages or rows that the contender holds, if its capacity is a number of them.
    pub capacity: Option<usize>,
    /// Whether a quick report includes the row.
    pub quick: bool,
    measure: Measure<M>,
}

impl Row {
    /// A row measured between two processes.
    pub fn new<C: Contender<W> + 'static, const W: usize>(
        kind: Kind,
        name: impl Into<String>,
        capacity: Option<usize>,
        contender: C,
    ) -> Self {
        let measure = move |session: &Session| pair::processes(&contender, session);
        Self::of(kind, name.into(), W * 8, capacity, Box::new(measure))
    }

    /// A row measured between two threads of one process.
    pub fn in_threads<C: Contender<W> + Sync + 'static, const W: usize>(
        name: impl Into<String>,
        capacity: Option<usize>,
        contender: C,
    ) -> Self {
        let measure = move |session: &Session| pair::threads(&contender, session);
        Self::of(Kind::PeerThreads, name.into(), W * 8, capacity, Box::new(measure))
    }
}

impl Row<Newest> {
    /// A row of the newest value, measured between two processes.
    pub fn newest<C: Keeper<W> + 'static, const W: usize>(
        kind: Kind,
        name: impl Into<String>,
        capacity: usize,
        contender: C,
    ) -> Self {
        let measure = move |session: &Session| newest_pair::processes(&contender, session);
        Self::of(kind, name.into(), W * 8, Some(capacity), Box::new(measure))
    }
}

impl<M> Row<M> {
    fn of(kind: Kind, name: String, payload: usize, capacity: Option<usize>, measure: Measure<M>) -> Self {
        Self { name, kind, payload, capacity, quick: true, measure }
    }

    /// Excludes the row from quick reports.
    pub fn only_full(mut self) -> Self {
        self.quick = false;
        self
    }

    /// Measures the contender once.
    ///
    /// # Errors
    /// The contender's.
    pub fn measure(&self, session: &Session) -> anyhow::Result<M> {
        (self.measure)(session)
    }
}
