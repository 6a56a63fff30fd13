//! The NUMA nodes of the machine, as the kernel lists them.

use std::fs;
use std::path::Path;

use super::error::PlacementError;

/// The largest number of nodes of any kernel (`CONFIG_NODES_SHIFT` is at most 10).
pub(super) const MAX_NODES: u32 = 1024;

/// A set of nodes in the kernel's form: one bit per node.
pub(super) type Mask = [u64; MAX_NODES as usize / 64];

/// The set of this one node. An error if the node is not online.
pub(super) fn mask(node: u32) -> Result<Mask, PlacementError> {
    check_online(node, Path::new("/sys/devices/system/node/online"))?;
    let mut mask = [0; MAX_NODES as usize / 64];
    mask[node as usize / 64] |= 1 << (node % 64);
    Ok(mask)
}

/// Checks that a node is in the kernel's list of online nodes.
fn check_online(node: u32, online: &Path) -> Result<(), PlacementError> {
    let list = fs::read_to_string(online);
    let online = match &list {
        Ok(list) => format!("nodes {}", list.trim()),
        Err(_) => "a kernel without NUMA nodes (CONFIG_NUMA)".to_owned(),
    };
    if node < MAX_NODES && list.is_ok_and(|list| list_contains(&list, node)) {
        Ok(())
    } else {
        Err(PlacementError::Node { node, online })
    }
}

/// Whether a list such as `0-1,4` contains a node.
fn list_contains(list: &str, node: u32) -> bool {
    list.trim().split(',').any(|range| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        matches!((first.parse::<u32>(), last.parse::<u32>()), (Ok(first), Ok(last)) if first <= node && node <= last)
    })
}

/// The nodes from which this process may take memory, as text.
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
            let found: Vec<u32> = (0..6).filter(|&node| list_contains(list, node)).collect();
            assert_eq!(found, held, "{list:?}");
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "touches files")]
    fn a_missing_node_is_refused_with_a_list_of_the_online_ones() {
        let root = tempfile::tempdir().unwrap();
        let online = root.path().join("online");
        fs::write(&online, "0-1,1023-1024\n").unwrap();
        for node in [0, 1, 1023] {
            check_online(node, &online).unwrap();
        }
        for node in [2, MAX_NODES, u32::MAX] {
            let error = check_online(node, &online).unwrap_err().to_string();
            assert!(error.starts_with(&format!("NUMA node {node}: there is no such node; found nodes 0-1,1023-1024:")));
        }
        let error = check_online(0, &root.path().join("none")).unwrap_err().to_string();
        assert!(error.contains("found a kernel without NUMA nodes"), "{error}");
    }
}
