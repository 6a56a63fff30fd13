//! The class that `Subscriber` and `RecordSubscriber` build upon.

use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use feed_ring::{Interrupter, OpenError, RecordSubscriber, SegmentKind, TryRecvError, raw};
use numpy::PyArrayDescr;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyList, PyType};

use crate::batch::{append, fitting, messages};
use crate::exclusive::Exclusive;
use crate::following::Following;
use crate::options::Open;
use crate::ring::{MessageRing, RecordRing, Ring};
use crate::waiting::{Deadline, wait};
use crate::{arrays, dtype, errors};

/// The native part of a subscriber: of messages or of records.
#[pyclass(subclass, frozen, module = "feed_ring._native")]
pub(crate) struct Subscription {
    inner: Exclusive<Following>,
    interrupter: Interrupter,
}

#[pymethods]
impl Subscription {
    /// Opens the ring that the options name, whether it carries messages or records.
    #[new]
    fn new(py: Python<'_>, options: Open) -> PyResult<Self> {
        let yields = options.yields_events()?;
        let messages = match &options.path {
            Some(path) => raw::Subscriber::connect(path),
            None => raw::Subscriber::options(&options.name),
        };
        let opened = match options.open(py, messages, |options| options.open_raw())? {
            Err(OpenError::Kind { found: SegmentKind::Records, .. }) => {
                let records = match &options.path {
                    Some(path) => RecordSubscriber::connect(path),
                    None => RecordSubscriber::options(&options.name),
                };
                let opened = options.open(py, records, |options| options.open_records())?;
                opened.map(|records| Ring::Records(RecordRing::new(records)))
            }
            Err(error) => Err(error),
            Ok(raw) => {
                let dtype = dtype::of_format(py, raw.format())?.unbind();
                Ok(Ring::Messages(MessageRing::new(raw, dtype)))
            }
        };
        let ring = opened.map_err(|error| errors::open(py, &error))?;
        let interrupter = ring.interrupter();
        let following = Following::new(ring, yields);
        Ok(Subscription { inner: Exclusive::new("subscriber", following), interrupter })
    }

