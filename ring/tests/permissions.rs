//! Permissions of a ring on disk: read-only pages; modes and groups that are exact, and never wider while the ring is
//! made; and a file system that is too small.
#![allow(unsafe_code)] // writing through a read-only mapping, to show that the kernel refuses

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use feed_ring::{CreateError, Join, Mapping, Publisher, Subscriber};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped};
use rustix::process::{Resource, Rlimit, setrlimit};

/// The mappings of a file of the ring, from `/proc/self/maps`: address and permissions.
fn mapped(name: &str) -> Vec<(usize, String)> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines()
        .filter(|line| line.ends_with(name))
        .map(|line| {
            let (start, rest) = line.split_once('-').unwrap();
            (usize::from_str_radix(start, 16).unwrap(), rest.split(' ').nth(1).unwrap().to_owned())
        })
        .collect()
}

/// Subscribes, prints how the files are mapped, then writes into the segment.
#[test]
#[ignore = "a child of other tests"]
fn subscribe_and_write() {
    if !as_child() {
        return;
    }
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }).unwrap();
    let mapping = if std::env::var_os("WRITABLE").is_some() { Mapping::ReadWrite } else { Mapping::ReadOnly };
    let root = std::env::var("ROOT").unwrap();
    let mut subscriber = Subscriber::<u64>::options("r").root(root).join(Join::Oldest).map(mapping).open().unwrap();
    assert_eq!(subscriber.try_recv(), Ok(7));
    let segment = mapped("r.ring/segment");
    let [(start, permissions)] = &segment[..] else { panic!("{segment:?}") };
    let control = mapped("r.ring/control");
    println!("\nsegment {permissions}");
    println!("control {}", control[0].1);
    println!("writing");
    let word = std::ptr::with_exposed_provenance_mut::<u64>(start + 128 * 8);
    // SAFETY: the address is mapped; the write is meant to raise a signal if the pages are read-only.
    unsafe { word.write_volatile(0) };
    println!("written");
}

fn write_as_a_subscriber(writable: bool) -> (std::process::ExitStatus, String) {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<u64>::options("r").root(&root).capacity(8).create().unwrap();
    publisher.publish(&7);
    let mut command = child("subscribe_and_write");
    command.env("ROOT", root.path());
    if writable {
        command.env("WRITABLE", "1");
    }
    Child::start(&mut command).finish()
}

#[test]
fn a_subscriber_that_writes_dies() {
    let (status, said) = write_as_a_subscriber(false);
    assert!(said.contains("segment r--s") && said.contains("control rw-s") && said.contains("writing"), "{said}");
    assert_eq!(status.signal(), Some(libc::SIGSEGV), "{status}: {said}");
    assert!(!said.contains("written"), "{said}");
}

#[test]
fn unless_it_asked_for_writable_pages() {
    let (status, said) = write_as_a_subscriber(true);
    assert!(status.success() && said.contains("segment rw-s") && said.contains("written"), "{status}: {said}");
}

/// The modes of the directory and its four files, for a segment's mode.
fn expected_modes(mode: u32) -> [(&'static str, u32); 5] {
    let readers = mode & 0o044;
    [
        ("", 0o700 | readers | readers >> 2),
        ("segment", mode),
        ("control", mode | readers >> 1),
        ("live", 0o600 | readers),
        ("lock", 0o600),
    ]
}

/// A group that this process may give its files: any group for root, otherwise only its own, which tests less.
fn some_group() -> u32 {
    if rustix::process::geteuid().is_root() { 4444 } else { rustix::process::getegid().as_raw() }
}

/// Makes, takes over and replaces rings under a umask, and checks the modes and groups of their files.
#[test]
#[ignore = "a child of other tests"]
fn publish_under_a_umask() {
    if !as_child() {
        return;
    }
    let umask = u32::from_str_radix(&std::env::var("UMASK").unwrap(), 8).unwrap();
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(umask));
    let root = std::env::var("ROOT").unwrap();
    for mode in [0o600, 0o640, 0o644, 0o660, 0o664, 0o666] {
        for group in [None, Some(some_group())] {
            for (capacity, fresh) in [(8, false), (8, false), (16, false), (16, true)] {
                let options = Publisher::<u64>::options("r").root(&root).keep(true).capacity(capacity).fresh(fresh);
                let options = options.mode(mode);
                let publisher = group.into_iter().fold(options, |options, gid| options.group(gid)).create().unwrap();
                for (name, expected) in expected_modes(mode) {
                    let found = fs::symlink_metadata(publisher.path().unwrap().join(name)).unwrap();
                    let found = (found.mode() & 0o7777, found.gid());
                    // The lock keeps the publisher's group.
                    let gid = group.filter(|_| name != "lock").unwrap_or(found.1);
                    assert_eq!(found, (expected, gid), "{name:?} of {mode:04o} under umask {umask:03o}");
                }
                publisher.close().unwrap();
            }
        }
        fs::remove_dir_all(Path::new(&root).join("r.ring")).unwrap();
    }
    println!("\nexact");
}

