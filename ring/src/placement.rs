//! Where a ring's memory lies and where its programs run: huge pages, a NUMA node, locked memory, a CPU.
//!
//! What acts on a ring's memory is asked for with the options of [`Publisher`] and [`Subscriber`](crate::Subscriber), so
//! that it acts before the memory is first touched. What acts on a thread or on the whole process is a function of this
//! module. Nothing of it costs anything once the ring is open.
//!
//! | asked for with | of | where the machine refuses |
//! |---|---|---|
//! | [`PublisherOptions::huge_pages`], [`SubscriberOptions::huge_pages`] | the segment | the ring works on small pages, and [`Placement::huge_pages_missing`] says why |
//! | [`PublisherOptions::numa_node`] | segment and control file | an error; [`Placement::missing_from_node`] tells what could not be moved of a ring taken over |
//! | [`PublisherOptions::lock_memory`], [`SubscriberOptions::lock_memory`] | segment and control file | an error |
//! | [`pin_to_cpu`] | the calling thread | an error |
//! | [`allocate_on_node`] | what the calling thread allocates | an error |
//! | [`lock_memory`] | all that the process has mapped | an error |
//!
//! ```
//! # let root = tempfile::tempdir()?;
//! use feed_ring::Publisher;
//!
//! let publisher = Publisher::<u64>::options("ticks").root(root.path()).huge_pages(true).create()?;
//! if let Some(missing) = publisher.placement()?.huge_pages_missing() {
//!     eprintln!("huge pages: {missing}");
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::io;

use crate::payload::Payload;
use crate::publisher::{Publisher, PublisherOptions};
use crate::subscriber::SubscriberOptions;

mod ask;
mod cpu;
mod look;
mod nodes;

pub(crate) use ask::Asked;
pub use ask::{allocate_on_node, lock_memory};
pub use cpu::pin_to_cpu;
pub(crate) use look::{Side, look};

/// Why a program or its ring could not be placed as it was asked to be.
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
        /// What the kernel said, or what was found afterwards.
        reason: String,
        /// The CPUs that the process may run on, as ranges.
        allowed: String,
    },
    /// There is no such NUMA node.
    #[error("NUMA node {node}: there is no such node; found {online}: choose one of them (numactl --hardware)")]
    Node {
        /// The node asked for.
        node: u32,
        /// The nodes that there are, as ranges.
        online: String,
    },
    /// The kernel does not let this process choose its memory's node.
    #[error(
        "NUMA node {node}: cannot bind memory to it: {source}; this process may use {allowed}: choose one of them, or change the cpuset (cpuset.mems); in a container, allow mbind and set_mempolicy (--cap-add SYS_NICE, or a seccomp profile)"
    )]
    Bind {
        /// The node asked for.
        node: u32,
        /// What the kernel said.
        source: io::Error,
        /// The nodes that the process may have memory from, as ranges.
        allowed: String,
    },
    /// Memory cannot be locked.
    #[error(
        "cannot lock memory: {source}: {needed} bytes needed, RLIMIT_MEMLOCK is {limit}: raise it (ulimit -l unlimited, LimitMEMLOCK=infinity in the service's unit, --ulimit memlock=-1 for a container) or grant CAP_IPC_LOCK"
    )]
    Memlock {
        /// What the kernel said.
        source: io::Error,
        /// Bytes that the process would have locked then, in all.
        needed: u64,
        /// The limit, in bytes, or `unlimited`.
        limit: String,
    },
}

/// Where the kernel has a ring's segment, read back from `/proc`: [`Publisher::placement`],
/// [`Subscriber::placement`](crate::Subscriber::placement).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// Bytes of the segment, all of which are mapped; whole pages.
    pub mapped: u64,
    /// Of these, bytes in memory and in this process's page tables: all, unless the kernel took some away.
    pub resident: u64,
    /// Of these, bytes that this process reaches through huge pages.
    pub huge: u64,
    /// Of these, bytes that are locked into memory by this process.
    pub locked: u64,
    /// Bytes on each NUMA node that has any, by node; empty where the kernel does not tell.
    pub nodes: Vec<(u32, u64)>,
    /// The memory's policy, as in `/proc/self/numa_maps`: `bind:0`, `default`; `None` where the kernel does not tell.
    pub policy: Option<String>,
    /// Why the rest is not on huge pages.
    missing: Option<String>,
}

