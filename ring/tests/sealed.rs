//! Sealed rings under attack: by a hostile subscriber, and by a hostile server.
#![allow(unsafe_code)] // borrowing the descriptors that a publisher holds, mapping them, and futexes on them, to attack them

use std::fs;
use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use feed_ring::{Join, OpenError, Publisher, Subscriber, TryRecvError, WaitStrategy, Wake};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};
use rustix::io::Errno;
use rustix::mm::{Advice, MapFlags, MprotectFlags, ProtFlags};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

mod served;

use served::{publisher, refused, socket, subscriber};

/// A connection made without this library.
fn connect_raw(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    while let Err(errno) = rustix::net::connect(&socket, &SocketAddrUnix::new(path).unwrap()) {
        assert_eq!(errno, Errno::AGAIN);
        thread::yield_now();
    }
    socket
}

#[test]
fn garbage_does_no_harm() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut subscriber = subscriber(&root).open().unwrap();
    let mut noisy = Vec::new();
    for round in 0..100_usize {
        let client = connect_raw(&socket(&root));
        // Sends until the socket is full, or the publisher hangs up.
        while rustix::net::send(&client, &vec![round as u8; 1 + round * 100], SendFlags::NOSIGNAL).is_ok() {}
        if round % 2 == 0 {
            noisy.push(client);
        }
    }
    for message in 0..100 {
        publisher.publish(&message);
        assert_eq!(subscriber.try_recv(), Ok(message));
    }
    assert_eq!(publisher.subscribers().unwrap(), 1);
    drop(Subscriber::<u64>::connect(socket(&root)).open().unwrap());
    publisher.close().unwrap();
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
}

/// Descriptors of this process for memory files whose name contains `name`.
fn descriptors_of(name: &str) -> Vec<RawFd> {
    let entries = fs::read_dir("/proc/self/fd").unwrap().flatten();
    entries
        .filter(|entry| fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy().contains(name)))
        .map(|entry| entry.file_name().to_string_lossy().parse().unwrap())
        .collect()
}

fn map(file: impl AsFd, protection: ProtFlags) -> Result<*mut std::ffi::c_void, Errno> {
    // SAFETY: the kernel chooses a range that nothing is mapped at.
    unsafe { rustix::mm::mmap(std::ptr::null_mut(), 4096, protection, MapFlags::SHARED, file, 0) }
}