#[test]
fn modes_and_groups_are_exact() {
    for umask in ["0", "22", "77", "777"] {
        let root = PrivateRoot::new();
        let mut command = child("publish_under_a_umask");
        let (status, said) = Child::start(command.env("ROOT", root.path()).env("UMASK", umask)).finish();
        assert!(status.success() && said.contains("exact"), "umask {umask}: {status}: {said}");
        assert_eq!(root.names(), [""; 0]);
    }
}

/// What an observer saw: how often each name had each mode and group.
type Seen = BTreeMap<(String, u32, u32), u64>;

/// The file, its mode and its group. The kernel reads mode and group one after the other, so on a busy machine one look may
/// mix two moments: two looks must agree.
fn look(path: &Path) -> Option<(u64, u32, u32)> {
    let look = || fs::symlink_metadata(path).ok().map(|found| (found.ino(), found.mode() & 0o7777, found.gid()));
    look().filter(|found| look() == Some(*found))
}

/// Looks at files again and again until `over`; counts in `complete` when it has seen each of them.
fn observe(root: &Path, names: &[&str], over: &AtomicBool, complete: &AtomicUsize) -> Seen {
    let (mut seen, mut unseen) = (Seen::new(), names.len());
    let paths: Vec<_> = names.iter().map(|name| (root.join(name), Path::new(name).file_name().unwrap())).collect();
    while !over.load(Ordering::Relaxed) {
        for (path, name) in &paths {
            if let Some((_, mode, gid)) = look(path) {
                let name = name.to_string_lossy().into_owned();
                if !seen.keys().any(|(seen, ..)| *seen == name) {
                    unseen -= 1;
                    complete.fetch_add((unseen == 0).into(), Ordering::Relaxed);
                }
                *seen.entry((name, mode, gid)).or_default() += 1;
            }
        }
    }
    seen
}

/// The names that each observer looks at: the fewer names, the less it misses.
const OBSERVED: [&[&str]; 3] =
    [&["r.ring", "r.ring/lock", "r.ring/live", "r.ring/segment", "r.ring/control"], &["s", "s.lock"], &[".s.new"]];

/// Makes and removes rings, on disk and sealed, with a umask that removes no permission, while threads look at the
/// files.
#[test]
#[ignore = "a child of other tests"]
fn publish_while_observed() {
    if !as_child() {
        return;
    }
    rustix::process::umask(rustix::fs::Mode::empty());
    let root = std::env::var("ROOT").unwrap();
    let (root, group) = (Path::new(&root), some_group());
    let (over, complete) = (AtomicBool::new(false), AtomicUsize::new(0));
    let seen: Vec<Seen> = thread::scope(|scope| {
        let (over, complete) = (&over, &complete);
        let observers = OBSERVED.map(|names| scope.spawn(move || observe(root, names, over, complete)));
        // At least this often, and until every name was seen.
        let mut rounds = 0..300;
        let publishing = || -> Result<(), Box<dyn std::error::Error>> {
            while rounds.next().is_some() || complete.load(Ordering::Relaxed) < OBSERVED.len() {
                let options = || Publisher::<u64>::options("r").capacity(2).mode(0o640).group(group);
                options().root(root).create()?.close()?;
                options().serve(root.join("s")).create()?.close()?;
            }
            Ok(())
        };
        let published = { publishing }();
        over.store(true, Ordering::Relaxed);
        published.unwrap();
        observers.map(|observer| observer.join().unwrap()).into()
    });
    for ((name, mode, gid), times) in seen.into_iter().flatten() {
        // Before a file has its final mode, only its owner has permissions; afterwards its group is right too.
        let (before, after) = match &*name {
            "r.ring" => (0o700, 0o750),
            "segment" | "live" => (0o600, 0o640),
            "control" | "s" | ".s.new" => (0o600, 0o660),
            "lock" | "s.lock" => (0o600, 0o600),
            other => panic!("{other} is no file of a ring"),
        };
        let exact = mode == before || mode == after && gid == group;
        assert!(exact, "{name}: {mode:04o} with group {gid}, seen {times} times; {before:04o} or {after:04o} expected");
    }
    println!("\nnever wider");
}