impl Placement {
    /// What keeps the segment from lying on huge pages, and what mends it, in one line; `None` if every part of it that can
    /// does. A segment's last part, less than a huge page, never can.
    ///
    /// `0 of 4198400 bytes: …`
    pub fn huge_pages_missing(&self) -> Option<String> {
        let missing = self.missing.as_ref()?;
        Some(format!("{} of {} bytes: {missing}", self.huge, self.mapped))
    }

    /// What of the segment does not lie on this NUMA node, in one line; `None` if all that is in memory does, or where the
    /// kernel does not tell.
    pub fn missing_from_node(&self, node: u32) -> Option<String> {
        let bytes = |of: &dyn Fn(u32) -> bool| {
            self.nodes.iter().filter(|(node, _)| of(*node)).map(|(_, bytes)| bytes).sum::<u64>()
        };
        let (there, elsewhere) = (bytes(&|other| other == node), bytes(&|other| other != node));
        (elsewhere > 0).then(|| {
            format!(
                "{there} bytes on it, {elsewhere} elsewhere: the ring was taken over, and pages that subscribers have \
                 mapped stay where they are: end them first, or make a new ring"
            )
        })
    }
}

impl<T: Payload> PublisherOptions<T> {
    /// Whether to put the segment on huge pages, by default not: fewer address translations for a ring that is larger than
    /// what the processor keeps of them (some MB). It is asked for and **not an error** where the machine refuses:
    /// [`Publisher::placement`] tells what came of it, and why.
    ///
    /// The memory is made of huge pages at once where the file system allows it (`huge=advise` among the mount's options;
    /// for a sealed ring `shmem_enabled`), and is otherwise collapsed into them after it was touched (Linux 6.1 and later,
    /// whatever `shmem_enabled` says, unless that is `deny`). It needs free huge pages, costs up to some ms for each of
    /// them while the ring is made, and 2 MiB of address space. A ring taken over is collapsed, too; its subscribers wait
    /// at a page for as long as it is copied.
    ///
    /// A subscriber reaches them through huge pages if it [asks](SubscriberOptions::huge_pages) as well.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.asked.huge_pages = huge_pages;
        self
    }

    /// The NUMA node that the ring's memory has to come from; by default it comes from that of the CPU that the caller runs
    /// on. The files are bound to it before they are first touched, and stay bound for as long as they exist.
    ///
    /// A ring taken over has its memory already: what no subscriber has mapped is moved, the rest stays where it is, and
    /// [`Placement::missing_from_node`] tells how much that is. If the node has too little memory, the kernel kills the
    /// process rather than to take it from elsewhere.
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Node`] if there is no such node and with
    /// [`PlacementError::Bind`] if the process may not have memory from it.
    pub fn numa_node(mut self, node: u32) -> Self {
        self.asked.numa_node = Some(node);
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not. For the whole
    /// process there is [`lock_memory`].
    ///
    /// [`create`](Self::create) fails with [`PlacementError::Memlock`] if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.asked.lock_memory = lock;
        self
    }
}

impl<T: Payload> SubscriberOptions<T> {
    /// Whether to reach the segment through huge pages where its publisher has put it on some, by default not. A subscriber
    /// changes nothing about the ring's memory: it only maps it so that the kernel can do that.
    /// [`Subscriber::placement`](crate::Subscriber::placement) tells what came of it. It costs 2 MiB of address space.
    pub fn huge_pages(mut self, huge_pages: bool) -> Self {
        self.asked.huge_pages = huge_pages;
        self
    }

    /// Whether to lock the ring's files into memory, so that they are never swapped out; by default not. For the whole
    /// process there is [`lock_memory`].
    ///
    /// [`open`](Self::open) fails with [`PlacementError::Memlock`] if `RLIMIT_MEMLOCK` is too low.
    pub fn lock_memory(mut self, lock: bool) -> Self {
        self.asked.lock_memory = lock;
        self
    }
}

impl<T: Payload> Publisher<T> {
    /// Where the kernel has the segment now. It reads `/proc/self/smaps`, which takes milliseconds in a large process: to be
    /// called once the ring is there, not while publishing.
    ///
    /// # Errors
    /// If `/proc` cannot be read, or for a ring within the process, which has no mapping of its own.
    pub fn placement(&self) -> io::Result<Placement> {
        self.memory().placement(Side::Publisher)
    }
}
