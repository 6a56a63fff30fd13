//! Placement of a ring's memory: what the library reports is compared with what the test reads from `/proc`. And what
//! is reported where the machine refuses.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};

use feed_ring::placement::allocate_on_node;
use feed_ring::{
    CreateError, Join, OpenError, Placement, PlacementError, Publisher, PublisherOptions, Subscriber,
    SubscriberOptions, TryRecvError, guard, in_process,
};
use feed_testing::{Argument, Child, PrivateRoot, as_child, child, refuse, skipped};
use rustix::process::{Resource, Rlimit, setrlimit};

/// A message that fills one cache line.
type Message = [u64; 7];

/// Slots of a ring of 4 MiB and a little more: two huge pages.
const LARGE: usize = 65_536;

fn publisher(root: &PrivateRoot, capacity: usize) -> PublisherOptions<Message> {
    Publisher::options("r").root(root).capacity(capacity)
}

fn sealed(socket: &Path, capacity: usize) -> PublisherOptions<Message> {
    Publisher::options("r").serve(socket).capacity(capacity)
}

fn subscriber(root: &PrivateRoot) -> SubscriberOptions<Message> {
    Subscriber::options("r").root(root).join(Join::Oldest)
}

fn publish(publisher: &mut Publisher<Message>, count: u64) {
    for _ in 0..count {
        let sequence = publisher.published();
        publisher.publish(&[sequence; 7]);
    }
}

/// Receives `count` messages and compares each with its number.
fn receive(subscriber: &mut Subscriber<Message>, count: u64) {
    for _ in 0..count {
        let sequence = subscriber.sequence();
        assert_eq!(subscriber.try_recv(), Ok([sequence; 7]));
    }
}

/// What `smaps` says of each of this process's mappings of the segment, by address, with the line of `numa_maps`. The
/// file was mapped before it had a name, so its inode identifies it.
fn mappings(root: &PrivateRoot) -> BTreeMap<String, BTreeMap<String, String>> {
    let inode = fs::metadata(root.path().join("r.ring/segment")).unwrap().ino().to_string();
    let numa = fs::read_to_string("/proc/self/numa_maps").unwrap_or_default();
    let mut found = BTreeMap::<_, BTreeMap<_, _>>::new();
    let mut within = None;
    for line in fs::read_to_string("/proc/self/smaps").unwrap().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if fields[0].ends_with(':') {
            if let Some(address) = &within {
                let values = found.entry(String::clone(address)).or_default();
                values.insert(fields[0].to_owned(), fields[1..].join(" "));
            }
        } else {
            let start = fields[0].split('-').next().unwrap();
            within = (fields.get(4) == Some(&&*inode)).then(|| start.to_owned());
            if let (Some(address), Some(line)) = (&within, numa.lines().find(|line| line.starts_with(start))) {
                found.entry(address.clone()).or_default().insert("numa".to_owned(), line.to_owned());
            }
        }
    }
    found
}

/// Whether huge pages are missing because of the machine; prints if so.
fn excused(placement: &Placement) -> bool {
    placement.huge_pages_missing().is_some_and(|missing| is_excuse(&missing))
}

fn is_excuse(missing: &str) -> bool {
    let memory = fs::read_to_string("/proc/meminfo").unwrap();
    let available = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:")).unwrap();
    let kilobytes: u64 = available.trim().strip_suffix(" kB").unwrap().parse().unwrap();
    // Every other reason that the library names lies in the kernel and its settings.
    let excused = !missing.contains("not asked for") && (!missing.contains("compact_memory") || kilobytes < 1 << 20);
    assert!(excused, "{missing}");
    skipped(&format!("huge pages: {missing}"));
    true
}

