//! How much memory there is for a new ring.

use std::path::{Path, PathBuf};

use crate::segment::room;

/// The cgroup above this process that has the least memory left under its limit, and how many bytes that is: what a new
/// ring must fit into, beside the file system. `None` where no limit is set.
///
/// The arguments are where the cgroup file system is mounted (`/sys/fs/cgroup`) and the text of `/proc/self/cgroup`.
pub fn memory_headroom(cgroups: impl AsRef<Path>, memberships: &str) -> Option<(PathBuf, u64)> {
    room::headroom(cgroups.as_ref(), memberships)
}
