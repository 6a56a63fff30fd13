//! What a machine may be short of: room, inodes, descriptors, address space, large files, lockable memory, `/proc`. Each
//! operation works all the same, or ends with an error whose remedy fits. Nothing is left, nobody dies, and the operation
//! works again once the shortage is over. tests/filtered.rs does the same for system calls that are refused.
#![allow(unsafe_code)] // mounts of its own, and mlockall

mod operations;

use std::ffi::{CStr, CString};
use std::fs;
use std::path::{Path, PathBuf};

use feed_testing::{Child, PrivateRoot, as_child, child, skipped};
use operations::{Act, OPERATIONS, create, slots};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::CapabilitySet;

/// The directory of a child.
fn root() -> PathBuf {
    PathBuf::from(std::env::var("ROOT").unwrap())
}

/// Runs the child, which asserts for itself. A child that may not make its shortage says so.
#[track_caller]
fn run(test: &str) {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(child(test).env("ROOT", root.path())).finish();
    if let Some(reason) = said.lines().find_map(|line| line.strip_prefix("cannot: ")) {
        return skipped(reason);
    }
    assert!(status.success() && said.contains("whole"), "{status}: {said}");
}

/// Lets each operation run under each degree of a shortage. `shortage` begins it, for the degrees 0, 1, … until it returns
/// `None`, and ends it when its value is dropped. `fits` tells whether the remedy of an error fits. Returns how many ended
/// with an error and how many worked.
fn each<S>(
    root: &Path,
    mut shortage: impl FnMut(&Path, usize) -> Option<S>,
    fits: impl Fn(&str) -> bool,
) -> (usize, usize) {
    let (mut failed, mut worked) = (0, 0);
    for (name, prepare) in OPERATIONS {
        let mut last = None;
        for degree in 0.. {
            let root = root.join(format!("{name}-{degree}"));
            fs::create_dir(&root).unwrap();
            let mut operation = prepare(&root);
            let before = operations::files(&root);
            let Some(short) = shortage(&root, degree) else { break };
            let ended = operation.act();
            drop(short);
            let after = operations::files(&root);
            let context = format!("{name} at degree {degree}: {ended:?}");
            assert_eq!(before, after, "{context}: something is left, or missing");
            match &ended {
                Ok(()) => worked += 1,
                Err(error) => {
                    assert!(fits(error), "{context}: the remedy does not fit");
                    failed += 1;
                }
            }
            operation.act().unwrap_or_else(|error| panic!("{context}: afterwards: {error}"));
            assert_eq!(before, operations::files(&root), "{context}: afterwards");
            drop(operation);
            fs::remove_dir_all(&root).unwrap();
            last = Some(ended);
        }
        println!("{name}: at the end {last:?}");
    }
    (failed, worked)
}

/// A limit of this process, put back when dropped.
struct Limit(Resource, Rlimit);

impl Limit {
    fn of(resource: Resource, current: u64) -> Self {
        let before = getrlimit(resource);
        setrlimit(resource, Rlimit { current: Some(current), maximum: before.maximum }).unwrap();
        Limit(resource, before)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        setrlimit(self.0, self.1).unwrap();
    }
}

/// Files that take something away, removed when dropped.
struct Fillers(Vec<PathBuf>);

impl Drop for Fillers {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| fs::remove_file(path).unwrap());
    }
}

/// Puts this thread, and those that it starts, into mounts of their own and mounts a tmpfs with these options at `path`.
/// False, and a line, where that is not allowed.
fn mount_tmpfs(path: &Path, options: &CStr) -> bool {
    let (path, tmpfs) = (CString::new(path.to_str().unwrap()).unwrap(), c"tmpfs");
    // SAFETY: strings that end with a zero.
    let mounted = own_mounts()
        && unsafe { libc::mount(tmpfs.as_ptr(), path.as_ptr(), tmpfs.as_ptr(), 0, options.as_ptr().cast()) } == 0;
    if !mounted {
        println!("\ncannot: mounts of its own need root");
    }
    mounted
}

fn own_mounts() -> bool {
    // SAFETY: it takes no pointers.
    let own = unsafe { libc::unshare(libc::CLONE_NEWNS) } == 0;
    let (null, flags) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: strings that end with a zero, or none.
    own && unsafe { libc::mount(null, c"/".as_ptr(), null, flags, null.cast()) } == 0
}

/// A value of `/proc/self/status` in bytes.
fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_suffix(" kB")).unwrap();
    value.trim().parse::<u64>().unwrap() * 1024
}

