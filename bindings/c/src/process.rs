//! What concerns the library and the process as a whole.

use std::ffi::c_char;

use feed_ring::{check_name, guard, placement};

use crate::border::{border, border_value};
use crate::code::fr_code;
use crate::pointers::Text;

/// The version of the interface that the library has, as `FR_ABI_VERSION` is that of the header. Compare them when a program
/// starts.
#[unsafe(no_mangle)]
pub extern "C" fn fr_abi_version() -> u32 {
    border_value(0, || crate::FR_ABI_VERSION)
}

/// The version of the library, such as `"0.1.0"`. Never NULL; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_version() -> *const c_char {
    border_value(c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// Whether a ring can have this name: 1 to 200 characters of `A-Z a-z 0-9 . _ -`, with no `.` at the start. Every function that
/// takes a name checks it too.
///
/// Returns `FR_OK`, `FR_NAME`, `FR_NULL` or `FR_ARGUMENT`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_check_name(name: Text) -> fr_code {
    border(|| Ok(check_name(name.str("name")?)?))
}

/// Installs a handler for SIGBUS in the whole process, so that it survives when somebody cuts a ring's file short: a subscriber
/// then receives `FR_CUT_SHORT`, and a publisher's state has `is_cut_off`. Install it where other users may subscribe, before the
/// first ring is opened. Other SIGBUS go to the handler that was there before. Further calls do nothing.
///
/// Returns `FR_OK`, or `FR_IO` if the kernel refuses.
#[unsafe(no_mangle)]
pub extern "C" fn fr_guard_install() -> fr_code {
    border(|| Ok(guard::install()?))
}

/// Restricts the calling thread, and every thread that it starts later, to one CPU. Make a sealed ring before.
///
/// Returns `FR_OK`, or `FR_PLACEMENT` if there is no such CPU or the thread may not run on it.
#[unsafe(no_mangle)]
pub extern "C" fn fr_pin_to_cpu(cpu: usize) -> fr_code {
    border(|| Ok(placement::pin_to_cpu(cpu)?))
}

/// Locks all memory that the process has mapped now. Call it once every ring is open.
///
/// Returns `FR_OK`, or `FR_PLACEMENT` if more is mapped than the limit (`ulimit -l`) allows.
#[unsafe(no_mangle)]
pub extern "C" fn fr_lock_memory() -> fr_code {
    border(|| placement::lock_memory().map(drop).map_err(Into::into))
}