    /// Waits for the next message and returns it.
    #[pyo3(signature = (timeout=None))]
    fn recv<'py>(&self, py: Python<'py>, timeout: Option<f64>) -> PyResult<Bound<'py, PyAny>> {
        let mut held = self.inner.enter(py)?;
        let following = &mut *held;
        let mut result = following.attempt(Ring::try_next);
        if result == Err(TryRecvError::Empty) {
            let deadline = Deadline::after(timeout)?;
            result = following.wait(&self.inner, py, deadline, Ring::next_within)?;
        }
        match result {
            Ok(()) => following.ring.last(py),
            Err(error) => following.tell(py, error),
        }
    }

    /// Returns the next message, or `None` if there is none yet.
    fn try_recv<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.attempt(py, Ring::try_next)
    }

    /// Returns the newest message and skips those before it, or `None` if it was received already.
    fn latest<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.attempt(py, Ring::latest)
    }

    /// Waits for messages and returns as many as there are, at most `n`.
    #[pyo3(signature = (n=None, timeout=None, *, out=None))]
    fn recv_batch<'py>(
        &self,
        py: Python<'py>,
        n: Option<usize>,
        timeout: Option<f64>,
        out: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let deadline = Deadline::after(timeout)?;
        let mut held = self.inner.enter(py)?;
        if matches!(held.ring, Ring::Records(_)) {
            let most = n.filter(|n| *n > 0 && out.is_none());
            let most =
                most.ok_or_else(|| errors::value(format!("n={n:?}, out={out:?}"), "n of 1 or more, and no out"))?;
            return self.records(py, &mut held, most, deadline);
        }
        let mut array = match (n, out) {
            (Some(n), None) if n > 0 => arrays::empty(self.dtype_of(py, &held)?.bind(py), n)?,
            (None, Some(out)) => fitting(&self.dtype_of(py, &held)?, out)?,
            (n, out) => {
                let found = format!("n={n:?}, out={}", out.map_or("None", |_| "an array"));
                return Err(errors::value(found, "either n of 1 or more, or an array"));
            }
        };
        match messages(py, &mut held, &self.inner, &mut array, deadline)? {
            Ok(count) => arrays::first(&array, count),
            Err(TryRecvError::Empty) => arrays::first(&array, 0),
            Err(error) => held.tell(py, error),
        }
    }

    /// Iterates over batches of at most `n` messages.
    #[pyo3(signature = (n=1024))]
    fn batches(slf: Bound<'_, Self>, n: usize) -> PyResult<Batches> {
        if n == 0 {
            return Err(errors::value("n=0", "1 or more"));
        }
        Ok(Batches { subscription: slf.unbind(), n })
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.unless_ended(py, || self.recv(py, None))
    }

    /// Waits until a publisher takes the ring over. True if it is worth receiving again.
    #[pyo3(signature = (timeout=None))]
    fn wait_for_publisher(&self, py: Python<'_>, timeout: Option<f64>) -> PyResult<bool> {
        let mut held = self.inner.enter(py)?;
        let following = &mut *held;
        let deadline = Deadline::after(timeout)?;
        // A look at what is there already, however little time there is.
        let mut came = following.ring.wait_for_publisher(Duration::ZERO);
        if !came {
            let waited = wait(py, deadline, |slice| {
                if self.inner.is_closing() {
                    return Some(false);
                }
                following.ring.wait_for_publisher(slice).then_some(true)
            })?;
            came = waited == Some(true);
        }
        if self.inner.is_closing() { Err(self.inner.closed(py)) } else { Ok(came) }
    }

    /// Whether a publisher lives. Asks the kernel.
    fn publisher_is_alive(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner.enter(py)?.ring.publisher_is_alive())
    }

    /// Number of messages that are published and not yet received.
    fn lag(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.inner.enter(py)?.ring.lag())
    }

    /// Its position, and what became of every message.
    #[getter]
    fn account<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static ACCOUNT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        let account = self.inner.enter(py)?.ring.account();
        let raw::Account { first, received, lost, skipped, sequence, epoch } = account;
        ACCOUNT.import(py, "feed_ring._values", "Account")?.call1((first, received, lost, skipped, sequence, epoch))
    }

    /// Number of slots.
    #[getter]
    fn capacity(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.inner.enter(py)?.ring.capacity())
    }

    /// The schema in the ring's header.
    #[getter]
    fn schema(&self, py: Python<'_>) -> PyResult<String> {
        Ok(match &self.inner.enter(py)?.ring {
            Ring::Messages(ring) => ring.format().schema().to_owned(),
            Ring::Records(ring) => ring.records.format().map(|format| format.text()).unwrap_or_default(),
        })
    }

    /// Why neither the publisher nor a tool counts this subscriber. `None` if they do.
    #[getter]
    fn without_entry(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.inner.enter(py)?.ring.without_entry().map(str::to_owned))
    }

    /// Whether it was closed.
    #[getter]
    fn closed(&self) -> bool {
        self.inner.is_closing()
    }

    /// Ends the subscription, also one in whose call another thread waits.
    fn close(&self, py: Python<'_>) {
        match self.inner.close() {
            Some(following) => py.detach(|| drop(following)),
            None => self.interrupter.interrupt(),
        }
    }

    /// The dtype of the messages. `None` of records.
    #[getter]
    fn dtype(&self, py: Python<'_>) -> PyResult<Option<Py<PyArrayDescr>>> {
        Ok(match &self.inner.enter(py)?.ring {
            Ring::Messages(ring) => Some(ring.dtype.clone_ref(py)),
            Ring::Records(_) => None,
        })
    }

    /// The name of the records' encoding, empty if nothing is known of them. `None` of messages.
    #[getter]
    fn encoding(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(match &self.inner.enter(py)?.ring {
            Ring::Messages(_) => None,
            Ring::Records(ring) => Some(ring.records.format().map_or("", |format| format.encoding()).to_owned()),
        })
    }

    /// The dtype of each kind of records that are structs.
    fn _kinds<'py>(&self, py: Python<'py>) -> PyResult<Vec<(u8, Bound<'py, PyArrayDescr>)>> {
        let held = self.inner.enter(py)?;
        let Ring::Records(RecordRing { records, .. }) = &held.ring else { return Ok(Vec::new()) };
        let kinds = records.format().into_iter().flat_map(|format| format.kinds());
        kinds.map(|(kind, format)| Ok((kind, dtype::of_format(py, format)?))).collect()
    }

    /// The descriptor that becomes readable after `_arm` once there is something to receive.
    fn _descriptor(&self, py: Python<'_>) -> PyResult<i32> {
        let mut held = self.inner.enter(py)?;
        if held.notifier.is_none() {
            held.notifier = Some(held.ring.notifier()?);
        }
        Ok(held.notifier.as_ref().map_or(-1, |notifier| notifier.as_fd().as_raw_fd()))
    }

    /// Makes the descriptor readable once there is something to receive, or a publisher.
    fn _arm(&self, py: Python<'_>, for_publisher: bool) -> PyResult<()> {
        let held = self.inner.enter(py)?;
        if let Some(notifier) = &held.notifier {
            notifier.clear();
            held.ring.arm(notifier, for_publisher || held.orphaned);
        }
        Ok(())
    }

    /// As `recv_batch`, or `None` if there is nothing yet.
    fn _try_recv_batch<'py>(&self, py: Python<'py>, n: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let batch = self.recv_batch(py, Some(n), Some(0.0), None)?;
        // An event has no length.
        Ok(if batch.len().is_ok_and(|length| length == 0) { None } else { Some(batch) })
    }

    /// Whether iterating is over: the end was returned.
    fn _ended(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.inner.enter(py)?.ended)
    }
}

