//! The options for opening and for making a ring, a ring of records, a table or a cell: one struct for each side. A field that is
//! zero means the default, so that `{0}` is the default of all.

use std::time::Duration;

use feed_ring::{Ahead, Join, Mapping, PublisherOptions, SubscriberOptions, WaitStrategy, Wake};

use crate::border::Failure;
use crate::pointers::{Text, Values};

/// Where a subscriber begins to read.
#[repr(C)]
pub enum fr_join {
    /// At the first message that is published after joining.
    FR_JOIN_LATEST = 0,
    /// At the oldest message that the ring still holds.
    FR_JOIN_OLDEST = 1,
    /// At the message with the number `join_sequence`. If it is not published yet, it is waited for. If it was overwritten, it and
    /// every later message that was overwritten count as lost.
    FR_JOIN_SEQUENCE = 2,
}

/// How a subscriber waits.
#[repr(C)]
pub enum fr_wait {
    /// Polls some ten microseconds, then sleeps until the publisher wakes it.
    FR_WAIT_BLOCK = 0,
    /// Polls and never gives up the processor: the lowest latency, for a thread with a core of its own.
    FR_WAIT_SPIN = 1,
    /// Polls a little, then lets other threads run between polls.
    FR_WAIT_YIELD = 2,
}

/// How a publisher finds out that a subscriber sleeps.
#[repr(C)]
pub enum fr_wake {
    /// `FR_WAKE_MEMBARRIER` if only this user can subscribe, otherwise `FR_WAKE_THREAD`.
    FR_WAKE_DEFAULT = 0,
    /// It looks at a flag after each message. A subscriber that goes to sleep interrupts it for less than two microseconds.
    FR_WAKE_MEMBARRIER = 1,
    /// It looks after each message, with a fence: some nanoseconds, and no interruption.
    FR_WAKE_FENCE = 2,
    /// A thread of its own looks, every 70 us or so. Nothing that a subscriber does delays a publish; a sleeper wakes up that much
    /// later.
    FR_WAKE_THREAD = 3,
}

/// The options of a subscriber of messages or records, and of a reader of a table or a cell. `{0}` is the default of all.
#[repr(C)]
pub struct fr_open_options {
    /// The directory that contains the ring. NULL: `/dev/shm`.
    pub root: Text,
    /// The socket of a sealed ring, in place of a name and a root. NULL: a ring in files.
    pub connect: Text,
    /// How long to wait for the ring to appear, in ns. 0: not at all. `FR_FOREVER`: for ever.
    pub open_timeout_ns: u64,
    /// The number to begin at, with `FR_JOIN_SEQUENCE`.
    pub join_sequence: u64,
    /// The users, beside root and this one, whose rings are opened. NULL if there are none.
    pub trust_uids: Values<u32>,
    /// How many they are.
    pub trust_uids_count: usize,
    /// An `fr_join`. 0: `FR_JOIN_LATEST`.
    pub join: i32,
    /// An `fr_wait`. 0: `FR_WAIT_BLOCK`.
    pub wait: i32,
    /// 1: read through writable pages, which on some processors makes the publisher faster; then nothing keeps a faulty program
    /// from writing into the ring. 0: through read-only pages.
    pub map_writable: i32,
    /// 1: never pause to let the publisher get ahead in a stream at full speed. 0: pause for at most 1.5 us there.
    pub no_hold_back: i32,
    /// 1: use huge pages if the publisher has put the ring on some.
    pub huge_pages: i32,
    /// 1: lock the ring's files into memory, so that they are never swapped out.
    pub lock_memory: i32,
    /// Zero.
    pub reserved: [u64; 4],
}

/// The options of a publisher of messages or records, and of a writer of a table or a cell. `{0}` is the default of all.
#[repr(C)]
pub struct fr_create_options {
    /// The directory that contains the ring. NULL: `/dev/shm`.
    pub root: Text,
    /// The socket at which a sealed ring is served: only its publisher can ever write to it. NULL: a ring in files.
    pub serve: Text,
    /// The number of slots, a power of two from 2 to 2^32. 0: 65,536. The ring holds the last `capacity - 1` messages. Of a table,
    /// the number of rows: any from 1 to 16,777,216; 0: 4,096.
    pub capacity: u64,
    /// Of a ring of records: the bytes of a slot, a power of two from 64 to 4,096. 0: 64.
    pub slot_size: u64,
    /// Of a table or a cell: the copies of each row, from 2 to 64. 0: 2.
    pub copies: u64,
    /// Of a sealed ring: how many clients may be connected. 0: 256.
    pub max_clients: u64,
    /// Of a sealed ring: the users, beside this one, that are served. NULL if there are none.
    pub allow_uids: Values<u32>,
    /// How many they are.
    pub allow_uids_count: usize,
    /// Of a sealed ring: the groups that are served. NULL if there are none.
    pub allow_gids: Values<u32>,
    /// How many they are.
    pub allow_gids_count: usize,
    /// The file mode of the ring: 0600 with any of the read bits 0044, which admit the group or others, and the write bits 0022. 0:
    /// 0600.
    pub mode: u32,
    /// 1: `group` is the group of the ring's files. 0: the kernel decides.
    pub has_group: i32,
    /// The group's number.
    pub group: u32,
    /// 1: the ring's memory is on `numa_node`. 0: on the node of the caller's CPU.
    pub has_numa_node: i32,
    /// The node's number.
    pub numa_node: u32,
    /// 1: the ring's files stay when it is closed.
    pub keep: i32,
    /// 1: make a new ring even if one could be taken over.
    pub fresh: i32,
    /// An `fr_wake`. 0: `FR_WAKE_DEFAULT`.
    pub wake: i32,
    /// How many messages ahead the publisher brings cache lines to its core: 1 or 2. 0: 1.
    pub ahead: i32,
    /// 1: put the ring on huge pages, if the machine has some.
    pub huge_pages: i32,
    /// 1: lock the ring's files into memory, so that they are never swapped out.
    pub lock_memory: i32,
    /// Zero.
    pub reserved: [u64; 4],
}

