//! The error of a program or ring that could not be placed.

use std::io;

/// Why a program or its ring could not be placed as requested.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// There is no such CPU, or this process may not run on it.
    #[error(
        "CPU {cpu}: {reason}; it may run on {allowed}: choose one of them, or change the cpuset (taskset, Cpus_allowed_list in /proc/self/status)"
    )]
    Cpu {
        /// The CPU asked for.
        cpu: usize,
        /// The kernel's error, or what a check afterwards found.
        reason: String,
        /// The CPUs that the process may run on, as ranges.
        allowed: String,
    },
    /// There is no such NUMA node.
    #[error("NUMA node {node}: there is no such node; found {online}: choose one of them (numactl --hardware)")]
    Node {
        /// The node asked for.
        node: u32,
        /// The online nodes, as ranges.
        online: String,
    },
    /// The kernel does not let this process bind memory to this node.
    #[error(
        "NUMA node {node}: cannot bind memory to it: {source}; this process may use {allowed}: choose one of them, or change the cpuset (cpuset.mems); in a container, allow mbind and set_mempolicy (--cap-add SYS_NICE, or a seccomp profile)"
    )]
    Bind {
        /// The node asked for.
        node: u32,
        /// The kernel's error.
        source: io::Error,
        /// The nodes from which the process may take memory, as ranges.
        allowed: String,
    },
    /// Memory cannot be locked.
    #[error(
        "cannot lock memory: {source}: {needed} bytes needed, RLIMIT_MEMLOCK is {limit}: raise it (ulimit -l unlimited, LimitMEMLOCK=infinity in the service's unit, --ulimit memlock=-1 for a container) or grant CAP_IPC_LOCK{}",
        by_filter(.source)
    )]
    Memlock {
        /// The kernel's error.
        source: io::Error,
        /// Bytes that the process would have locked in total.
        needed: u64,
        /// The limit, in bytes, or `unlimited`.
        limit: String,
    },
}

/// What else helps if the kernel does not know the call: it does, so a filter of system calls refused it.
fn by_filter(source: &io::Error) -> &'static str {
    match source.raw_os_error() {
        Some(libc::ENOSYS) => "; a filter of system calls refuses it: allow mlock (seccomp)",
        _ => "",
    }
}
