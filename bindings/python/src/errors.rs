//! Rust's errors as the exceptions of `feed_ring._errors`: which class stands for which error. The text is Rust's.

use std::path::Path;

use feed_ring::table::{ReadError, WaitError};
use feed_ring::{CloseError, CreateError, OpenError, TryRecvError};
use pyo3::call::PyCallArgs;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// The class of this name.
fn class<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyType>> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module = MODULE.get_or_try_init(py, || py.import("feed_ring._errors").map(Bound::unbind))?;
    Ok(module.bind(py).getattr(name)?.cast_into::<PyType>()?)
}

/// An exception of the class `name`. If it cannot be made, the exception that says why.
fn exception<'py>(py: Python<'py>, name: &str, arguments: impl PyCallArgs<'py>) -> PyErr {
    let made = class(py, name).and_then(|class| class.call1(arguments));
    made.map_or_else(|error| error, PyErr::from_value)
}

/// One that has nothing but a text.
pub(crate) fn plain(py: Python<'_>, name: &str, text: &str) -> PyErr {
    exception(py, name, (text,))
}

/// One with attributes: what was found, for programs.
fn with(py: Python<'_>, name: &str, text: &str, attributes: &[(&str, Bound<'_, PyAny>)]) -> PyErr {
    let error = plain(py, name, text);
    let value = error.value(py);
    for (name, attribute) in attributes {
        if let Err(error) = value.setattr(name, attribute) {
            return error;
        }
    }
    error
}

/// What a receive returned instead of a message.
pub(crate) fn event(py: Python<'_>, error: TryRecvError) -> PyErr {
    let text = error.to_string();
    match error {
        TryRecvError::Empty => plain(py, "TimedOut", "no message came in time"),
        TryRecvError::Lagged { missed } => exception(py, "Lagged", (text, missed)),
        TryRecvError::Restarted { epoch, sequence } => exception(py, "Restarted", (text, epoch, sequence)),
        TryRecvError::RestartsUnknown { until } => exception(py, "RestartsUnknown", (text, until)),
        TryRecvError::Closed => plain(py, "Closed", &text),
        TryRecvError::PublisherDead => plain(py, "PublisherDead", &text),
        TryRecvError::Superseded => plain(py, "Superseded", &text),
        TryRecvError::CutShort => plain(py, "CutShort", &text),
        TryRecvError::Corrupt(corrupt) => {
            exception(py, "Corrupt", (text, corrupt.what, corrupt.found, corrupt.sequence))
        }
        _ => plain(py, "Error", &text),
    }
}

/// Whether it is an event of the feed, after which receiving goes on or ends as planned; the others are damage.
pub(crate) fn is_event(error: TryRecvError) -> bool {
    !matches!(error, TryRecvError::CutShort | TryRecvError::Corrupt(_))
}

/// Whether an exception is that the ring was closed.
pub(crate) fn is_closed(py: Python<'_>, error: &PyErr) -> bool {
    class(py, "Closed").is_ok_and(|class| error.is_instance(py, &class))
}

/// Why a value of a table or a cell could not be read.
pub(crate) fn read(py: Python<'_>, error: ReadError) -> PyErr {
    let name = if error == ReadError::CutShort { "CutShort" } else { "Overtaken" };
    plain(py, name, &error.to_string())
}

/// Why nothing more will be stored into a table or a cell.
pub(crate) fn end(py: Python<'_>, error: WaitError) -> PyErr {
    let name = match error {
        WaitError::Closed => "Closed",
        WaitError::WriterDead => "PublisherDead",
        WaitError::Superseded => "Superseded",
        WaitError::CutShort(_) => "CutShort",
        _ => "Error",
    };
    plain(py, name, &error.to_string())
}