impl fr_open_options {
    /// The options of the ring of this name, or of the one that is served at `connect`.
    pub(crate) fn apply<T>(
        options: Option<&Self>,
        name: Text,
        named: fn(&str) -> SubscriberOptions<T>,
        connected: impl FnOnce(&std::path::Path) -> SubscriberOptions<T>,
    ) -> Result<SubscriberOptions<T>, Failure> {
        let Some(given) = options else { return Ok(named(name.str("name")?)) };
        reserved(given.reserved)?;
        let mut options = match (given.connect.is_null(), name.is_null()) {
            (true, _) => named(name.str("name")?),
            (false, true) => connected(given.connect.path("connect")?),
            (false, false) => return Err(Failure::argument("name", "given beside connect", "one of them")),
        };
        if !given.root.is_null() {
            options = options.root(given.root.path("root")?);
        }
        options = options.join(match given.join {
            0 => Join::Latest,
            1 => Join::Oldest,
            2 => Join::Sequence(given.join_sequence),
            other => return Err(Failure::argument("join", other, "an fr_join")),
        });
        options = options.wait(match given.wait {
            0 => WaitStrategy::Block,
            1 => WaitStrategy::Spin,
            2 => WaitStrategy::Yield,
            other => return Err(Failure::argument("wait", other, "an fr_wait")),
        });
        for uid in given.trust_uids.slice("trust_uids", given.trust_uids_count)? {
            options = options.trust_uid(*uid);
        }
        let writable = yes("map_writable", given.map_writable)?;
        Ok(options
            .open_timeout(timeout(given.open_timeout_ns))
            .map(if writable { Mapping::ReadWrite } else { Mapping::ReadOnly })
            .hold_back(!yes("no_hold_back", given.no_hold_back)?)
            .huge_pages(yes("huge_pages", given.huge_pages)?)
            .lock_memory(yes("lock_memory", given.lock_memory)?))
    }
}

impl fr_create_options {
    /// The options that every ring, table and cell has.
    pub(crate) fn apply<T>(
        given: Option<&Self>,
        mut options: PublisherOptions<T>,
    ) -> Result<PublisherOptions<T>, Failure> {
        let Some(given) = given else { return Ok(options) };
        reserved(given.reserved)?;
        if !given.root.is_null() {
            options = options.root(given.root.path("root")?);
        }
        if !given.serve.is_null() {
            options = options.serve(given.serve.path("serve")?);
        }
        if let Some(capacity) = size("capacity", given.capacity)? {
            options = options.capacity(capacity);
        }
        if let Some(clients) = size("max_clients", given.max_clients)? {
            options = options.max_clients(clients);
        }
        for uid in given.allow_uids.slice("allow_uids", given.allow_uids_count)? {
            options = options.allow_uid(*uid);
        }
        for gid in given.allow_gids.slice("allow_gids", given.allow_gids_count)? {
            options = options.allow_gid(*gid);
        }
        if given.mode != 0 {
            options = options.mode(given.mode);
        }
        if yes("has_group", given.has_group)? {
            options = options.group(given.group);
        }
        if yes("has_numa_node", given.has_numa_node)? {
            options = options.numa_node(given.numa_node);
        }
        options = match given.wake {
            0 => options,
            1 => options.wake(Wake::Membarrier),
            2 => options.wake(Wake::Fence),
            3 => options.wake(Wake::Thread),
            other => return Err(Failure::argument("wake", other, "an fr_wake")),
        };
        options = options.ahead(match given.ahead {
            0 | 1 => Ahead::One,
            2 => Ahead::Two,
            other => return Err(Failure::argument("ahead", other, "1 or 2")),
        });
        Ok(options
            .keep(yes("keep", given.keep)?)
            .fresh(yes("fresh", given.fresh)?)
            .huge_pages(yes("huge_pages", given.huge_pages)?)
            .lock_memory(yes("lock_memory", given.lock_memory)?))
    }

    /// The bytes of a slot, if they are given.
    pub(crate) fn slot_size(given: Option<&Self>) -> Result<Option<usize>, Failure> {
        size("slot_size", given.map_or(0, |given| given.slot_size))
    }

    /// The number of copies of each row, if it is given.
    pub(crate) fn copies(given: Option<&Self>) -> Result<Option<usize>, Failure> {
        size("copies", given.map_or(0, |given| given.copies))
    }
}

/// A timeout in ns.
#[inline]
pub(crate) fn timeout(ns: u64) -> Duration {
    if ns == crate::FR_FOREVER { Duration::MAX } else { Duration::from_nanos(ns) }
}

fn size(what: &'static str, found: u64) -> Result<Option<usize>, Failure> {
    match usize::try_from(found) {
        Ok(0) => Ok(None),
        Ok(size) => Ok(Some(size)),
        Err(_) => Err(Failure::argument(what, found, "a number of 64 bits")),
    }
}

fn yes(what: &'static str, found: i32) -> Result<bool, Failure> {
    match found {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Failure::argument(what, other, "0 or 1")),
    }
}

/// A newer program may ask for what this library does not know.
fn reserved(found: [u64; 4]) -> Result<(), Failure> {
    match found.into_iter().find(|word| *word != 0) {
        None => Ok(()),
        Some(word) => Err(Failure::argument("reserved", word, "0: begin with {0}; or a newer library is")),
    }
}