#[test]
fn a_ring_lies_on_huge_pages_and_is_reached_through_them() {
    let root = PrivateRoot::new();
    let mut feed = publisher(&root, LARGE).huge_pages(true).create().unwrap();
    let placed = feed.placement().unwrap();
    if excused(&placed) {
        return;
    }
    let published = 2 * LARGE as u64 + 5;
    publish(&mut feed, published);
    let mut asks = subscriber(&root).huge_pages(true).open().unwrap();
    let mut asks_not = subscriber(&root).open().unwrap();
    for subscriber in [&mut asks, &mut asks_not] {
        assert!(matches!(subscriber.try_recv(), Ok(_) | Err(TryRecvError::Lagged { .. })));
        let left = published - subscriber.sequence();
        receive(subscriber, left);
    }

    assert!(placed.mapped > 4 << 20 && placed.mapped < 5 << 20, "{placed:?}");
    assert_eq!((placed.huge, placed.resident), (4 << 20, placed.mapped), "{placed:?}");
    assert_eq!(placed.locked, 0);
    assert_eq!(asks.placement().unwrap().huge, placed.huge);
    let not = asks_not.placement().unwrap();
    // A file system that was told to use huge pages maps them even if nobody asks.
    if not.huge == 0 {
        assert!(not.huge_pages_missing().unwrap().contains("not asked for"), "{not:?}");
    }
    let mut found: Vec<_> = mappings(&root).into_values().map(|values| values["ShmemPmdMapped:"].clone()).collect();
    found.sort();
    let mut expected = ["4096 kB".to_owned(), "4096 kB".to_owned(), format!("{} kB", not.huge / 1024)];
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn a_ring_smaller_than_a_huge_page_says_why_it_has_none() {
    let root = PrivateRoot::new();
    let feed = publisher(&root, 64).huge_pages(true).create().unwrap();
    let missing = feed.placement().unwrap().huge_pages_missing().unwrap();
    assert!(missing.starts_with("0 of "), "{missing}");
    if fs::exists("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size").unwrap() {
        assert!(missing.contains("a huge page is ") && missing.contains("enlarge the ring's capacity"), "{missing}");
    }
}

/// Runs where there are no huge pages, and memory may not be bound.
#[test]
#[ignore = "a child of other tests"]
fn create_on_a_poor_machine() {
    if !as_child() {
        return;
    }
    rustix::thread::disable_transparent_huge_pages(true).unwrap();
    let root = PrivateRoot::new();
    let mut feed = publisher(&root, LARGE).huge_pages(true).create().unwrap();
    publish(&mut feed, 10);
    let mut follower = subscriber(&root).huge_pages(true).open().unwrap();
    receive(&mut follower, 10);
    println!("\npublisher {}", feed.placement().unwrap().huge_pages_missing().unwrap());
    println!("subscriber {}", follower.placement().unwrap().huge_pages_missing().unwrap());
    feed.close().unwrap();

    // The first call fails first: a file must not take memory before it is bound.
    refuse(&[libc::SYS_fallocate], None, libc::EIO);
    refuse(&[libc::SYS_mbind, libc::SYS_set_mempolicy], None, libc::EPERM);
    println!("mbind {}", publisher(&root, 64).numa_node(first_node()).create().unwrap_err());
    let served = sealed(&root.path().join("r.sock"), 64);
    println!("sealed {}", served.numa_node(first_node()).create().unwrap_err());
    println!("set_mempolicy {}", allocate_on_node(first_node()).unwrap_err());
    println!("left {:?}", root.names());
}

#[test]
fn a_refusal_by_the_machine_is_reported() {
    let mut poor = Child::start(&mut child("create_on_a_poor_machine"));
    for who in ["publisher", "subscriber"] {
        let missing = poor.wait_for(who);
        assert!(missing.starts_with("0 of 4") && missing.contains(" bytes: "), "{who}: {missing}");
        if fs::exists("/sys/kernel/mm/transparent_hugepage").unwrap() {
            assert!(missing.contains("switched off for this process"), "{who}: {missing}");
        }
    }
    for call in ["mbind", "sealed", "set_mempolicy"] {
        let error = poor.wait_for(call);
        assert_eq!(error.matches("NUMA node ").count(), 1, "{error}");
        if nodes().is_some() {
            assert!(error.contains("cannot bind memory to it: Operation not permitted"), "{call}: {error}");
            assert!(error.contains("this process may use nodes ") && error.contains("--cap-add SYS_NICE"), "{error}");
        }
    }
    assert_eq!(poor.wait_for("left"), "[]", "nothing is left of a ring that could not be placed");
    assert!(poor.finish().0.success());
}

/// Runs as on a kernel before 6.1, which cannot collapse memory into huge pages.
#[test]
#[ignore = "a child of other tests"]
fn create_on_an_old_kernel() {
    if !as_child() {
        return;
    }
    const MADV_COLLAPSE: u64 = 25;
    println!("\nmounted");
    let collapse = Argument { index: 2, mask: u64::from(u32::MAX), value: MADV_COLLAPSE };
    refuse(&[libc::SYS_madvise], Some(collapse), libc::EINVAL);
    let root = std::env::var("ROOT").unwrap();
    let options = || Publisher::<Message>::options("r").root(&root).capacity(LARGE);
    let placed = options().huge_pages(true).create().unwrap().placement().unwrap();
    println!("asked {}", placed.huge);
    println!("missing {}", placed.huge_pages_missing().unwrap_or_default());
    println!("not asked {}", options().create().unwrap().placement().unwrap().huge);
}

#[test]
fn an_old_kernel_has_huge_pages_where_the_file_system_gives_them() {
    let root = PrivateRoot::new();
    let test = child("create_on_an_old_kernel");
    let mut command = Command::new("unshare");
    let mount = r#"mount -t tmpfs -o huge=advise,size=64m none "$ROOT" && exec "$0" "$@""#;
    command.args(["--mount", "--propagation", "private", "sh", "-c", mount]).arg(test.get_program());
    command.args(test.get_args()).env("ROOT", root.path()).stderr(Stdio::piped());
    for (name, value) in test.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let output = match command.output() {
        Err(error) => return skipped(&format!("unshare: {error}")),
        Ok(output) => output,
    };
    let said = String::from_utf8_lossy(&output.stdout);
    if !said.contains("mounted") {
        return skipped("this user may not mount a file system of its own here");
    }
    assert!(output.status.success(), "{output:?}");
    let value = |name: &str| said.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    assert_eq!(value("not asked"), "0");
    let missing = value("missing");
    if missing.is_empty() || !is_excuse(&missing) {
        assert_eq!(value("asked"), "4194304", "{missing}");
    }
}

/// The nodes that have memory.
fn nodes() -> Option<Vec<u32>> {
    let list = fs::read_to_string("/sys/devices/system/node/has_memory").ok()?;
    let range = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        first.parse().unwrap()..=last.parse().unwrap()
    };
    Some(list.trim().split(',').flat_map(range).collect())
}