#[test]
#[ignore = "a child of another test"]
fn with_little_room() {
    if !as_child() || !mount_tmpfs(&root(), c"size=4m") {
        return;
    }
    // The whole file system but so many pages. A ring needs 35 and the slots.
    const FREE: [u64; 6] = [0, 1, 33, 34, 40, 1000];
    let fill = |root: &Path, degree: usize| {
        let free = FREE.get(degree)? * 4096;
        let filler = root.parent().unwrap().join("filler");
        let room = rustix::fs::statvfs(root).unwrap();
        let bytes = (room.f_bavail * room.f_frsize).saturating_sub(free);
        let file = fs::File::create(&filler).unwrap();
        let reserved =
            bytes == 0 || rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, bytes).is_ok();
        assert!(reserved, "{bytes} bytes");
        Some(Fillers(vec![filler]))
    };
    // A sealed ring takes its memory from the machine, not from this file system.
    let fits =
        |error: &str| error.contains(" bytes needed, ") && error.contains("lower the capacity, remove old rings");
    let (failed, worked) = each(&root(), fill, fits);
    assert!(failed >= 8 && worked >= 28, "{failed} {worked}");
    println!("\nwhole");
}

#[test]
fn a_full_file_system() {
    run("with_little_room");
}

#[test]
#[ignore = "a child of another test"]
fn with_few_inodes() {
    if !as_child() || !mount_tmpfs(&root(), c"size=16m,nr_inodes=64") {
        return;
    }
    let fill = |root: &Path, degree: usize| {
        let top = root.parent().unwrap();
        let mut fillers = Fillers(Vec::new());
        for number in 0.. {
            let path = top.join(format!("filler-{number}"));
            if fs::File::create(&path).is_err() {
                break;
            }
            fillers.0.push(path);
        }
        (0..degree).for_each(|_| fs::remove_file(fillers.0.pop().unwrap()).unwrap());
        (degree < 10).then_some(fillers)
    };
    let fits = |error: &str| error.contains(" inodes of its file system are used: remove files (df -i)");
    let (failed, worked) = each(&root(), fill, fits);
    // A new ring takes a directory and four files, one that supersedes two files, a sealed one a lock and a socket.
    assert!(failed >= 9 && worked >= 45, "{failed} {worked}");
    println!("\nwhole");
}

#[test]
fn no_inodes() {
    run("with_few_inodes");
}

#[test]
#[ignore = "a child of another test"]
fn with_few_descriptors() {
    if !as_child() {
        return;
    }
    // So many of the numbers that are free lie below the limit.
    let limit = |_: &Path, free: usize| {
        let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let open: Vec<u64> = open.map(|fd| fd.file_name().to_str().unwrap().parse().unwrap()).collect();
        // The one that reads the directory is free again, too, and it was the lowest.
        let mut numbers = (0..).filter(|number| !open.contains(number) || !is_open(*number));
        (free < 20).then(|| Limit::of(Resource::Nofile, numbers.nth(free).unwrap()))
    };
    // The client's publisher is this process, and has none left to accept it with.
    let fits = |error: &str| error.contains("Too many open files") || error.contains("no answer within");
    let (failed, worked) = each(&root(), limit, fits);
    assert!(failed >= 25 && worked >= 60, "{failed} {worked}");
    println!("\nwhole");
}

fn is_open(descriptor: u64) -> bool {
    // SAFETY: it takes no pointers.
    unsafe { libc::fcntl(descriptor as i32, libc::F_GETFD) != -1 }
}

#[test]
fn no_descriptors() {
    run("with_few_descriptors");
}

#[test]
#[ignore = "a child of another test"]
fn with_little_address_space() {
    if !as_child() {
        return;
    }
    const MORE: [u64; 5] = [64 << 10, 1 << 20, 3 << 20, 6 << 20, 1 << 30];
    let limit = |_: &Path, degree: usize| {
        let more = MORE.get(degree)?;
        Some(Limit::of(Resource::As, status("VmSize:") + more))
    };
    slots(1 << 18); // 16 MiB
    let fits = |error: &str| ["(mmap): Cannot allocate memory", "(clone): "].iter().any(|says| error.contains(says));
    let (failed, worked) = each(&root(), limit, fits);
    assert!(failed >= 24 && worked >= 6, "{failed} {worked}");
    println!("\nwhole");
}

#[test]
fn no_address_space() {
    run("with_little_address_space");
}