/// A hostile subscriber: tries every way to change the segment, and prints those that worked.
#[test]
#[ignore = "a child of other tests"]
fn attack() {
    if !as_child() {
        return;
    }
    let path = std::env::var("SOCKET").unwrap();
    let mut subscriber = Subscriber::<u64>::connect(&path).join(Join::Oldest).open().unwrap();
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains("sealed segment")).expect("the segment is mapped");
    println!("\nmapped {line}");
    let start = usize::from_str_radix(line.split('-').next().unwrap(), 16).unwrap();

    // The library keeps no descriptor of the segment, so the attacker asks the publisher for the files, as the library
    // does.
    let connection = connect_raw(Path::new(&path));
    let [segment, control, live] = receive(&connection);
    let mut worked = Vec::new();
    let mut attempt = |what: &str, ok: bool| {
        if ok {
            worked.push(what.to_owned());
        }
    };
    let flags = rustix::fs::fcntl_getfl(&segment).unwrap();
    attempt("get a descriptor for writing", flags.intersects(rustix::fs::OFlags::RDWR | rustix::fs::OFlags::WRONLY));
    let mut files = vec![("as given", segment)];
    // Root or the owner may open it again for writing. The seals must still prevent changes.
    if let Ok(again) = rustix::fs::open(
        format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&files[0].1)),
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::CLOEXEC,
        rustix::fs::Mode::empty(),
    ) {
        files.push(("opened again for writing", again));
    }
    println!("descriptors {}", files.len());
    for (which, file) in &files {
        attempt(&format!("mmap for writing, {which}"), map(file, ProtFlags::READ | ProtFlags::WRITE).is_ok());
        let mapped = map(file, ProtFlags::READ).expect("reading is allowed");
        // SAFETY: the range is the mapping made above, which nothing refers to.
        let made_writable = unsafe { rustix::mm::mprotect(mapped, 4096, MprotectFlags::READ | MprotectFlags::WRITE) };
        attempt(&format!("mprotect, {which}"), made_writable.is_ok());
        // SAFETY: as above.
        let removed = unsafe { rustix::mm::madvise(mapped, 4096, Advice::LinuxRemove) };
        attempt(&format!("madvise(MADV_REMOVE), {which}"), removed.is_ok());
        attempt(&format!("pwrite, {which}"), rustix::io::pwrite(file, &[1; 8], 4096).is_ok());
        attempt(&format!("shrink, {which}"), rustix::fs::ftruncate(file, 0).is_ok());
        attempt(&format!("grow, {which}"), rustix::fs::ftruncate(file, 1 << 20).is_ok());
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        attempt(&format!("punch a hole, {which}"), rustix::fs::fallocate(file, hole, 0, 4096).is_ok());
        attempt(
            &format!("allocate more, {which}"),
            rustix::fs::fallocate(file, FallocateFlags::empty(), 0, 1 << 20).is_ok(),
        );
        attempt(&format!("add a seal, {which}"), rustix::fs::fcntl_add_seals(file, SealFlags::WRITE).is_ok());
    }
    // Through the file that gives a process write access to its own memory.
    if let Ok(memory) = fs::OpenOptions::new().write(true).open("/proc/self/mem") {
        attempt("write to /proc/self/mem", memory.write_all_at(&[1; 8], start as u64 + 4096).is_ok());
    }
    attempt("shrink control", rustix::fs::ftruncate(&control, 0).is_ok());
    attempt("grow control", rustix::fs::ftruncate(&control, 1 << 20).is_ok());
    attempt("write to the pipe", rustix::io::write(&live, &[0]).is_ok());
    // These attempts are allowed and must do no harm: garbage in control, and a hole in it.
    rustix::io::pwrite(&control, &[0xff; 4096], 0).unwrap();
    rustix::io::pwrite(&control, &vec![0xff; 64 * 1024], 4096).unwrap();
    let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    rustix::fs::fallocate(&control, hole, 0, 64 * 1024).unwrap();
    // Making its own end of the pipe blocking must not affect other processes.
    let flags = rustix::fs::fcntl_getfl(&live).unwrap();
    rustix::fs::fcntl_setfl(&live, flags - rustix::fs::OFlags::NONBLOCK).unwrap();
    println!("worked {worked:?}");
    for expected in 0..5 {
        assert_eq!(subscriber.try_recv(), Ok(expected));
    }
    println!("read all");
    let _ = std::io::Read::read(&mut std::io::stdin(), &mut [0]);
}