impl Subscription {
    fn attempt<'py>(
        &self,
        py: Python<'py>,
        attempt: impl FnOnce(&mut Ring) -> Result<(), TryRecvError>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut held = self.inner.enter(py)?;
        match held.attempt(attempt) {
            Ok(()) => held.ring.last(py).map(Some),
            Err(TryRecvError::Empty) => Ok(None),
            Err(error) => held.tell(py, error).map(Some),
        }
    }

    fn dtype_of(&self, py: Python<'_>, following: &Following) -> PyResult<Py<PyArrayDescr>> {
        match &following.ring {
            Ring::Messages(ring) => Ok(ring.dtype.clone_ref(py)),
            Ring::Records(_) => Err(errors::value("a ring of records", "of messages")),
        }
    }

    /// A step of an iteration, which ends with the ring: where events are raised when it is closed, otherwise behind the event
    /// that told the end.
    fn unless_ended<'py>(
        &self,
        py: Python<'py>,
        step: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.inner.enter(py)?.ended {
            return Ok(None);
        }
        match step() {
            Err(error) if errors::is_closed(py, &error) => Ok(None),
            result => result.map(Some),
        }
    }

    /// A batch of records as a list.
    fn records<'py>(
        &self,
        py: Python<'py>,
        following: &mut Following,
        most: usize,
        deadline: Deadline,
    ) -> PyResult<Bound<'py, PyAny>> {
        let list = PyList::empty(py);
        let mut result = following.attempt(|ring| append(ring, most, &list));
        if let Err(TryRecvError::Empty) = result {
            result = match following.wait(&self.inner, py, deadline, Ring::next_within)? {
                Ok(()) => {
                    list.append(following.ring.last(py)?)?;
                    following.put_off(|ring| append(ring, most - 1, &list), Ok(()))
                }
                Err(error) => Err(error),
            };
        }
        match result {
            Ok(appended) => appended.map(|()| list.into_any()),
            Err(TryRecvError::Empty) => Ok(list.into_any()),
            Err(error) => following.tell(py, error),
        }
    }
}

/// An iterator over batches. An event that is raised does not end it.
#[pyclass(frozen, module = "feed_ring._native")]
pub(crate) struct Batches {
    subscription: Py<Subscription>,
    n: usize,
}

#[pymethods]
impl Batches {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let subscription = self.subscription.get();
        subscription.unless_ended(py, || subscription.recv_batch(py, Some(self.n), None, None))
    }
}