fn first_node() -> u32 {
    nodes().map_or(0, |nodes| nodes[0])
}

#[test]
fn a_ring_comes_from_the_node_it_was_bound_to() {
    let Some(nodes) = nodes() else { return skipped("this kernel has no NUMA nodes") };
    for node in nodes {
        let root = PrivateRoot::new();
        let feed = match publisher(&root, LARGE).numa_node(node).create() {
            Err(CreateError::Placement { source: PlacementError::Bind { source, .. }, .. }) => {
                skipped(&format!("node {node}: {source}"));
                continue;
            }
            feed => feed.unwrap(),
        };
        let placed = feed.placement().unwrap();
        assert_eq!(placed.policy, Some(format!("bind:{node}")));
        assert_eq!(placed.nodes, [(node, placed.mapped)]);
        assert_eq!(placed.missing_from_node(node), None);
        let (_, mapping) = mappings(&root).pop_first().unwrap();
        assert_eq!(mapping["numa"].split(' ').nth(1), Some(&*format!("bind:{node}")));
        assert!(mapping["numa"].contains(&format!(" N{node}={} ", placed.mapped / 4096)), "{mapping:?}");
        // A subscriber finds it on the same node.
        assert_eq!(subscriber(&root).open().unwrap().placement().unwrap().nodes, placed.nodes);
    }
    let root = PrivateRoot::new();
    let unbound = publisher(&root, 64).create().unwrap().placement().unwrap();
    assert!(!unbound.policy.unwrap().starts_with("bind"));
}

#[test]
fn a_node_that_does_not_exist_is_refused() {
    let root = PrivateRoot::new();
    for node in [1023, 1024, u32::MAX] {
        let error = publisher(&root, 64).numa_node(node).create().unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, CreateError::Placement { source: PlacementError::Node { .. }, .. }), "{said}");
        assert!(said.contains(&format!("NUMA node {node}: there is no such node; found ")), "{said}");
        assert!(matches!(allocate_on_node(node), Err(PlacementError::Node { .. })));
    }
    assert!(root.names().is_empty());
}