/// Receives the three descriptors that come through a connection.
fn receive(connection: &OwnedFd) -> [OwnedFd; 3] {
    let mut bytes = [0; 512];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut ancillary = rustix::net::RecvAncillaryBuffer::new(&mut space);
    let flags = rustix::net::RecvFlags::CMSG_CLOEXEC;
    loop {
        match rustix::net::recvmsg(connection, &mut [std::io::IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
            Err(Errno::AGAIN) => thread::yield_now(),
            result => {
                result.unwrap();
                break;
            }
        }
    }
    let files: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            rustix::net::RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    files.try_into().unwrap()
}

#[test]
fn no_subscriber_can_write() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    publisher.publish_batch(&[0, 1, 2, 3, 4]);
    let mut bystander = subscriber(&root).join(Join::Oldest).open().unwrap();
    let mut attacker = Child::start(child("attack").env("SOCKET", socket(&root)).stdin(std::process::Stdio::piped()));
    let mapped = attacker.wait_for("mapped");
    assert!(mapped.contains(" r--s "), "{mapped}");
    if attacker.wait_for("descriptors") == "1" {
        skipped("opening the segment again for writing needs root: the other attempts were made");
    }
    assert_eq!(attacker.wait_for("worked"), "[]");
    attacker.wait_for("read all");
    // No other subscriber is disturbed. (If the attacker could make the pipe blocking for all, this thread would hang.)
    let (done, in_time) = std::sync::mpsc::channel();
    thread::spawn(move || {
        assert!(bystander.publisher_is_alive());
        for expected in 0..5 {
            assert_eq!(bystander.try_recv(), Ok(expected));
        }
        assert_eq!(bystander.try_recv(), Err(TryRecvError::Empty));
        let _ = done.send(bystander);
    });
    let mut bystander = in_time.recv_timeout(Duration::from_secs(60)).expect("a bystander is not disturbed");
    for message in 5..1000 {
        publisher.publish(&message);
        assert_eq!(bystander.try_recv(), Ok(message));
    }
    drop(Subscriber::<u64>::connect(socket(&root)).open().map_err(|error| error.to_string()));
    publisher.close().unwrap();
    assert_eq!(bystander.try_recv(), Err(TryRecvError::Closed));
}

/// Every subscriber may write to `control`. If one clears the sleepers' flag again and again, it delays others but
/// cannot stop them.
#[test]
fn a_sleeper_whose_flag_is_cleared_sleeps_no_longer_than_a_nap() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root).create().unwrap();
    let mut sleeper = subscriber(&root).wait(WaitStrategy::Block).join(Join::Sequence(0)).open().unwrap();
    let [_, control, _] = receive(&connect_raw(&socket(&root)));
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                rustix::io::pwrite(&control, &[0; 256], 0).unwrap();
            }
        });
        let sleeping = scope.spawn(|| (0..5).map(|_| sleeper.recv()).collect::<Vec<_>>());
        for message in 0..5 {
            thread::sleep(Duration::from_millis(20)); // so that it sleeps, most likely
            publisher.publish(&message);
        }
        assert_eq!(sleeping.join().unwrap(), (0..5).map(Ok).collect::<Vec<_>>());
        over.store(true, Ordering::Relaxed);
    });
}

/// Words of the segment and of `control`: the event that sleepers sleep on, and the flag that says that somebody sleeps.
const EVENT: usize = 32;
const FLAG: u64 = 16;

/// Calls `futex` on the event word, through a read-only page, with a word of this process as the second one.
fn futex_on_event(segment: *mut std::ffi::c_void, operation: i32, expected: u32, most: *const libc::timespec) -> i64 {
    let event =
        segment.cast::<u64>().wrapping_add(EVENT).cast::<u32>().wrapping_add(usize::from(cfg!(target_endian = "big")));
    let own = AtomicU64::new(0);
    // SAFETY: the kernel reads the event, and may write to `own`, which outlives the call.
    unsafe { libc::syscall(libc::SYS_futex, event, operation, expected, most, own.as_ptr(), 0) }
}

/// A client that may read the segment, and keeps other sleepers from being woken in the way that `HOW` says.
#[test]
#[ignore = "a child of other tests"]
fn keep_asleep() {
    if !as_child() {
        return;
    }
    let path = std::env::var("SOCKET").unwrap();
    let [segment, ..] = receive(&connect_raw(Path::new(&path)));
    let mapped = map(&segment, ProtFlags::READ).unwrap();
    println!("\nready");
    if std::env::var("HOW").unwrap() == "requeue" {
        loop {
            // Moves all sleepers to the own word. In the place of a timeout stands how many.
            let moved = futex_on_event(mapped, libc::FUTEX_REQUEUE, 0, std::ptr::without_provenance(i32::MAX as usize));
            assert!(moved >= 0, "{}", std::io::Error::last_os_error());
            thread::sleep(Duration::from_micros(100));
        }
    }
    // The kernel's search for sleepers to wake ends with an error at one that waits to be moved to a lock.
    let mut event = [0; 4];
    loop {
        let low = EVENT as u64 * 8 + if cfg!(target_endian = "big") { 4 } else { 0 };
        rustix::io::pread(&segment, &mut event, low).unwrap();
        let result = futex_on_event(mapped, libc::FUTEX_WAIT_REQUEUE_PI, u32::from_ne_bytes(event), std::ptr::null());
        let error = std::io::Error::last_os_error();
        assert_eq!((result, error.raw_os_error()), (-1, Some(libc::EAGAIN)), "it woke: {error}");
    }
}

