//! The guard against SIGBUS: keeps the process alive when the file under a mapping is cut short.
//!
//! A process that may write to a ring's files may also truncate them. The next access to a missing page raises SIGBUS,
//! which kills the process. A process that called [`install`] continues: the handler replaces the **whole** mapping by
//! zero pages and marks it.
//!
//! - A subscriber then ends with [`CutShort`](crate::TryRecvError::CutShort). Messages that it returned before are
//!   whole. A copy in progress is discarded, because its sequence word is now zero as well. (If only the missing page
//!   were replaced, a message of zeros would be accepted when its sequence word lies on the page before.)
//! - A publisher continues, but into memory that nobody else sees.
//!   [`Publisher::is_cut_off`](crate::Publisher::is_cut_off) tells it. If only `control` was cut short, publisher and
//!   subscribers continue unharmed, and subscribers are no longer counted.
//!
//! The library never installs the handler by itself, because signal handlers belong to the program. Every other SIGBUS
//! goes to the previous handler, which may be the Rust runtime's, or ends the process as without the guard.
//!
//! # Limits
//! The kernel raises SIGBUS for an access beyond the end of the file. There is no signal, and reads give zeros, if the
//! file was **truncated and grown again** in between, cut short in the **middle of a page**, or had **holes punched**
//! into it. The first access to a hole takes a page, though, even to read it. Where there is none (a full file system; for
//! the memory files of a sealed ring, `vm.overcommit_memory=2` without commit left), it raises SIGBUS, and the guard
//! takes the file for one that was cut short. Such changes need write permission. For the segment, file permissions and
//! sealed rings ([`serve`](crate::PublisherOptions::serve)) prevent them. In `control` every subscriber can punch holes, in a
//! sealed ring too: install the guard wherever others may subscribe. With `vm.overcommit_memory=2` the memory that replaces a
//! publisher's ring counts against the machine's commit limit; where that has no room for it, the publisher dies as without
//! the guard. (A subscriber's is only read, and does not count.) The table holds [`CAPACITY`] mappings, and a subscriber
//! has two. Further mappings work but are not guarded: SIGBUS on them goes to the previous handler.
//!
//! The names `"G1"`, … are sites of docs/protocol.md. No model runs this code; litmus tests check it instead.
#![allow(unsafe_code)] // a signal handler, and mapping over a mapping

use std::ffi::c_int;
use std::io;
use std::sync::OnceLock;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous, munlock};

use super::creator::this_process;
use super::mapping::Mapping;
use crate::sync::outside_models::{AtomicU32, AtomicU64, AtomicUsize, ordered};
use crate::sync::{Ordering, fence};

/// The number of mappings of one process that can be guarded at a time.
pub const CAPACITY: usize = 1024;

