//! A ring that is received from: of messages or of records, under one interface.

use std::io;
use std::time::Duration;

use feed_ring::raw::{self, Account, MessageFormat};
use feed_ring::{Interrupter, Notifier, RecordSubscriber, TryRecvError};
use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyType};

use crate::arrays;

/// A subscriber of a ring, whatever it carries.
pub(crate) enum Ring {
    Messages(MessageRing),
    Records(RecordRing),
}

/// A ring of messages, and the one received last.
pub(crate) struct MessageRing {
    pub(crate) raw: raw::Subscriber,
    pub(crate) dtype: Py<PyArrayDescr>,
    message: Vec<u8>,
}

/// A ring of records, and the one received last.
pub(crate) struct RecordRing {
    pub(crate) records: RecordSubscriber,
    number: u64,
    kind: u8,
    bytes: Vec<u8>,
}

impl MessageRing {
    pub(crate) fn new(raw: raw::Subscriber, dtype: Py<PyArrayDescr>) -> Self {
        MessageRing { message: vec![0; raw.format().size()], raw, dtype }
    }

    pub(crate) fn format(&self) -> &MessageFormat {
        self.raw.format()
    }
}

impl RecordRing {
    pub(crate) fn new(records: RecordSubscriber) -> Self {
        RecordRing { records, number: 0, kind: 0, bytes: Vec::new() }
    }
}

/// Asks the subscriber of either.
macro_rules! either {
    ($ring:expr, $subscriber:ident => $asked:expr) => {
        match $ring {
            Ring::Messages(MessageRing { raw: $subscriber, .. }) => $asked,
            Ring::Records(RecordRing { records: $subscriber, .. }) => $asked,
        }
    };
}

impl Ring {
    /// Receives the next message, if there is one, and keeps it: see [`last`](Self::last).
    pub(crate) fn try_next(&mut self) -> Result<(), TryRecvError> {
        match self {
            Ring::Messages(MessageRing { raw, message, .. }) => raw.try_recv_into(message),
            Ring::Records(ring) => {
                (ring.number, ring.kind) = ring.records.try_recv_into(&mut ring.bytes)?;
                Ok(())
            }
        }
    }

    /// Waits for the next message for this long, and keeps it.
    pub(crate) fn next_within(&mut self, timeout: Duration) -> Result<(), TryRecvError> {
        match self {
            Ring::Messages(MessageRing { raw, message, .. }) => raw.recv_timeout_into(message, timeout),
            Ring::Records(RecordRing { records, number, kind, bytes }) => {
                let record = records.recv_timeout(timeout)?;
                (*number, *kind) = (record.number, record.kind);
                bytes.clear();
                bytes.extend_from_slice(record.bytes);
                Ok(())
            }
        }
    }

    /// Receives the newest message and keeps it.
    pub(crate) fn latest(&mut self) -> Result<(), TryRecvError> {
        match self {
            Ring::Messages(MessageRing { raw, message, .. }) => raw.latest_into(message),
            Ring::Records(RecordRing { records, number, kind, bytes }) => {
                let record = records.latest()?;
                (*number, *kind) = (record.number, record.kind);
                bytes.clear();
                bytes.extend_from_slice(record.bytes);
                Ok(())
            }
        }
    }

    /// The message that was received last: a structured scalar, or a `Record`.
    pub(crate) fn last<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Ring::Messages(ring) => arrays::scalar(ring.dtype.bind(py), &ring.message),
            Ring::Records(ring) => record(py, ring.kind, &ring.bytes, ring.number),
        }
    }

    pub(crate) fn account(&self) -> Account {
        either!(self, ring => ring.account())
    }

    pub(crate) fn lag(&self) -> u64 {
        either!(self, ring => ring.lag())
    }

    pub(crate) fn capacity(&self) -> usize {
        either!(self, ring => ring.capacity())
    }

    pub(crate) fn without_entry(&self) -> Option<&str> {
        either!(self, ring => ring.without_entry())
    }

    pub(crate) fn publisher_is_alive(&self) -> bool {
        either!(self, ring => ring.publisher_is_alive())
    }

    pub(crate) fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        either!(self, ring => ring.wait_for_publisher(timeout))
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        either!(self, ring => ring.interrupter())
    }

    pub(crate) fn notifier(&self) -> io::Result<Notifier> {
        either!(self, ring => ring.notifier())
    }

    /// Makes the notifier's descriptor readable once there is something to receive; or, after the publisher's death, once there
    /// is another.
    pub(crate) fn arm(&self, notifier: &Notifier, for_publisher: bool) {
        match (self, for_publisher) {
            (Ring::Messages(ring), false) => notifier.arm_raw(&ring.raw),
            (Ring::Messages(ring), true) => notifier.arm_raw_for_publisher(&ring.raw),
            (Ring::Records(ring), false) => notifier.arm_records(&ring.records),
            (Ring::Records(ring), true) => notifier.arm_records_for_publisher(&ring.records),
        }
    }
}

/// A `feed_ring.Record`.
pub(crate) fn record<'py>(py: Python<'py>, kind: u8, bytes: &[u8], number: u64) -> PyResult<Bound<'py, PyAny>> {
    static RECORD: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let class = RECORD.import(py, "feed_ring._values", "Record")?;
    class.call1((kind, PyBytes::new(py, bytes), number))
}