/// Why nothing was opened.
pub(crate) fn open(py: Python<'_>, error: &OpenError) -> PyErr {
    let text = error.to_string();
    let path = |path: &Path| [("path", path_of(py, path))];
    let (name, path) = match error {
        OpenError::Name(_) => return plain(py, "InvalidName", &text),
        OpenError::SealedOption { .. } | OpenError::Sequence { .. } => return plain(py, "InvalidOption", &text),
        OpenError::NotFound { path: at } | OpenError::NoRoot { path: at } => ("NotFound", path(at)),
        OpenError::Unfinished { path: at } => ("Unfinished", path(at)),
        OpenError::NotARing { path: at, .. } => ("NotARing", path(at)),
        OpenError::Owner { path: at, .. } => ("WrongOwner", path(at)),
        OpenError::Permission { path: at } => ("PermissionDenied", path(at)),
        OpenError::Abi { path: at, .. } => ("WrongVersion", path(at)),
        OpenError::Kind { path: at, found, expected } => {
            let [path] = path(at);
            let text_of = |kind: &dyn ToString| kind.to_string().into_pyobject(py).expect("a string").into_any();
            return with(py, "WrongKind", &text, &[path, ("found", text_of(found)), ("expected", text_of(expected))]);
        }
        OpenError::Geometry { path: at, .. } => ("Damaged", path(at)),
        OpenError::NotServed { path: at } => ("NotServed", path(at)),
        OpenError::Refused { path: at, .. } => ("Refused", path(at)),
        OpenError::Unsealed { path: at, .. } => ("Unsealed", path(at)),
        OpenError::Placement { path: at, .. } => ("PlacementFailed", path(at)),
        OpenError::Io { path: at, source, .. } => return system(py, "OpenFailed", &text, path(at), source),
        _ => return plain(py, "OpenError", &text),
    };
    with(py, name, &text, &path)
}

/// Why nothing was made.
pub(crate) fn create(py: Python<'_>, error: &CreateError) -> PyErr {
    let text = error.to_string();
    let path = |path: &Path| [("path", path_of(py, path))];
    let (name, path) = match error {
        CreateError::Name(_) => return plain(py, "InvalidName", &text),
        CreateError::Capacity { .. }
        | CreateError::Rows { .. }
        | CreateError::Copies { .. }
        | CreateError::SlotSize { .. }
        | CreateError::Message { .. }
        | CreateError::Mode { .. }
        | CreateError::SealedOption { .. }
        | CreateError::DiskOption { .. } => return plain(py, "InvalidOption", &text),
        CreateError::AlreadyPublished { path: at } => ("AlreadyPublished", path(at)),
        CreateError::Owner { path: at, .. } => ("WrongOwner", path(at)),
        CreateError::NotARing { path: at, .. } => ("NotARing", path(at)),
        CreateError::NoRoom { path: at, .. }
        | CreateError::MemoryLimit { path: at, .. }
        | CreateError::NoInodes { path: at, .. }
        | CreateError::FileSizeLimit { path: at, .. }
        | CreateError::NoMemory { path: at, .. } => ("NoRoom", path(at)),
        CreateError::Placement { path: at, .. } => ("PlacementFailed", path(at)),
        CreateError::Io { path: at, source, .. } => return system(py, "CreateFailed", &text, path(at), source),
        _ => return plain(py, "CreateError", &text),
    };
    with(py, name, &text, &path)
}

/// Why the files of what was closed are still there.
pub(crate) fn close(py: Python<'_>, error: &CloseError) -> PyErr {
    let path = [("path", path_of(py, &error.path))];
    system(py, "CloseFailed", &error.to_string(), path, &error.source)
}

/// A `pathlib.Path`.
fn path_of<'py>(py: Python<'py>, path: &Path) -> Bound<'py, PyAny> {
    path.into_pyobject(py).map_or_else(|_| py.None().into_bound(py), Bound::into_any)
}

/// A system call that failed.
fn system(
    py: Python<'_>,
    name: &str,
    text: &str,
    path: [(&str, Bound<'_, PyAny>); 1],
    error: &std::io::Error,
) -> PyErr {
    let [path] = path;
    match error.raw_os_error() {
        Some(code) => with(py, name, text, &[path, ("errno", code.into_pyobject(py).expect("a number").into_any())]),
        None => with(py, name, text, &[path]),
    }
}

/// An argument of the right type whose value is none that the call knows.
pub(crate) fn value(found: impl std::fmt::Display, expected: &str) -> PyErr {
    PyValueError::new_err(format!("{found}: {expected} expected"))
}

/// An argument of the wrong type.
pub(crate) fn wrong_type(text: String) -> PyErr {
    PyTypeError::new_err(text)
}
