//! The border: what every function of the interface does before and after its work. No panic gets out, and the text of
//! what went wrong is kept for [`fr_last_error`].

use std::cell::RefCell;
use std::ffi::c_char;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::code::fr_code;

/// Why a function did nothing: a code, and a text that says what was found, what was expected, and what helps.
pub(crate) struct Failure {
    code: fr_code,
    text: Box<str>,
}

impl Failure {
    #[cold]
    pub(crate) fn new(code: fr_code, text: impl Into<Box<str>>) -> Self {
        Failure { code, text: text.into() }
    }

    /// There is nothing, which is no mistake.
    pub(crate) fn empty() -> Self {
        Failure { code: fr_code::FR_EMPTY, text: "".into() }
    }

    /// A pointer is NULL that may not be.
    #[cold]
    pub(crate) fn null(what: &'static str) -> Self {
        Failure::new(fr_code::FR_NULL, format!("{what} is NULL: pass its address"))
    }

    /// An argument is none of those that the header names.
    #[cold]
    pub(crate) fn argument(what: &'static str, found: impl std::fmt::Display, expected: &str) -> Self {
        Failure::new(fr_code::FR_ARGUMENT, format!("{what} is {found}; {expected} expected"))
    }

    /// There is room for another number of bytes than a message has.
    #[cold]
    pub(crate) fn size(what: &'static str, found: usize, expected: usize) -> Self {
        Failure::new(fr_code::FR_SIZE, format!("{what}: {found} bytes, {expected} expected: the schema has the size"))
    }
}

/// What a wait ended with: something came, or nothing did in time.
pub(crate) fn came(something: bool) -> Result<(), Failure> {
    if something { Ok(()) } else { Err(Failure::empty()) }
}

/// Does the work of a function that may fail.
#[inline(always)]
pub(crate) fn border(work: impl FnOnce() -> Result<(), Failure>) -> fr_code {
    border_code(|| match work() {
        Ok(()) => fr_code::FR_OK,
        Err(failure) => told(failure),
    })
}

/// Does the work of a function that returns a code.
#[inline(always)]
pub(crate) fn border_code(work: impl FnOnce() -> fr_code) -> fr_code {
    border_value(fr_code::FR_PANIC, work)
}

/// Does the work of a function that returns a value; after a panic it returns `otherwise`.
#[inline(always)]
pub(crate) fn border_value<V>(otherwise: V, work: impl FnOnce() -> V) -> V {
    // What a panic left half done is behind a handle, which its documentation then allows to be freed only.
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(panic) => {
            panicked(&*panic);
            otherwise
        }
    }
}

/// Keeps the text of a failure, and returns its code.
#[cold]
pub(crate) fn told(failure: Failure) -> fr_code {
    if failure.code != fr_code::FR_EMPTY {
        keep(&failure.text);
    }
    failure.code
}

#[cold]
fn panicked(panic: &(dyn std::any::Any + Send)) {
    let said = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    keep(&format_args!("a defect of feed-ring: {}: free the handle, and report this", said.unwrap_or("no message")));
}

thread_local! {
    /// The text of the last failure of this thread, and the zero byte that ends it.
    static LAST: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps a text. The memory is used again, so that a subscriber that loses messages allocates nothing for it.
#[cold]
pub(crate) fn keep(text: &dyn std::fmt::Display) {
    // A thread that is ending has no last error any more.
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.clear();
        // Writing to a String cannot fail.
        let _ = write!(last, "{text}");
        if last.contains('\0') {
            *last = last.replace('\0', "\u{fffd}");
        }
        last.push('\0');
    });
}

/// The text of what went wrong in the last call of this thread that returned a code other than `FR_OK` and `FR_EMPTY`, or
/// NULL instead of a pointer: what was found, what was expected, and what helps. One line of UTF-8. Empty if nothing went
/// wrong yet.
///
/// The text belongs to the library. It is valid until another call of this thread goes wrong, or the thread ends.
#[unsafe(no_mangle)]
pub extern "C" fn fr_last_error() -> *const c_char {
    border_value(c"".as_ptr(), || {
        let text = |last: &RefCell<String>| {
            let last = last.borrow();
            if last.is_empty() { c"".as_ptr() } else { last.as_ptr().cast() }
        };
        LAST.try_with(text).unwrap_or(c"".as_ptr())
    })
}
