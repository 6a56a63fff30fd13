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

type Visitor = Box<dyn Fn(&Session) -> anyhow::Result<Measurement>>;

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
    measurement: Visitor,
}

impl Row {
    /// A row measured between two processes.
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
            measurement: Box::new(move |session| pair::processes(&contender, session)),
        }
    }

    /// A row measured between two threads of one process.
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
            measurement: Box::new(move |session| pair::threads(&contender, session)),
        }
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
        (self.measurement)(session)
    }
}
