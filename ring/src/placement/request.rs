//! Asking the kernel: where memory is to come from, to be made of huge pages, to stay.
#![allow(unsafe_code)] // system calls on mapped memory that neither rustix nor memmap2 has, or has as safe functions

use std::io;

use memmap2::Advice;
use rustix::mm::MlockAllFlags;
use rustix::process::Resource;

use super::error::PlacementError;
use super::look;
use super::nodes::{self, Mask};
use crate::memory::{Memory, Span};

/// Linux 6.1; in libc for some C libraries only.
const MADV_COLLAPSE: i32 = 25;

/// From `linux/mempolicy.h`, which libc has in part: moves what no other process has mapped.
const MPOL_MF_MOVE: u32 = 1 << 1;

/// What was asked of a ring's memory.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PlacementRequest {
    pub(crate) huge_pages: bool,
    pub(crate) numa_node: Option<u32>,
    pub(crate) lock_memory: bool,
}

impl PlacementRequest {
    /// On which boundary so many bytes have to be mapped; `None` if on any page's.
    pub(crate) fn boundary(&self, bytes: usize) -> Option<usize> {
        self.huge_pages.then(look::huge_page).flatten().filter(|&huge| bytes >= huge)
    }

    /// To be called before anything of the memory is reserved or touched: both take it from somewhere, in pages of some
    /// size. The file must have its length.
    pub(crate) fn before_first_touch<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        let Some(span) = memory.span() else { return Ok(()) };
        if let Some(node) = self.numa_node {
            bind(span, node, 0)?;
        }
        if self.boundary(span.bytes).is_some() {
            // Reserving takes small pages unless the whole file system is told otherwise; touching looks at the advice.
            // Whether that went well is seen when the memory is reserved.
            let _ = advise(span, libc::MADV_HUGEPAGE);
            let _ = memory.prefault(Advice::PopulateWrite);
        }
        Ok(())
    }

    /// To be called once all of the memory is there.
    pub(crate) fn once_touched<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        let Some(span) = memory.span() else { return Ok(()) };
        if let Some(node) = self.numa_node {
            // A ring that was taken over had its memory before it was bound.
            bind(span, node, MPOL_MF_MOVE)?;
        }
        if self.boundary(span.bytes).is_some() {
            // It goes on behind what it cannot collapse; what came of it is read back by who wants to know.
            let _ = advise(span, MADV_COLLAPSE);
        }
        self.lock(memory)
    }

    /// Locks the memory, if that was asked for. What is not there yet is filled, even the holes of a file.
    pub(crate) fn lock<W>(&self, memory: &Memory<W>) -> Result<(), PlacementError> {
        match memory.span() {
            Some(span) if self.lock_memory => lock(span),
            _ => Ok(()),
        }
    }
}

fn advise(span: Span, advice: i32) -> io::Result<()> {
    // SAFETY: neither of the advices that are given here changes what the memory holds.
    match unsafe { libc::madvise(span.start, span.bytes, advice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Binds the file behind a mapping to a node: what is taken from now on comes from there.
fn bind(span: Span, node: u32, flags: u32) -> Result<(), PlacementError> {
    let mask = nodes::mask(node)?;
    // One more than there are bits, as the kernel counts them.
    let bits = u64::from(nodes::MOST) + 1;
    let (mode, mask): (i32, *const Mask) = (libc::MPOL_BIND, &raw const mask);
    // SAFETY: the kernel reads the mask, which outlives the call, and leaves what the memory holds as it is.
    let result = unsafe { libc::syscall(libc::SYS_mbind, span.start, span.bytes, mode, mask, bits, flags) };
    refused(result, node)
}

fn refused(result: libc::c_long, node: u32) -> Result<(), PlacementError> {
    match result {
        0 => Ok(()),
        _ => Err(PlacementError::Bind { node, source: io::Error::last_os_error(), allowed: nodes::allowed() }),
    }
}

/// Lets the calling thread, and every thread it starts from now on, take memory from one NUMA node only. What is there
/// already stays where it is, and so does a ring that its publisher has [bound](crate::PublisherOptions::numa_node).
///
/// Call it before anything large is allocated. If the node has too little memory, the kernel kills the process rather than
/// to take it from elsewhere.
///
/// # Errors
/// [`PlacementError::Node`]: there is no such node. [`PlacementError::Bind`]: the process may not choose, or may not have
/// memory from it.
pub fn allocate_on_node(node: u32) -> Result<(), PlacementError> {
    let mask = nodes::mask(node)?;
    let bits = u64::from(nodes::MOST) + 1;
    let (mode, mask): (i32, *const Mask) = (libc::MPOL_BIND, &raw const mask);
    // SAFETY: the kernel reads the mask, which outlives the call; nothing that is mapped changes.
    let result = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, mask, bits) };
    refused(result, node)
}

fn lock(span: Span) -> Result<(), PlacementError> {
    let before = status_bytes("VmLck:");
    // SAFETY: locking leaves what the memory holds as it is.
    unsafe { rustix::mm::mlock(span.start, span.bytes) }
        .map_err(|errno| memlock(errno, before.saturating_add(span.bytes as u64)))
}

/// Locks everything that is mapped now into memory: the program, its buffers, its rings. Returns how many bytes that is.
///
/// Call it once everything is open. What is mapped later is not locked, so that running into the limit is an error here
/// and never an allocation that fails.
///
/// # Errors
/// [`PlacementError::Memlock`]: the limit is lower than what is mapped, and the process is without `CAP_IPC_LOCK`.
pub fn lock_memory() -> Result<u64, PlacementError> {
    rustix::mm::mlockall(MlockAllFlags::CURRENT).map_err(|errno| memlock(errno, status_bytes("VmSize:")))?;
    Ok(status_bytes("VmLck:"))
}

fn memlock(errno: rustix::io::Errno, needed: u64) -> PlacementError {
    let limit = match rustix::process::getrlimit(Resource::Memlock).current {
        Some(bytes) => format!("{bytes} bytes"),
        None => "unlimited".to_owned(),
    };
    PlacementError::Memlock { source: errno.into(), needed, limit }
}

/// A size in `/proc/self/status`; 0 if there is none, which only a machine without `/proc` does.
fn status_bytes(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes =
        status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix("kB")?.trim().parse().ok());
    kilobytes.unwrap_or(0) * 1024
}