/// Whoever may read the segment can take wake-ups away from others (a client of a sealed ring, or a user who may read a ring
/// on disk). A sleeper then looks for itself. Nothing else could tell it of messages: the event changes all the time, as it
/// does for one that is woken.
fn a_sleeper_looks_for_itself_during_the_attack(how: &str) {
    const SLEEPS: u64 = 20;
    const MESSAGES: u64 = 8192;
    let root = PrivateRoot::new();
    let options = publisher(&root).capacity(MESSAGES as usize).wake(Wake::Fence);
    let mut publisher = options.create().unwrap();
    let mut sleeper = subscriber(&root).wait(WaitStrategy::Block).join(Join::Sequence(0)).open().unwrap();
    let [_, control, _] = receive(&connect_raw(&socket(&root)));
    let mut attacker = Child::start(child("keep_asleep").env("SOCKET", socket(&root)).env("HOW", how));
    attacker.wait_for("ready");
    while how == "wait" && !feed_testing::sleeps(attacker.id()) {
        thread::sleep(Duration::from_millis(1));
    }
    let ended_sleeps = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut expected = 0..;
            while let Ok(message) = sleeper.recv() {
                assert_eq!(Some(message), expected.next());
                while let Ok(message) = sleeper.try_recv() {
                    assert_eq!(Some(message), expected.next());
                }
                ended_sleeps.fetch_add(1, Ordering::Relaxed);
            }
        });
        let mut published = 0;
        while ended_sleeps.load(Ordering::Relaxed) < SLEEPS && published < MESSAGES {
            rustix::io::pwrite(&control, &1u64.to_ne_bytes(), FLAG * 8).unwrap();
            publisher.publish(&published);
            published += 1;
            thread::sleep(Duration::from_millis(2));
        }
        let sleeps = ended_sleeps.load(Ordering::Relaxed);
        println!("{how}: {sleeps} sleeps ended under attack, {published} messages were published meanwhile");
        let attacks = attacker.goes_on();
        drop(attacker);
        publisher.close().unwrap();
        assert!(attacks, "{how}: the attack ended by itself");
        assert!(sleeps >= SLEEPS, "{how}: only {sleeps} sleeps ended while {published} messages were published");
    });
}

#[test]
fn a_sleeper_that_a_reader_moves_to_another_word_looks_for_itself() {
    a_sleeper_looks_for_itself_during_the_attack("requeue");
}

#[test]
fn a_sleeper_behind_one_that_cannot_be_woken_looks_for_itself() {
    a_sleeper_looks_for_itself_during_the_attack("wait");
}

/// Not even the publisher's own process can map the segment for writing a second time.
#[test]
fn a_sealed_ring_cannot_be_taken_over() {
    let root = PrivateRoot::new();
    let publisher = Publisher::<u64>::options("only-here").capacity(8).serve(socket(&root)).create().unwrap();
    let descriptors = descriptors_of("only-here segment");
    assert!(!descriptors.is_empty());
    for descriptor in descriptors {
        // SAFETY: the publisher holds it open until the end of this test.
        let file = unsafe { BorrowedFd::borrow_raw(descriptor) };
        assert_eq!(map(file, ProtFlags::READ | ProtFlags::WRITE).unwrap_err(), Errno::PERM);
    }
    publisher.close().unwrap();
}

