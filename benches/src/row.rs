//! One row of the report: a contender with its name, kind and size.

use crate::harness::contender::Contender;
use crate::harness::measurement::Measurement;
use crate::harness::pair::{self, Session};

/// The kind of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A limit that no mechanism can beat.
    Limit,
    /// This project's ring.
    Ring,
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
            Kind::Kernel => "kernel",
            Kind::Peer => "peer",
            Kind::PeerThreads => "peer-threads",
        }
    }
}

type Measure = Box<dyn Fn(&Session) -> anyhow::Result<Measurement>>;

/// One row.
pub struct Row {
    /// The name of the row, unique in the report.
    pub name: String,
    /// The kind of the row.
    pub kind: Kind,
    /// Bytes in a message.
    pub payload: usize,
    /// Messages that the contender holds, if its capacity is a number of messages.
    pub capacity: Option<usize>,
    /// Whether a quick report includes the row.
    pub quick: bool,
    measure: Measure,
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

    fn of(kind: Kind, name: String, payload: usize, capacity: Option<usize>, measure: Measure) -> Self {
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
    pub fn measure(&self, session: &Session) -> anyhow::Result<Measurement> {
        (self.measure)(session)
    }
}
