//! Requests to the kernel: bind memory to a NUMA node, use huge pages, lock memory.
#![allow(unsafe_code)] // system calls on mapped memory without a safe wrapper in rustix or memmap2

use std::io;

use memmap2::Advice;
use rustix::mm::MlockAllFlags;

use super::error::PlacementError;
use super::look;
use super::nodes::{self, Mask};
use crate::memory::{Memory, Span};

/// Since Linux 6.1. The libc crate has it for some C libraries only.
const MADV_COLLAPSE: i32 = 25;

/// From `linux/mempolicy.h`; the libc crate lacks it. Moves pages that no other process has mapped.
const MPOL_MF_MOVE: u32 = 1 << 1;

/// The requested placement of a ring's memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlacementRequest {
    pub(crate) huge_pages: bool,
    pub(crate) numa_node: Option<u32>,
    pub(crate) lock_memory: bool,
}

impl PlacementRequest {
    /// The multiple at which a mapping of `bytes` must begin, for huge pages. `None` if any page will do.
    pub(crate) fn boundary(&self, bytes: usize) -> Option<usize> {
        self.huge_pages.then(look::huge_page).flatten().filter(|&huge| bytes >= huge)
    }

    /// Call it before the memory is reserved or touched, because both choose its node and its page size. The file must
    /// have its final length.
    pub(crate) fn before_first_touch<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        let Some(span) = memory.span() else { return Ok(()) };
        if let Some(node) = self.numa_node {
            bind(span, node, 0)?;
        }
        if self.boundary(span.bytes).is_some() {
            // Touching follows the advice. Reserving first would take small pages, unless the file system is mounted
            // for huge pages. Errors are ignored here, because reserving reports them.
            let _ = advise(span, libc::MADV_HUGEPAGE);
            let _ = memory.prefault(Advice::PopulateWrite);
        }
        Ok(())
    }

    /// Call it once all of the memory has been touched.
    pub(crate) fn after_touch<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        let Some(span) = memory.span() else { return Ok(()) };
        if let Some(node) = self.numa_node {
            // A ring that was taken over already has its memory, possibly on another node.
            bind(span, node, MPOL_MF_MOVE)?;
        }
        if self.boundary(span.bytes).is_some() {
            // Skips parts that it cannot collapse. `Placement` shows the result.
            let _ = advise(span, MADV_COLLAPSE);
        }
        self.lock(memory)
    }

    /// Locks the memory if that was requested. Allocates missing pages, even those in a file's holes.
    pub(crate) fn lock<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        match memory.span() {
            Some(span) if self.lock_memory => lock(span),
            _ => Ok(()),
        }
    }
}

fn advise(span: Span, advice: i32) -> io::Result<()> {
    // SAFETY: the advices given here do not change the memory's contents.
    match unsafe { libc::madvise(span.start, span.bytes, advice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Binds the file behind a mapping to a node. Pages allocated from now on come from that node.
fn bind(span: Span, node: u32, flags: u32) -> Result<(), PlacementError> {
    let mask = nodes::mask(node)?;
    // The kernel expects the number of bits plus one.
    let bits = u64::from(nodes::MAX_NODES) + 1;
    let (mode, mask): (i32, *const Mask) = (libc::MPOL_BIND, &raw const mask);
    // SAFETY: the kernel reads the mask, which outlives the call, and does not change the memory's contents.
    let result = unsafe { libc::syscall(libc::SYS_mbind, span.start, span.bytes, mode, mask, bits, flags) };
    bind_result(result, node)
}

fn bind_result(result: libc::c_long, node: u32) -> Result<(), PlacementError> {
    match result {
        0 => Ok(()),
        _ => Err(PlacementError::Bind { node, source: io::Error::last_os_error(), allowed: nodes::allowed() }),
    }
}

/// Makes the calling thread, and every thread that it starts later, take memory from one NUMA node only. Memory that
/// exists already stays where it is. So does a ring that its publisher has [bound](crate::PublisherOptions::numa_node).
///
/// Call it before large allocations. If the node has too little memory, the kernel kills the process instead of using
/// another node.
///
/// # Errors
/// [`PlacementError::Node`] if there is no such node. [`PlacementError::Bind`] if the process may not choose a node, or
/// may not take memory from this one.
pub fn allocate_on_node(node: u32) -> Result<(), PlacementError> {
    let mask = nodes::mask(node)?;
    let bits = u64::from(nodes::MAX_NODES) + 1;
    let (mode, mask): (i32, *const Mask) = (libc::MPOL_BIND, &raw const mask);
    // SAFETY: the kernel reads the mask, which outlives the call, and changes no mapping.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    bind_result(result, node)
}

fn lock(span: Span) -> Result<(), PlacementError> {
    let before = status_bytes("VmLck:");
    // SAFETY: locking does not change the memory's contents.
    unsafe { rustix::mm::mlock(span.start, span.bytes) }
        .map_err(|errno| memlock(errno, before.saturating_add(span.bytes as u64)))
}

/// Locks all memory that is mapped now: the program, its buffers, its rings. Returns the number of locked bytes.
///
/// Call it once everything is open. Later mappings are not locked, so a later allocation never fails because of the
/// limit.
///
/// # Errors
/// [`PlacementError::Memlock`] if more is mapped than the limit allows and the process lacks `CAP_IPC_LOCK`.
pub fn lock_memory() -> Result<u64, PlacementError> {
    rustix::mm::mlockall(MlockAllFlags::CURRENT).map_err(|errno| memlock(errno, status_bytes("VmSize:")))?;
    Ok(status_bytes("VmLck:"))
}

fn memlock(errno: rustix::io::Errno, needed: u64) -> PlacementError {
    // SAFETY: the kernel writes to the value, which outlives the call.
    let limit = match limit(|value| unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, value) }) {
        Some(u64::MAX) => "unlimited".to_owned(),
        Some(bytes) => format!("{bytes} bytes"),
        None => "unknown".to_owned(),
    };
    PlacementError::Memlock { source: errno.into(), needed, limit }
}

/// The largest file that this process may make. `None` if the kernel does not tell.
pub(crate) fn max_file_size() -> Option<u64> {
    // SAFETY: the kernel writes to the value, which outlives the call.
    limit(|value| unsafe { libc::getrlimit(libc::RLIMIT_FSIZE, value) })
}

/// A limit of this process; `u64::MAX` is unlimited. Not through rustix, which takes for granted that no filter of system
/// calls refuses the question.
fn limit(ask: impl FnOnce(&mut libc::rlimit) -> libc::c_int) -> Option<u64> {
    let mut value = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    (ask(&mut value) == 0).then_some(value.rlim_cur)
}

/// The error of a mapping of `bytes` bytes, if RLIMIT_MEMLOCK was its cause: after `mlockall(MCL_FUTURE)` every mapping
/// is locked, and the kernel refuses one beyond the limit with `EAGAIN`. Any other error is returned as it is.
pub(crate) fn beyond_memlock(source: io::Error, bytes: usize) -> Result<PlacementError, io::Error> {
    match rustix::io::Errno::from_io_error(&source) {
        Some(errno @ rustix::io::Errno::AGAIN) => {
            Ok(memlock(errno, status_bytes("VmLck:").saturating_add(bytes as u64)))
        }
        _ => Err(source),
    }
}

/// A size in `/proc/self/status` in bytes. 0 if it cannot be read.
fn status_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