/// Installs the handler for the whole process. Mappings made before are guarded as well. Further calls do nothing and
/// return the first result.
///
/// ```
/// fn main() -> std::io::Result<()> {
///     feed_ring::guard::install()?; // before the first ring is opened
///     Ok(())
/// }
/// ```
///
/// # Errors
/// The kernel's error if it refuses to change the handler. No reason for that is known.
pub fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Option<i32>> = OnceLock::new();
    match INSTALLED.get_or_init(|| change_handler().err().map(|error| error.raw_os_error().unwrap_or(libc::EINVAL))) {
        None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// The address and flags of the previous handler. Written before this module's handler can run.
static PREVIOUS: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_FLAGS: AtomicU32 = AtomicU32::new(0);

fn change_handler() -> io::Result<()> {
    // SAFETY: a sigaction is plain data, and all zeros is a valid value.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: the new action is null, and the kernel writes the old one into `before`.
    if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    PREVIOUS.store(before.sa_sigaction, Ordering::Relaxed);
    // G1. Pairs with G2: a handler that sees these flags sees the address that belongs to them.
    PREVIOUS_FLAGS.store(before.sa_flags as u32, ordered("G1", Ordering::Release));
    // Keeps the previous handler's mask, because this handler may call it.
    let mut action = before;
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
    action.sa_sigaction = handler as usize;
    // Runs on the thread's alternative stack if it has one: the previous handler may handle stack overflows.
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | before.sa_flags & libc::SA_NODEFER;
    // SAFETY: the handler is async-signal-safe: it uses atomics, mmap, sigaction, raise and the previous handler only.
    if unsafe { libc::sigaction(libc::SIGBUS, &action, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// One mapping in the handler's table. `version` modulo 4 is 0 while the entry is free, 1 while it is being written, 2
/// while it is in use, and 3 while it is being freed. Without the version the handler could combine the start of one
/// mapping with the length of another.
struct Entry {
    version: AtomicU64,
    start: AtomicUsize,
    bytes: AtomicUsize,
    writable: AtomicU32,
    /// The process that mapped it. A forked child inherits the table but not the mappings, and may map other files
    /// there.
    process: AtomicU64,
    /// Not zero if the mapping was replaced or is about to be.
    replaced: AtomicU32,
}

static TABLE: [Entry; CAPACITY] = [const {
    Entry {
        version: AtomicU64::new(0),
        start: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        writable: AtomicU32::new(0),
        process: AtomicU64::new(0),
        replaced: AtomicU32::new(0),
    }
}; CAPACITY];

/// A mapping's entry in the table. Dropping this frees the entry.
pub(crate) struct Guarded(&'static Entry);

impl Guarded {
    /// Takes an entry for the mapping of `bytes` bytes at `start`. `None` if no entry is free.
    pub(crate) fn register(start: usize, bytes: usize, mapping: Mapping) -> Option<Self> {
        let entry = TABLE.iter().find(|entry| {
            let version = entry.version.load(Ordering::Relaxed);
            // G3. Pairs with G6 and G7: the stores below come after all stores for the entry's previous mapping.
            version % 4 == 0
                && entry
                    .version
                    .compare_exchange(version, version + 1, ordered("G3", Ordering::Acquire), Ordering::Relaxed)
                    .is_ok()
        })?;
        // G4. Pairs with G9: a handler that reads a value stored below also sees that the version has changed.
        fence("G4", Ordering::Release);
        entry.start.store(start, Ordering::Relaxed);
        entry.bytes.store(bytes, Ordering::Relaxed);
        entry.writable.store((mapping == Mapping::ReadWrite).into(), Ordering::Relaxed);
        entry.process.store(this_process(), Ordering::Relaxed);
        entry.replaced.store(0, Ordering::Relaxed);
        // G5. Pairs with G8: a handler that sees the entry in use sees all of its values.
        entry.version.fetch_add(1, ordered("G5", Ordering::Release));
        Some(Guarded(entry))
    }

    /// Whether the handler replaced the mapping.
    pub(crate) fn is_cut_short(&self) -> bool {
        // G10. Pairs with G11: the caller has read a zero, and the mark was set before any zero appeared.
        self.0.replaced.load(ordered("G10", Ordering::Acquire)) != 0
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // G6, G7. Pair with G3: all stores for this mapping come before the stores for the next. Either
        // release alone would be enough: the second addition continues the release sequence of the first.
        self.0.version.fetch_add(1, ordered("G6", Ordering::Release));
        self.0.version.fetch_add(1, ordered("G7", Ordering::Release));
    }
}

/// The entry of the mapping that contains an address, with its start, its bytes and whether it is writable. The mapping
/// cannot be freed while a thread accesses it, so an entry that changes meanwhile belongs to another mapping.
fn find_entry(address: usize, process: u64) -> Option<(&'static Entry, usize, usize, bool)> {
    TABLE.iter().find_map(|entry| {
        // G8. Pairs with G5.
        let version = entry.version.load(ordered("G8", Ordering::Acquire));
        if version % 4 != 2 {
            return None;
        }
        let (start, bytes) = (entry.start.load(Ordering::Relaxed), entry.bytes.load(Ordering::Relaxed));
        let (writable, owner) = (entry.writable.load(Ordering::Relaxed), entry.process.load(Ordering::Relaxed));
        // G9. Pairs with G4: if one of these values is of another mapping, the version has changed as well.
        fence("G9", Ordering::Acquire);
        let same = entry.version.load(Ordering::Relaxed) == version && owner == process;
        (same && (start..start.saturating_add(bytes)).contains(&address)).then_some((
            entry,
            start,
            bytes,
            writable != 0,
        ))
    })
}

/// Replaces the mapping that contains the address by zero pages. False if the table has no such mapping.
fn replace_mapping(address: usize) -> bool {
    let Some((entry, start, bytes, writable)) = find_entry(address, this_process()) else { return false };
    // G11. Pairs with G10: the mark is set first, so a thread that reads a zero of the mmap below also finds the mark.
    // The kernel changes mappings under its locks and interrupts every processor that has the old pages.
    if entry.replaced.swap(1, ordered("G11", Ordering::Release)) != 0 {
        // Another thread replaces it or has replaced it. The access is repeated and faults again until that is done.
        return true;
    }
    let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
    // NORESERVE, because zeros that are only read need no memory.
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // rustix makes the system call itself and leaves errno alone, which the interrupted code may be about to read.
    // SAFETY: the range is a registered mapping of words, which other processes may change at any time anyway.
    let replace = || unsafe { mmap_anonymous(std::ptr::without_provenance_mut(start), bytes, protection, flags) };
    // After mlockall(MCL_FUTURE) the new mapping is locked as well, and the kernel counts it beside the old one. Where that
    // exceeds RLIMIT_MEMLOCK, the old one is unlocked first.
    // SAFETY: unlocking leaves what the memory holds as it is, and the range is mapped.
    let unlock = || unsafe { munlock(std::ptr::without_provenance_mut(start), bytes) };
    replace().is_ok() || unlock().is_ok() && replace().is_ok()
}

extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo.
    let code = unsafe { (*info).si_code };
    // An access beyond the end of a file. Other codes have other causes, such as bad memory or a kill(2).
    if code == libc::BUS_ADRERR {
        // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo.
        let info = unsafe { &*info };
        // SAFETY: a SIGBUS raised by the kernel carries an address.
        let address = unsafe { info.si_addr() };
        if replace_mapping(address.addr()) {
            return;
        }
    }
    pass_on(signal, code, info, context);
}

/// Does what the process would have done without this handler.
fn pass_on(signal: c_int, code: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // G2. Pairs with G1.
    let flags = PREVIOUS_FLAGS.load(ordered("G2", Ordering::Acquire)) as c_int;
    let sent = code <= 0; // sent by a process, not raised by the kernel for an access
    match PREVIOUS.load(Ordering::Relaxed) {
        libc::SIG_IGN if sent => {}
        // A faulting access cannot be ignored: the kernel ends the process in both cases.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zeros is the default action, without flags and with an empty mask.
            let default: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: `default` is a valid action. On return the access is repeated and ends the process.
            unsafe { libc::sigaction(signal, &default, std::ptr::null_mut()) };
            if sent {
                // SAFETY: raise has no preconditions. The signal is blocked until this handler returns.
                unsafe { libc::raise(signal) };
            }
        }
        handler if flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: sigaction named this address as a handler with SA_SIGINFO.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: sigaction named this address as a handler without SA_SIGINFO.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_is_found_while_it_is_registered() {
        let process = this_process();
        let start = 1 << 60; // beyond any user address
        let guarded = Guarded::register(start, 8192, Mapping::ReadOnly).unwrap();
        for (address, inside) in [(start - 1, false), (start, true), (start + 8191, true), (start + 8192, false)] {
            assert_eq!(find_entry(address, process).is_some(), inside);
        }
        assert!(find_entry(start, process + 1).is_none(), "a forked child inherits the table but not the mapping");
        drop(guarded);
        assert!(find_entry(start, process).is_none());
    }

    #[test]
    fn entries_are_reused() {
        for round in 0..3 * CAPACITY {
            let guarded = Guarded::register((1 << 61) + round * 4096, 4096, Mapping::ReadWrite);
            assert!(guarded.is_some(), "round {round}");
        }
    }
}
