//! The guard against SIGBUS: what happens when the file under a mapping is cut short.
//!
//! Whoever may write to a ring's files may truncate them. The next access to a page that is gone raises SIGBUS, and the
//! process dies of it. A process that called [`install`] goes on: the handler puts zero pages in place of the **whole**
//! mapping and marks it.
//!
//! - A subscriber then ends with [`CutShort`](crate::TryRecvError::CutShort). What it returned before is good: a copy that
//!   was on its way is thrown away, because the sequence word that it is held against is zero now, too. (With only the
//!   missing page replaced, a message of zeros would be accepted where its sequence word lies on the page before.)
//! - A publisher goes on publishing, into memory that nobody else sees: [`Publisher::is_cut_off`](crate::Publisher::is_cut_off)
//!   says so. If only `control` was cut short, it and its subscribers go on as before; they are no longer counted.
//!
//! This library never installs it unasked: signal handlers are the program's. Every other SIGBUS is passed on to the
//! handler that was there before, that of Rust's runtime included, or ends the process as it would have.
//!
//! # Limits
//! The kernel raises a signal for nothing but an access beyond the end of the file. A file that is **truncated and grown
//! again** in between, one cut short in the **middle of a page**, and one with **holes punched** into it read zeros
//! without any signal: that is writing to the segment, and against those who may write to it only file permissions and
//! sealed rings ([`serve`](crate::PublisherOptions::serve)) help. The table holds [`CAPACITY`] mappings (a subscriber has
//! two); those beyond it work but are not guarded: SIGBUS on them is passed on.
//!
//! The names `"G1"`, … are sites of docs/protocol.md, as in `slot`. No model runs this: litmus tests stand for it.
#![allow(unsafe_code)] // a signal handler, and mapping over a mapping

use std::ffi::c_int;
use std::io;
use std::sync::OnceLock;

use rustix::mm::{MapFlags, ProtFlags, mmap_anonymous};

use super::mapping::Mapping;
use crate::sync::outside_models::{AtomicU32, AtomicU64, AtomicUsize, ordered};
use crate::sync::{Ordering, fence};

/// So many mappings of one process are guarded at a time.
pub const CAPACITY: usize = 1024;

/// Installs the handler for the whole process, once; further calls do nothing. Mappings made before are guarded, too.
///
/// ```no_run
/// feed_ring::guard::install()?; // at the start of main
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// If the kernel refuses to change the handler, which it has no reason to.
pub fn install() -> io::Result<()> {
    static INSTALLED: OnceLock<Option<i32>> = OnceLock::new();
    match INSTALLED.get_or_init(|| change_handler().err().map(|error| error.raw_os_error().unwrap_or(libc::EINVAL))) {
        None => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(*code)),
    }
}

/// The handler that was there before: its address and flags. Written before ours can run.
static PREVIOUS: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_FLAGS: AtomicU32 = AtomicU32::new(0);

