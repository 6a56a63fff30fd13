//! The placement that a ring's memory has, read from `/proc`, and the reason if it lacks huge pages.

use std::fs;
use std::io;

use crate::memory::{Memory, Span};

/// Where the kernel has put a ring's segment, read from `/proc` by
/// [`Publisher::placement`](crate::Publisher::placement) and [`Subscriber::placement`](crate::Subscriber::placement).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Placement {
    /// Bytes of the segment, rounded up to whole pages. All of them are mapped.
    pub mapped: u64,
    /// Mapped bytes that are in memory and in this process's page tables. Less than `mapped` only if the kernel took
    /// some away.
    pub resident: u64,
    /// Mapped bytes that this process reaches through huge pages.
    pub huge: u64,
    /// Mapped bytes that this process has locked into memory.
    pub locked: u64,
    /// Pairs of NUMA node and bytes on it, in ascending order of nodes. Empty if the kernel does not tell.
    pub nodes: Vec<(u32, u64)>,
    /// The memory's policy, as in `/proc/self/numa_maps` (`bind:0`, `default`). `None` if the kernel does not tell.
    pub policy: Option<String>,
    /// The reason and remedy if some of it lacks huge pages.
    missing: Option<String>,
}

impl Placement {
    /// Why the segment is not on huge pages, and the remedy, in one line: `0 of 4198400 bytes: …`. `None` if all of it
    /// is, but for an end of less than a huge page.
    pub fn huge_pages_missing(&self) -> Option<String> {
        let missing = self.missing.as_ref()?;
        Some(format!("{} of {} bytes: {missing}", self.huge, self.mapped))
    }

    /// How much of the segment lies on other NUMA nodes than this one, in one line. `None` if nothing does, or if the
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

/// The side that looks. The remedy differs between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The side that allocated the memory.
    Publisher,
    /// The side that maps existing memory.
    Subscriber,
}

const SYSFS: &str = "/sys/kernel/mm/transparent_hugepage";

/// Bytes of a huge page. `None` if the kernel has no transparent huge pages.
pub(super) fn huge_page() -> Option<usize> {
    fs::read_to_string(format!("{SYSFS}/hpage_pmd_size")).ok()?.trim().parse().ok().filter(|&bytes| bytes > 0)
}

/// Reads the placement of a ring's memory. An error of kind `Unsupported` for memory on the heap.
pub(crate) fn look<W>(memory: &Memory<W>, side: Side) -> io::Result<Placement> {
    let none = || io::Error::new(io::ErrorKind::Unsupported, "a ring within the process has no mapping of its own");
    look_at(memory.span().ok_or_else(none)?, side)
}

fn look_at(span: Span, side: Side) -> io::Result<Placement> {
    let start = span.start.addr() as u64;
    let range = start..start + span.bytes as u64;
    let mut placement = parse(
        &range,
        &fs::read_to_string("/proc/self/smaps")?,
        // A kernel without NUMA has no such file.
        &fs::read_to_string("/proc/self/numa_maps").unwrap_or_default(),
    );
    let support = HugePageSupport::read();
    placement.missing = support.missing(span.for_huge_pages, &placement, side);
    Ok(placement)
}

/// Sums up the entries of `smaps` and `numa_maps` for the mappings that begin within a range of addresses.
fn parse(range: &std::ops::Range<u64>, smaps: &str, numa_maps: &str) -> Placement {
    let mut found =
        Placement { mapped: 0, resident: 0, huge: 0, locked: 0, nodes: Vec::new(), policy: None, missing: None };
    let (mut within, mut size) = (false, 0);
    for line in smaps.lines() {
        let (name, value) = line.split_once(':').unwrap_or_default();
        let kilobytes = || value.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|number| number * 1024);
        if let Some(start) = line.split_once('-').and_then(|(start, _)| u64::from_str_radix(start, 16).ok()) {
            within = range.contains(&start);
        } else if within {
            match name {
                "Size" => {
                    size = kilobytes().unwrap_or(0);
                    found.mapped += size;
                }
                "Rss" => found.resident += kilobytes().unwrap_or(0),
                "ShmemPmdMapped" | "FilePmdMapped" => found.huge += kilobytes().unwrap_or(0),
                "VmFlags" if value.split_whitespace().any(|flag| flag == "lo") => found.locked += size,
                _ => {}
            }
        }
    }
    for line in numa_maps.lines() {
        let mut fields = line.split_whitespace();
        let start = fields.next().and_then(|start| u64::from_str_radix(start, 16).ok());
        if !start.is_some_and(|start| range.contains(&start)) {
            continue;
        }
        found.policy = found.policy.or_else(|| fields.next().map(str::to_owned));
        let value = |field: &str, name: &str| field.strip_prefix(name)?.parse::<u64>().ok();
        let page = fields.clone().find_map(|field| value(field, "kernelpagesize_kB=")).unwrap_or(4) * 1024;
        for field in fields {
            let node = field.strip_prefix('N').and_then(|field| field.split_once('='));
            let Some((Ok(node), Ok(pages))) = node.map(|(node, pages)| (node.parse(), pages.parse::<u64>())) else {
                continue;
            };
            match found.nodes.iter_mut().find(|(other, _)| *other == node) {
                Some((_, bytes)) => *bytes += pages * page,
                None => found.nodes.push((node, pages * page)),
            }
        }
    }
    found.nodes.sort_unstable();
    found
}