#[test]
fn nothing_is_ever_wider_than_it_is_to_be() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(child("publish_while_observed").env("ROOT", root.path())).finish();
    assert!(status.success() && said.contains("never wider"), "{status}: {said}");
}

/// Makes rings in a file system of one MiB.
#[test]
#[ignore = "a child of other tests"]
fn publish_in_a_small_file_system() {
    if !as_child() {
        return;
    }
    let root = std::env::var("ROOT").unwrap();
    let entries = || fs::read_dir(&root).unwrap().count();
    let options = |capacity| Publisher::<[u64; 7]>::options("r").root(&root).capacity(capacity);
    for capacity in [1 << 14, 1 << 20] {
        match options(capacity).create() {
            Err(error @ CreateError::NoRoom { needed, free, .. }) => {
                assert!(needed >= capacity as u64 * 64 && free <= 1 << 20, "{needed} {free}");
                let text = error.to_string();
                assert!(text.contains(&needed.to_string()) && text.contains(&free.to_string()), "{text}");
                assert!(text.contains("lower the capacity") && text.contains("--shm-size"), "{text}");
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(entries(), 0, "nothing is left behind");
    }
    // A ring that fits stays usable however full the file system gets, because its memory is reserved.
    let mut publisher = options(1 << 12).create().unwrap();
    let mut subscriber = Subscriber::<[u64; 7]>::options("r").root(&root).open().unwrap();
    let filler = fs::write(Path::new(&root).join("filler"), vec![1; 1 << 20]);
    assert!(filler.is_err(), "the file system is full");
    for number in 0..1 << 14 {
        publisher.publish(&[number; 7]);
        assert_eq!(subscriber.try_recv(), Ok([number; 7]));
    }
    println!("\nreported and usable");
}

/// Makes a ring in a file system without a limit of its own, which reports no size.
#[test]
#[ignore = "a child of other tests"]
fn publish_in_a_file_system_without_a_limit() {
    if !as_child() {
        return;
    }
    let mut publisher = Publisher::<u64>::options("r").root(std::env::var("ROOT").unwrap()).create().unwrap();
    assert_eq!(publisher.publish(&1), 0);
    println!("\nreported and usable");
}

/// Runs a child of this program in a file system and mount namespace of its own. Without root it also needs a user
/// namespace. `None`, with a message, where that is not allowed.
fn in_file_system(size: &str, program: &Command) -> Option<(std::process::ExitStatus, String)> {
    let root = PrivateRoot::new();
    let namespaces = if rustix::process::geteuid().is_root() { "-m" } else { "-Urm" };
    let mount = format!("mount -t tmpfs -o size={size} none \"$ROOT\" && exec \"$@\"");
    let inside = |program: &Command| {
        let mut command = Command::new("unshare");
        command.args([namespaces, "sh", "-c", &*mount, "sh"]).arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
        command.env("ROOT", root.path());
        command
    };
    let allowed = inside(&Command::new("true")).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    if !allowed {
        skipped("a file system of its own needs mount namespaces (unshare, mount)");
        return None;
    }
    Some(Child::start(&mut inside(program)).finish())
}

#[test]
fn a_small_file_system_is_an_error() {
    if let Some((status, said)) = in_file_system("1m", &child("publish_in_a_small_file_system")) {
        assert!(status.success() && said.contains("reported and usable"), "{status}: {said}");
    }
}

#[test]
fn a_file_system_without_a_limit_is_not_taken_for_full() {
    if let Some((status, said)) = in_file_system("0", &child("publish_in_a_file_system_without_a_limit")) {
        assert!(status.success() && said.contains("reported and usable"), "{status}: {said}");
    }
}