fn change_handler() -> io::Result<()> {
    // SAFETY: a sigaction is plain data, of which all zeros is a valid value.
    let mut before: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: no new action is given, and the kernel writes the old one into `before`.
    if unsafe { libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut before) } != 0 {
        return Err(io::Error::last_os_error());
    }
    PREVIOUS.store(before.sa_sigaction, Ordering::Relaxed);
    // G1. Pairs with G2: whoever sees these flags sees the address that they are of.
    PREVIOUS_FLAGS.store(before.sa_flags as u32, ordered("G1", Ordering::Release));
    // With the mask of the handler before us, since it may run within ours.
    let mut ours = before;
    let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut libc::c_void) = on_sigbus;
    ours.sa_sigaction = handler as usize;
    // On the thread's alternative stack where it has one: the handler before us may be about overflowing stacks.
    ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | before.sa_flags & libc::SA_NODEFER;
    // SAFETY: the handler does only what a signal handler may: atomics, mmap, sigaction, raise, the handler before it.
    if unsafe { libc::sigaction(libc::SIGBUS, &ours, std::ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// One mapping, for the handler to find. `version` counts up by one when the entry is being written and by one more when
/// it is done, so that the handler never believes the start of one mapping and the length of another: remainder 0 is
/// free, 1 is being written, 2 is in use, 3 is being given up.
struct Entry {
    version: AtomicU64,
    start: AtomicUsize,
    bytes: AtomicUsize,
    writable: AtomicU32,
    /// Who mapped it: a forked child has the table but not the mappings, and maps other things in their place.
    process: AtomicU32,
    /// Not zero once the mapping was replaced, or is about to be.
    cut: AtomicU32,
}

static TABLE: [Entry; CAPACITY] = [const {
    Entry {
        version: AtomicU64::new(0),
        start: AtomicUsize::new(0),
        bytes: AtomicUsize::new(0),
        writable: AtomicU32::new(0),
        process: AtomicU32::new(0),
        cut: AtomicU32::new(0),
    }
}; CAPACITY];

/// A mapping's place in the table, for as long as this lives.
pub(crate) struct Guarded(&'static Entry);

impl Guarded {
    /// Takes a place for the mapping of `bytes` bytes at `start`; `None` if all are taken.
    pub(crate) fn register(start: usize, bytes: usize, mapping: Mapping) -> Option<Self> {
        let entry = TABLE.iter().find(|entry| {
            let version = entry.version.load(Ordering::Relaxed);
            // G3. Pairs with G6 and G7: what is stored below comes after all that was stored for the mapping before it.
            version % 4 == 0
                && entry
                    .version
                    .compare_exchange(version, version + 1, ordered("G3", Ordering::Acquire), Ordering::Relaxed)
                    .is_ok()
        })?;
        // G4. Pairs with G9: who sees a value stored below finds that the version has changed.
        fence("G4", Ordering::Release);
        entry.start.store(start, Ordering::Relaxed);
        entry.bytes.store(bytes, Ordering::Relaxed);
        entry.writable.store((mapping == Mapping::ReadWrite).into(), Ordering::Relaxed);
        entry.process.store(std::process::id(), Ordering::Relaxed);
        entry.cut.store(0, Ordering::Relaxed);
        // G5. Pairs with G8: who sees the entry in use sees all of it.
        entry.version.fetch_add(1, ordered("G5", Ordering::Release));
        Some(Guarded(entry))
    }

    /// Whether the handler replaced the mapping.
    pub(crate) fn is_cut_short(&self) -> bool {
        // G10. Pairs with G11. Who asks has read a zero: the mark was set before there were any.
        self.0.cut.load(ordered("G10", Ordering::Acquire)) != 0
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // G6, G7. Pair with G3: all that was stored for this mapping comes before what is stored for the next. Either would
        // do, for the second goes on with what the first released.
        self.0.version.fetch_add(1, ordered("G6", Ordering::Release));
        self.0.version.fetch_add(1, ordered("G7", Ordering::Release));
    }
}

/// The entry of the mapping that an address lies in: its number, start and bytes, and whether it is writable. Nobody can
/// give up the mapping while a thread is accessing it, so an entry that changes on the way is another one's.
fn find(address: usize, process: u32) -> Option<(&'static Entry, usize, usize, bool)> {
    TABLE.iter().find_map(|entry| {
        // G8. Pairs with G5.
        let version = entry.version.load(ordered("G8", Ordering::Acquire));
        if version % 4 != 2 {
            return None;
        }
        let (start, bytes) = (entry.start.load(Ordering::Relaxed), entry.bytes.load(Ordering::Relaxed));
        let (writable, owner) = (entry.writable.load(Ordering::Relaxed), entry.process.load(Ordering::Relaxed));
        // G9. Pairs with G4: if any of these is of another mapping, the version is another one, too.
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

/// Puts zero pages in place of the mapping that the address lies in; false if it is none of ours.
fn replace(address: usize) -> bool {
    let process = rustix::process::getpid().as_raw_nonzero().get() as u32;
    let Some((entry, start, bytes, writable)) = find(address, process) else { return false };
    // G11. Pairs with G10. Marked first: who reads a zero that the next call puts there finds the mark, because the kernel
    // changes mappings under its locks and interrupts every processor that has the old pages.
    if entry.cut.swap(1, ordered("G11", Ordering::Release)) != 0 {
        // Another thread is replacing it, or has: the access is tried again, and comes back here until that is done.
        return true;
    }
    let protection = if writable { ProtFlags::READ | ProtFlags::WRITE } else { ProtFlags::READ };
    // Nothing is reserved: zeros that are only read take no memory.
    let flags = MapFlags::PRIVATE | MapFlags::FIXED | MapFlags::NORESERVE;
    // A system call and nothing else: errno, which the interrupted code may be about to read, stays as it is.
    // SAFETY: the range is a mapping of ours, registered as such, and memory that other processes write anyway.
    unsafe { mmap_anonymous(std::ptr::without_provenance_mut(start), bytes, protection, flags) }.is_ok()
}

extern "C" fn on_sigbus(signal: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel hands over a valid siginfo.
    let code = unsafe { (*info).si_code };
    // Beyond the end of a file, not a broken memory module or somebody's kill(2).
    if code == libc::BUS_ADRERR {
        // SAFETY: as above.
        let info = unsafe { &*info };
        // SAFETY: a SIGBUS of the kernel's carries an address.
        let address = unsafe { info.si_addr() };
        if replace(address.addr()) {
            return;
        }
    }
    pass_on(signal, code, info, context);
}

/// Does what would have been done without this handler.
fn pass_on(signal: c_int, code: c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // G2. Pairs with G1.
    let flags = PREVIOUS_FLAGS.load(ordered("G2", Ordering::Acquire)) as c_int;
    let sent = code <= 0; // by a process, not by the kernel for an access
    match PREVIOUS.load(Ordering::Relaxed) {
        libc::SIG_IGN if sent => {}
        // An access cannot be ignored: the kernel ends the process then, too.
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all zeros is the default action without flags and with an empty mask.
            let default: libc::sigaction = unsafe { std::mem::zeroed() };
            // SAFETY: `default` is a valid action. The access is tried again on return, and ends the process.
            unsafe { libc::sigaction(signal, &default, std::ptr::null_mut()) };
            if sent {
                // SAFETY: raise has no conditions. It is delivered on return, because it is blocked until then.
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
        let process = std::process::id();
        let start = 1 << 60; // no address that anything is mapped at
        let guarded = Guarded::register(start, 8192, Mapping::ReadOnly).unwrap();
        for (address, inside) in [(start - 1, false), (start, true), (start + 8191, true), (start + 8192, false)] {
            assert_eq!(find(address, process).is_some(), inside);
        }
        assert!(find(start, process + 1).is_none(), "a forked child has the table but not the mapping");
        drop(guarded);
        assert!(find(start, process).is_none());
    }

    #[test]
    fn places_are_used_again() {
        for round in 0..3 * CAPACITY {
            let guarded = Guarded::register((1 << 61) + round * 4096, 4096, Mapping::ReadWrite);
            assert!(guarded.is_some(), "round {round}");
        }
    }
}