/// Allocates on one node from now on.
#[test]
#[ignore = "a child of other tests"]
fn allocate() {
    if !as_child() {
        return;
    }
    println!("\nbound {:?}", allocate_on_node(first_node()).map_err(|error| error.to_string()));
    // `numa_maps` as seen by a thread that this thread starts.
    let maps = std::thread::spawn(|| fs::read_to_string("/proc/thread-self/numa_maps").unwrap()).join().unwrap();
    let heap = maps.lines().find(|line| line.contains(" heap ")).unwrap();
    println!("heap {heap}");
}

#[test]
fn allocations_come_from_the_bound_node() {
    if nodes().is_none() {
        return skipped("this kernel has no NUMA nodes");
    }
    let mut allocating = Child::start(&mut child("allocate"));
    let bound = allocating.wait_for("bound");
    if bound != "Ok(())" {
        return skipped(&bound);
    }
    let heap = allocating.wait_for("heap");
    assert!(heap.contains(&format!(" bind:{} ", first_node())), "{heap}");
    assert!(allocating.finish().0.success());
}

/// More than the large rings of all tests together. They run in one process, and the limit is for the process.
const LOCKED: u64 = 64 << 20;

/// Whether this process may lock this many bytes.
fn may_lock(bytes: u64) -> bool {
    let limit = rustix::process::getrlimit(Resource::Memlock).current;
    rustix::process::geteuid().is_root() || limit.is_none_or(|limit| limit >= bytes)
}

#[test]
fn both_sides_lock_what_they_map() {
    if !may_lock(2 << 20) {
        return skipped("RLIMIT_MEMLOCK is below 2 MiB");
    }
    let root = PrivateRoot::new();
    let feed = publisher(&root, 64).lock_memory(true).create().unwrap();
    let locks = subscriber(&root).lock_memory(true).open().unwrap();
    let locks_not = subscriber(&root).open().unwrap();
    for placed in [feed.placement().unwrap(), locks.placement().unwrap()] {
        assert!(placed.mapped > 0 && placed.locked == placed.mapped, "{placed:?}");
    }
    assert_eq!(locks_not.placement().unwrap().locked, 0);
    let flags: Vec<bool> =
        mappings(&root).values().map(|values| values["VmFlags:"].split(' ').any(|flag| flag == "lo")).collect();
    assert_eq!(flags.iter().filter(|&&locked| locked).count(), 2, "{flags:?}");
}

/// Creates and opens rings under a limit that is too low.
#[test]
#[ignore = "a child of other tests"]
fn lock_too_much() {
    if !as_child() {
        return;
    }
    let root = PrivateRoot::new();
    let _feed = publisher(&root, 4096).create().unwrap();
    setrlimit(Resource::Memlock, Rlimit { current: Some(65_536), maximum: Some(65_536) }).unwrap();
    let none = rustix::thread::CapabilitySet::empty();
    let sets = rustix::thread::CapabilitySets { effective: none, permitted: none, inheritable: none };
    rustix::thread::set_capabilities(None, sets).unwrap();
    let opened = subscriber(&root).lock_memory(true).open().unwrap_err();
    assert!(matches!(opened, OpenError::Placement { source: PlacementError::Memlock { .. }, .. }), "{opened}");
    println!("\nopened {opened}");
    let other = PrivateRoot::new();
    println!("created {}", publisher(&other, 4096).lock_memory(true).create().unwrap_err());
    println!("left {:?}", other.names());
}

#[test]
fn a_lock_limit_that_is_too_low_is_reported() {
    let mut locking = Child::start(&mut child("lock_too_much"));
    for error in [locking.wait_for("opened"), locking.wait_for("created")] {
        let says = " bytes needed, RLIMIT_MEMLOCK is 65536 bytes: raise it (ulimit -l";
        assert!(error.contains("cannot lock memory: ") && error.contains(says), "{error}");
    }
    assert_eq!(locking.wait_for("left"), "[]");
    assert!(locking.finish().0.success());
}