#[test]
#[ignore = "a child of another test"]
fn with_small_files_only() {
    if !as_child() {
        return;
    }
    const LIMITS: [u64; 5] = [0, 4096, 140_000, 1 << 20, 1 << 30];
    slots(1 << 15); // 2 MiB
    let limit = |_: &Path, degree: usize| LIMITS.get(degree).map(|&bytes| Limit::of(Resource::Fsize, bytes));
    // This process does not handle SIGXFSZ.
    let fits = |error: &str| error.contains(", RLIMIT_FSIZE is ") && error.contains("(ulimit -f");
    let (failed, worked) = each(&root(), limit, fits);
    assert_eq!((failed, worked), (20, 20));
    println!("\nwhole");
}

#[test]
fn a_limit_of_file_sizes() {
    run("with_small_files_only");
}

/// All that is mapped from now on is locked.
#[test]
#[ignore = "a child of another test"]
fn with_little_memory_to_lock() {
    if !as_child() {
        return;
    }
    let mut capabilities = rustix::thread::capabilities(None).unwrap();
    capabilities.effective -= CapabilitySet::IPC_LOCK;
    rustix::thread::set_capabilities(None, capabilities).unwrap();
    // The default limit of most systems is 8 MiB. A ring has 2 MiB here, one that supersedes 4 MiB, a thread's stack 2 MiB.
    const LIMITS: [u64; 4] = [64 << 10, 1 << 20, 3 << 19, (8 << 20) - (64 << 10)];
    slots(1 << 15);
    let limit = |_: &Path, degree: usize| {
        let limit = Limit::of(Resource::Memlock, *LIMITS.get(degree)?);
        // SAFETY: it takes no pointers.
        let locked = unsafe { libc::mlockall(libc::MCL_FUTURE) } == 0;
        assert!(locked, "{}", std::io::Error::last_os_error());
        struct Locked(#[expect(dead_code, reason = "kept for its drop")] Limit);
        impl Drop for Locked {
            fn drop(&mut self) {
                // SAFETY: it takes no arguments.
                unsafe { libc::munlockall() };
            }
        }
        Some(Locked(limit))
    };
    let fits = |error: &str| error.contains(", RLIMIT_MEMLOCK is ") || error.contains("(clone): ");
    let (failed, worked) = each(&root(), limit, fits);
    assert!(failed >= 18 && worked >= 6, "{failed} {worked}");
    println!("\nwhole");
}

#[test]
fn a_limit_of_locked_memory() {
    run("with_little_memory_to_lock");
}

#[test]
#[ignore = "a child of another test"]
fn where_there_is_no_proc() {
    if !as_child() {
        return;
    }
    let root = root();
    let mut prepared: Vec<(_, Act)> = Vec::new();
    for (name, prepare) in OPERATIONS {
        let root = root.join(name);
        fs::create_dir(&root).unwrap();
        prepared.push((name, prepare(&root)));
    }
    // SAFETY: a string that ends with a zero.
    if !own_mounts() || unsafe { libc::umount2(c"/proc".as_ptr(), libc::MNT_DETACH) } != 0 {
        return println!("\ncannot: mounts of its own need root");
    }
    assert!(!Path::new("/proc/self").exists());
    for (name, operation) in &mut prepared {
        let (root, says) = (root.join(*name), "cannot be served without /proc: mount it (mount -t proc proc /proc)");
        let before = operations::files(&root);
        match operation.act() {
            Ok(()) => assert_ne!(*name, "serve"),
            Err(error) => assert!(*name == "serve" && error.contains(says), "{name}: {error}"),
        }
        assert_eq!(before, operations::files(&root), "{name}");
    }
    println!("\nwhole");
}

#[test]
fn no_proc() {
    run("where_there_is_no_proc");
}

/// A publisher that is killed while its files have their temporary names already: the next one needs their room.
#[test]
#[ignore = "a child of another test"]
fn with_leftovers_and_little_room() {
    if !as_child() || !mount_tmpfs(&root(), c"size=1m") {
        return;
    }
    let root = root();
    let old = feed_ring::Publisher::<[u64; 7]>::options("r").root(&root).capacity(8).keep(true);
    old.create().unwrap().close().unwrap();
    fs::write(root.join("r.ring/.segment.new"), vec![1; 600 << 10]).unwrap();
    fs::write(root.join("r.ring/.control.new"), vec![1; 100 << 10]).unwrap();
    create(&root, 4096).unwrap().close().unwrap();
    println!("\nwhole");
}

#[test]
fn leftovers_are_removed_before_room_is_looked_for() {
    run("with_leftovers_and_little_room");
}