/// The facts that decide whether the kernel uses huge pages.
struct HugePageSupport {
    /// Bytes of a huge page, if the kernel has any.
    huge_page: Option<usize>,
    /// The text of `shmem_enabled`.
    shmem_enabled: String,
    /// The text of `/proc/self/status`.
    status: String,
    /// The kernel's release.
    release: String,
}

impl HugePageSupport {
    fn read() -> Self {
        HugePageSupport {
            huge_page: huge_page(),
            shmem_enabled: fs::read_to_string(format!("{SYSFS}/shmem_enabled")).unwrap_or_default(),
            status: fs::read_to_string("/proc/self/status").unwrap_or_default(),
            release: rustix::system::uname().release().to_string_lossy().into_owned(),
        }
    }

    /// Why a segment is not on huge pages, and the remedy. `None` if it is. `asked`: whether huge pages were requested.
    fn missing(&self, asked: bool, placement: &Placement, side: Side) -> Option<String> {
        let Some(huge_page) = self.huge_page.map(|bytes| bytes as u64) else {
            return Some(format!(
                "this kernel has no transparent huge pages ({SYSFS} is not there): use one with CONFIG_TRANSPARENT_HUGEPAGE"
            ));
        };
        if placement.mapped < huge_page {
            return Some(format!("a huge page is {huge_page} bytes: enlarge the ring's capacity, or do without"));
        }
        if placement.huge >= placement.mapped - placement.mapped % huge_page {
            return None;
        }
        let disabled = self.status.lines().any(|line| line.split_whitespace().eq(["THP_enabled:", "0"]));
        Some(if disabled {
            "they are switched off for this process (THP_enabled in /proc/self/status): start it without \
             prctl(PR_SET_THP_DISABLE)"
                .to_owned()
        } else if !asked {
            "they were not asked for: ask for huge pages when the ring is created or opened".to_owned()
        } else if side == Side::Subscriber {
            "the publisher has the ring on small pages: start the publisher with huge pages".to_owned()
        } else if self.shmem_enabled.contains("[deny]") {
            format!("shmem_enabled is 'deny': echo never > {SYSFS}/shmem_enabled")
        } else if self.is_before_6_1() {
            format!(
                "Linux {} has them only where the file system gives them: mount -o remount,huge=advise /dev/shm (for a \
                 sealed ring: echo advise > {SYSFS}/shmem_enabled), or use Linux 6.1 or later",
                self.release
            )
        } else {
            "the kernel found no free ones, or none under the cgroup's memory limit: echo 1 > /proc/sys/vm/compact_memory \
             and start the publisher again"
                .to_owned()
        })
    }