#[test]
fn a_ring_taken_over_is_placed_as_well() {
    let root = PrivateRoot::new();
    let mut first = publisher(&root, LARGE).keep(true).create().unwrap();
    publish(&mut first, 100);
    let mut follower = subscriber(&root).huge_pages(true).open().unwrap();
    receive(&mut follower, 50);
    first.close().unwrap();

    let options = publisher(&root, LARGE).huge_pages(true);
    let options = if nodes().is_some() { options.numa_node(first_node()) } else { options };
    let mut second = options.lock_memory(may_lock(LOCKED)).create().unwrap();
    assert_eq!((second.epoch(), second.published()), (2, 100));
    publish(&mut second, 100);
    receive(&mut follower, 50);
    assert!(matches!(follower.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 100 })));
    receive(&mut follower, 100);

    let placed = second.placement().unwrap();
    assert_eq!(placed.locked, if may_lock(LOCKED) { placed.mapped } else { 0 });
    if nodes().is_some() {
        let bound = format!("bind:{}", first_node());
        assert_eq!(placed.policy.as_ref(), Some(&bound));
        let maps = fs::read_to_string("/proc/self/numa_maps").unwrap();
        let path = format!("file={}/r.ring/control", root.path().display());
        let control = maps.lines().find(|line| line.contains(&path)).unwrap();
        assert_eq!(control.split(' ').nth(1), Some(&*bound));
    }
    if !excused(&placed) {
        assert_eq!(placed.huge, 4 << 20);
    }
}

#[test]
fn a_sealed_ring_is_placed_as_well() {
    let root = PrivateRoot::new();
    let path = root.path().join("r.sock");
    let options = sealed(&path, LARGE).huge_pages(true);
    let options = if nodes().is_some() { options.numa_node(first_node()) } else { options };
    let mut feed = options.lock_memory(may_lock(LOCKED)).create().unwrap();
    let connect = || Subscriber::<Message>::connect(&path).join(Join::Oldest).huge_pages(true);
    let mut follower = connect().lock_memory(may_lock(LOCKED)).open().unwrap();
    publish(&mut feed, 1000);
    receive(&mut follower, 1000);

    let (placed, followed) = (feed.placement().unwrap(), follower.placement().unwrap());
    assert_eq!(placed.locked, if may_lock(LOCKED) { placed.mapped } else { 0 });
    assert_eq!(followed.locked, if may_lock(LOCKED) { placed.mapped } else { 0 });
    if nodes().is_some() {
        assert_eq!(placed.policy, Some(format!("bind:{}", first_node())));
        assert_eq!(placed.nodes, [(first_node(), placed.mapped)]);
    }
    if !excused(&placed) {
        assert_eq!((placed.huge, followed.huge), (4 << 20, 4 << 20));
    }
    let error = sealed(&root.path().join("s.sock"), 64).numa_node(1023).create().unwrap_err();
    assert!(error.to_string().contains("NUMA node 1023: there is no such node"), "{error}");
}

/// Cuts short a ring that is mapped on a huge page boundary.
#[test]
#[ignore = "a child of other tests"]
fn cut_short_on_huge_pages() {
    if !as_child() {
        return;
    }
    guard::install().unwrap();
    let root = PrivateRoot::new();
    let mut feed = publisher(&root, LARGE).huge_pages(true).create().unwrap();
    // Near the end of the mapping.
    let near = LARGE as u64 - 20;
    publish(&mut feed, near + 10);
    let mut follower = subscriber(&root).join(Join::Sequence(near)).huge_pages(true).open().unwrap();
    receive(&mut follower, 5);
    fs::OpenOptions::new().write(true).open(root.path().join("r.ring/segment")).unwrap().set_len(0).unwrap();
    println!("\nreceived {:?}", follower.try_recv());
    publish(&mut feed, 10);
    println!("cut off {}", feed.is_cut_off());
}

#[test]
fn the_guard_covers_rings_on_huge_pages() {
    let mut cut = Child::start(&mut child("cut_short_on_huge_pages"));
    assert_eq!(cut.wait_for("received"), "Err(CutShort)");
    assert_eq!(cut.wait_for("cut off"), "true");
    assert!(cut.finish().0.success());
}

#[test]
fn a_ring_within_the_process_has_no_placement() {
    let (publisher, _ring) = in_process::<u64>(4).unwrap();
    assert_eq!(publisher.placement().unwrap_err().kind(), io::ErrorKind::Unsupported);
}
