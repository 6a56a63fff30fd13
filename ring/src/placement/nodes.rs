//! Which NUMA nodes there are.

use std::fs;
use std::path::Path;

use super::error::PlacementError;

/// More nodes than any kernel knows (`CONFIG_NODES_SHIFT` is 10 at most).
pub(super) const MOST: u32 = 1024;

/// A set of nodes as the kernel takes it.
pub(super) type Mask = [u64; MOST as usize / 64];

/// The set of this node, if there is such a one.
pub(super) fn mask(node: u32) -> Result<Mask, PlacementError> {
    check(node, Path::new("/sys/devices/system/node/online"))?;
    let mut mask = [0; MOST as usize / 64];
    mask[node as usize / 64] |= 1 << (node % 64);
    Ok(mask)
}

/// Holds a node against the kernel's list of those that there are.
fn check(node: u32, online: &Path) -> Result<(), PlacementError> {
    let list = fs::read_to_string(online);
    let online = match &list {
        Ok(list) => format!("nodes {}", list.trim()),
        Err(_) => "a kernel without NUMA nodes (CONFIG_NUMA)".to_owned(),
    };
    if node < MOST && list.is_ok_and(|list| holds(&list, node)) {
        Ok(())
    } else {
        Err(PlacementError::Node { node, online })
    }
}

/// Whether `0-1,4` holds a number.
fn holds(list: &str, node: u32) -> bool {
    list.trim().split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((first.parse::<u32>(), last.parse::<u32>()), (Ok(first), Ok(last)) if first <= node && node <= last)
    })
}

/// The nodes that this process may have memory from.
pub(super) fn allowed() -> String {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    match status.lines().find_map(|line| line.strip_prefix("Mems_allowed_list:")) {
        Some(list) => format!("nodes {}", list.trim()),
        None => "unknown nodes".to_owned(),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_ranges_is_understood() {
        for (list, held) in [("0\n", &[0][..]), ("0-1,4\n", &[0, 1, 4]), ("2-3", &[2, 3]), ("", &[]), ("x,1", &[1])] {
            let found: Vec<u32> = (0..6).filter(|&node| holds(list, node)).collect();
            assert_eq!(found, held, "{list:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn a_node_that_is_not_there_is_refused_with_those_that_are() {
        let root = tempfile::tempdir().unwrap();
        let online = root.path().join("online");
        fs::write(&online, "0-1,1023-1024\n").unwrap();
        for node in [0, 1, 1023] {
            check(node, &online).unwrap();
        }
        for node in [2, MOST, u32::MAX] {
            let error = check(node, &online).unwrap_err().to_string();
            assert!(error.starts_with(&format!("NUMA node {node}: there is no such node; found nodes 0-1,1023-1024:")));
        }
        let error = check(0, &root.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("found a kernel without NUMA nodes"), "{error}");
    }
}