    /// Whether the kernel lacks `MADV_COLLAPSE`. False for a release that cannot be parsed.
    fn is_before_6_1(&self) -> bool {
        let mut numbers = self.release.split(['.', '-']).map(|number| number.parse::<u32>());
        matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) < (6, 1))
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const SMAPS: &str = "\
7f0000000000-7f0000200000 r--p 00000000 00:00 0
Size:               2048 kB
Rss:                2048 kB
ShmemPmdMapped:     2048 kB
VmFlags: rd lo
7f0000200000-7f0000401000 rw-s 00000000 00:1b 18951                      /dev/shm/a: b-c.ring/segment
Size:               2052 kB
KernelPageSize:        4 kB
Rss:                2048 kB
ShmemPmdMapped:     2048 kB
FilePmdMapped:         0 kB
Locked:             1026 kB
VmFlags: rd wr sh mr mw me ms lo dc hg
7f0000401000-7f0000402000 rw-s 00201000 00:1b 18951                      /dev/shm/a: b-c.ring/segment
Size:                  4 kB
Rss:                   4 kB
VmFlags: rd wr sh mr mw me ms dc hg
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Size:                  4 kB
VmFlags: lo
";

    const NUMA_MAPS: &str = "\
7f0000000000 default anon=512 dirty=512 N1=512 kernelpagesize_kB=4
7f0000200000 bind:0 file=/dev/shm/N7=3\\040x dirty=513 active=0 N1=12 N0=501 kernelpagesize_kB=4
7f0000401000 bind:0 file=/dev/shm/x dirty=1 N1=1 kernelpagesize_kB=4
";

    fn segment() -> Placement {
        parse(&(0x7f00_0020_0000..0x7f00_0040_2000), SMAPS, NUMA_MAPS)
    }

    #[test]
    fn only_the_segment_s_own_mappings_count() {
        let found = segment();
        assert_eq!((found.mapped, found.resident), (2056 * 1024, 2052 * 1024));
        assert_eq!((found.huge, found.locked), (2048 * 1024, 2052 * 1024));
        assert_eq!(found.nodes, [(0, 501 * 4096), (1, 13 * 4096)]);
        assert_eq!(found.policy.as_deref(), Some("bind:0"));
        let without_numa = parse(&(0x7f00_0020_0000..0x7f00_0040_2000), SMAPS, "");
        assert_eq!((without_numa.nodes, without_numa.policy), (Vec::new(), None));
    }

    #[test]
    fn bytes_on_another_node_are_reported() {
        let found = segment();
        assert!(found.missing_from_node(0).unwrap().starts_with("2052096 bytes on it, 53248 elsewhere: "));
        assert!(found.missing_from_node(2).unwrap().starts_with("0 bytes on it, 2105344 elsewhere: "));
        let whole = Placement { nodes: vec![(1, 4096)], ..segment() };
        assert_eq!(whole.missing_from_node(1), None);
        assert_eq!(Placement { nodes: Vec::new(), ..segment() }.missing_from_node(0), None);
    }

    #[test]
    fn missing_huge_pages_have_a_reason_and_a_remedy() {
        let good = || HugePageSupport {
            huge_page: Some(2 << 20),
            shmem_enabled: "always within_size advise [never] deny force\n".to_owned(),
            status: "THP_enabled:\t1\n".to_owned(),
            release: "6.18.44-x".to_owned(),
        };
        let none = Placement { huge: 0, ..segment() };
        let missing = |support: HugePageSupport, side| support.missing(true, &none, side).unwrap();
        assert_eq!(good().missing(true, &segment(), Side::Publisher), None, "the rest is less than a huge page");
        for (text, says) in [
            (missing(HugePageSupport { huge_page: None, ..good() }, Side::Publisher), "CONFIG_TRANSPARENT_HUGEPAGE"),
            (
                missing(HugePageSupport { huge_page: Some(512 << 20), ..good() }, Side::Publisher),
                "is 536870912 bytes: enlarge",
            ),
            (
                missing(HugePageSupport { status: "THP_enabled:\t0\n".to_owned(), ..good() }, Side::Subscriber),
                "switched off",
            ),
            (good().missing(false, &none, Side::Subscriber).unwrap(), "not asked for"),
            (missing(good(), Side::Subscriber), "start the publisher with huge pages"),
            (
                missing(HugePageSupport { shmem_enabled: "never [deny]".to_owned(), ..good() }, Side::Publisher),
                "'deny': echo never",
            ),
            (
                missing(HugePageSupport { release: "5.14.0-1.el9".to_owned(), ..good() }, Side::Publisher),
                "remount,huge=advise",
            ),
            (
                missing(HugePageSupport { release: "6.0.1".to_owned(), ..good() }, Side::Publisher),
                "Linux 6.0.1 has them only",
            ),
            (missing(HugePageSupport { release: "6.1".to_owned(), ..good() }, Side::Publisher), "compact_memory"),
            (missing(good(), Side::Publisher), "compact_memory"),
        ] {
            assert!(text.contains(says), "{says:?} expected: {text}");
        }
        let told = Placement { missing: Some("because".to_owned()), ..none }.huge_pages_missing();
        assert_eq!(told.as_deref(), Some("0 of 2105344 bytes: because"));
    }
}
