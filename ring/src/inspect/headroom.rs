//! How much memory a new ring may take.

use std::path::{Path, PathBuf};

use crate::segment::room;

/// The cgroup above this process that has the least memory left under its limit, and how many bytes are left. A new
/// ring must fit into that as well as into its file system. `None` where no limit is set.
///
/// `cgroups` is where the cgroup file system is mounted (`/sys/fs/cgroup`); `memberships` is the text of
/// `/proc/self/cgroup`.
pub fn memory_headroom(cgroups: impl AsRef<Path>, memberships: &str) -> Option<(PathBuf, u64)> {
    room::headroom(cgroups.as_ref(), memberships)
}