/// Answers one connection with these bytes and descriptors; returns the client's error.
fn answer(root: &PrivateRoot, bytes: &[u8], files: &[BorrowedFd<'_>]) -> OpenError {
    let path = socket(root);
    let listener =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 8).unwrap();
    let error = thread::scope(|scope| {
        let opening = scope.spawn(|| refused(root));
        let client = rustix::net::accept(&listener).unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(8))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            assert!(ancillary.push(SendAncillaryMessage::ScmRights(files)));
        }
        if !bytes.is_empty() {
            rustix::net::sendmsg(&client, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::empty()).unwrap();
        }
        drop(client);
        opening.join().unwrap()
    });
    fs::remove_file(path).unwrap();
    error
}

#[test]
fn other_answers_are_refused() {
    let root = PrivateRoot::new();
    let yes = b"FEEDHAND\x01\x00";
    assert!(matches!(answer(&root, b"", &[]), OpenError::NotServed { .. }), "hung up");
    assert!(matches!(answer(&root, b"220 mail.example ESMTP\r\n", &[]), OpenError::NotARing { .. }));
    let error = answer(&root, b"FEEDHAND\x02\x00", &[]).to_string();
    assert!(error.contains("version 2"), "{error}");
    let error = answer(&root, b"FEEDHAND\x01\x01not \x1b[31mtoday", &[]).to_string();
    assert!(error.ends_with("refused by its publisher: not \\u{1b}[31mtoday"), "{error}");

    let file = |seals: SealFlags, bytes: u64| {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = rustix::fs::memfd_create("forged", flags).unwrap();
        rustix::fs::ftruncate(&file, bytes).unwrap();
        rustix::fs::fcntl_add_seals(&file, seals).unwrap();
        file
    };
    let size = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    let (pipe, _writing) = rustix::pipe::pipe().unwrap();
    let sealed = file(size | SealFlags::FUTURE_WRITE, 8192);
    let control = file(size, 131_328);
    for files in [&[][..], &[sealed.as_fd()], &[sealed.as_fd(); 5]] {
        let error = answer(&root, yes, files);
        assert!(matches!(error, OpenError::NotARing { .. }), "{error}");
    }
    let error = answer(&root, yes, &[pipe.as_fd(), control.as_fd(), sealed.as_fd()]).to_string();
    assert!(error.contains("sends a FIFO as segment"), "{error}");
    for (seals, missing) in [
        (size, "sealed against shrinking, growing, sealing, expected"),
        (SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE, "growing, further writing, expected"),
        (
            SealFlags::SHRINK | SealFlags::FUTURE_WRITE | SealFlags::SEAL,
            "shrinking, further writing, sealing, expected",
        ),
        (SealFlags::empty(), "sealed against nothing, expected shrinking, growing, further writing, sealing"),
    ] {
        let unsealed = file(seals, 8192);
        let error = answer(&root, yes, &[unsealed.as_fd(), control.as_fd(), pipe.as_fd()]);
        assert!(matches!(error, OpenError::Unsealed { what: "segment", .. }), "{error}");
        assert!(error.to_string().contains(missing), "{error}");
    }
    let on_disk = fs::File::create(root.path().join("file")).unwrap();
    let error = answer(&root, yes, &[on_disk.as_fd(), control.as_fd(), pipe.as_fd()]);
    assert!(matches!(error, OpenError::Unsealed { what: "segment", .. }), "{error}");
    let loose = file(SealFlags::empty(), 131_328);
    let error = answer(&root, yes, &[sealed.as_fd(), loose.as_fd(), pipe.as_fd()]);
    assert!(matches!(error, OpenError::Unsealed { what: "control", .. }), "{error}");
    // Sealed, but no ring.
    let error = answer(&root, yes, &[sealed.as_fd(), control.as_fd(), pipe.as_fd()]);
    assert!(matches!(error, OpenError::NotARing { .. }), "{error}");
}
