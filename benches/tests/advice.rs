//! Checks common advice on IPC. Each test shows what `docs/ipc.md` states under the test's name.
#![allow(unsafe_code)] // unshare(2), setresuid(2) and a mapping beyond a file's end have no safe wrapper.

use std::fs::{self, File};
use std::io::{self, IoSlice, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::{Duration, Instant};

use feed_ring_benches::kernel::limit;
use feed_ring_benches::sys::robust::{MonitorMemory, PreviousOwner, SharedMonitor, Sharing};
use feed_testing::{Child, PrivateRoot, as_child, child, skipped};
use memmap2::{Advice, MmapOptions};
use rustix::fs::{FallocateFlags, MemfdFlags, fallocate, ftruncate, memfd_create, statvfs};
use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_getpipe_size, fcntl_setpipe_size, pipe_with, splice};

const NOBODY: u32 = 65_534;

/// Advice: "Raise kernel.shmmax or your shared memory will be too small." It does not limit files in `/dev/shm`.
#[test]
fn shmmax_does_not_limit_dev_shm() {
    let root = PrivateRoot::new();
    let path = root.path().join("large");
    // The limit belongs to an IPC namespace. This thread takes one of its own, so that no other process is affected.
    let worker = std::thread::spawn(move || {
        // SAFETY: only this thread is moved to the new namespace, and it ends below.
        if unsafe { libc::unshare(libc::CLONE_NEWIPC) } != 0 {
            return Err(format!("shmmax: unshare(CLONE_NEWIPC): {}", io::Error::last_os_error()));
        }
        fs::write("/proc/sys/kernel/shmmax", "4096").map_err(|error| format!("shmmax: setting it: {error}"))?;
        let file = File::create_new(&path).expect("create a file");
        fallocate(&file, FallocateFlags::empty(), 0, 1 << 20).expect("1 MiB in /dev/shm although shmmax is 4096");

        // SAFETY: takes three numbers.
        let segment = |bytes| unsafe { libc::shmget(libc::IPC_PRIVATE, bytes, 0o600) };
        let id = segment(4096);
        assert!(id >= 0, "shmget of 4096 bytes: {}", io::Error::last_os_error());
        // SAFETY: removing takes no struct.
        unsafe { libc::shmctl(id, libc::IPC_RMID, std::ptr::null_mut()) };
        assert_eq!(segment(1 << 20), -1, "shmget of 1 MiB although shmmax is 4096");
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(libc::EINVAL));
        Ok(())
    });
    if let Err(reason) = worker.join().expect("the thread") {
        skipped(&reason);
    }
}

/// The size of the mount limits `/dev/shm`. A program that reserves space before it writes gets an error; else SIGBUS.
#[test]
fn dev_shm_is_limited_by_its_mount() {
    let root = PrivateRoot::new();
    let about = statvfs(root.path()).expect("statvfs");
    if about.f_blocks == 0 {
        return skipped("/dev/shm: the mount has no size");
    }
    let file = File::create_new(root.path().join("too-large")).expect("create a file");
    let error = fallocate(&file, FallocateFlags::empty(), 0, (about.f_blocks + 1) * about.f_frsize);
    assert_eq!(error, Err(Errno::NOSPC));
    assert_eq!(file.metadata().expect("its metadata").len(), 0, "a refused reservation takes nothing");
}

/// Advice: "Descriptors can only be passed between processes of one user, one at a time." Any user, and several at
/// once.
#[test]
fn scm_rights_crosses_users_with_several_descriptors() {
    let root = PrivateRoot::new();
    let path = root.path().join("socket");
    let listener = UnixListener::bind(&path).expect("bind");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("chmod");
    let mut other = Child::start(child("child_runs_as_another_user").env("SOCKET", &path));
    let answer = other.wait_for("uid ");
    if answer != NOBODY.to_string() {
        return skipped(&format!("SCM_RIGHTS between users: setresuid: {answer}"));
    }
    let files: Vec<File> = ["first", "second"]
        .iter()
        .map(|text| {
            let path = root.path().join(text);
            fs::write(&path, text).expect("write a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("chmod");
            File::open(&path).expect("open a file")
        })
        .collect();
    let (stream, _) = listener.accept().expect("accept");
    let descriptors: Vec<_> = files.iter().map(File::as_fd).collect();
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(control.push(SendAncillaryMessage::ScmRights(&descriptors)));
    sendmsg(&stream, &[IoSlice::new(b"x")], &mut control, SendFlags::NOSIGNAL).expect("sendmsg");
    assert_eq!(other.wait_for("by name "), "PermissionDenied", "the other user may not open the files");
    assert_eq!(other.wait_for("received "), "first,second");
}

#[test]
#[ignore = "the other user of scm_rights_crosses_users_with_several_descriptors"]
fn child_runs_as_another_user() {
    if !as_child() {
        return;
    }
    // The raw call changes this thread alone.
    // SAFETY: takes three numbers.
    if unsafe { libc::syscall(libc::SYS_setresuid, NOBODY, NOBODY, NOBODY) } != 0 {
        return println!("uid unchanged: {}", io::Error::last_os_error());
    }
    println!("uid {}", rustix::process::geteuid().as_raw());
    let socket = std::env::var_os("SOCKET").expect("SOCKET");
    let stream = UnixStream::connect(&socket).expect("connect");
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC).expect("recvmsg");
    let descriptors: Vec<OwnedFd> = control
        .drain()
        .filter_map(|message| if let RecvAncillaryMessage::ScmRights(rights) = message { Some(rights) } else { None })
        .flatten()
        .collect();
    let by_name = File::open(std::path::Path::new(&socket).with_file_name("first"));
    println!("by name {:?}", by_name.map(drop).expect_err("0600").kind());
    let texts: Vec<String> = descriptors
        .into_iter()
        .map(|descriptor| {
            let mut text = String::new();
            File::from(descriptor).read_to_string(&mut text).expect("read");
            text
        })
        .collect();
    println!("received {}", texts.join(","));
}

/// Advice: "Without PTHREAD_PROCESS_SHARED a mutex in shared memory fails with EINVAL." It works until a process has to
/// wait. That process is then never woken.
#[test]
fn a_mutex_without_process_shared_hangs_the_other_process() {
    assert!(woken(Sharing::ProcessesRobust), "a process-shared mutex wakes the process that waits for it");
    assert!(!woken(Sharing::Private), "a private mutex woke a process: the kernel or the C library changed");
}

/// Whether a process that waits for the mutex continues after this one unlocks it.
fn woken(sharing: Sharing) -> bool {
    let memory = MonitorMemory::new(sharing).expect("a mutex");
    let monitor = memory.map().expect("map it");
    assert_eq!(monitor.lock().expect("lock"), PreviousOwner::Unlocked);
    let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_fd().as_raw_fd());
    let mut other = Child::start(child("child_locks_mutex").env("MUTEX", path));
    let thread = other.wait_for("locking ");
    until_asleep(other.id(), &thread);
    monitor.unlock().expect("unlock");
    if sharing == Sharing::ProcessesRobust {
        // Only scheduling decides how long this takes, so wait without a limit.
        other.wait_for("locked");
        return true;
    }
    // The mutex must stay free while the other process keeps sleeping.
    std::thread::sleep(Duration::from_millis(300));
    let is_free = monitor.try_lock().is_ok();
    if is_free {
        monitor.unlock().expect("unlock");
    }
    !(is_free && is_asleep(other.id(), &thread))
}

#[test]
#[ignore = "the other process of a_mutex_without_process_shared_hangs_the_other_process"]
fn child_locks_mutex() {
    if as_child() {
        lock_mutex_of_parent();
    }
}

/// Prints `locking`, waits for the mutex that the parent named, and prints `locked`.
fn lock_mutex_of_parent() -> SharedMonitor {
    let path = std::env::var_os("MUTEX").expect("MUTEX");
    let file = File::options().read(true).write(true).open(path).expect("open the mutex's memory");
    let monitor = MonitorMemory::existing(file).map().expect("map it");
    println!("locking {}", rustix::thread::gettid().as_raw_nonzero());
    monitor.lock().expect("lock");
    println!("locked");
    monitor
}

/// Whether a thread sleeps in a futex: it is in state `S` and, if the kernel shows it, in that system call.
fn is_asleep(pid: u32, thread: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/task/{thread}/stat")).unwrap_or_default();
    let call = fs::read_to_string(format!("/proc/{pid}/task/{thread}/syscall")).unwrap_or_default();
    let in_futex = call.split_whitespace().next().is_none_or(|number| number == libc::SYS_futex.to_string());
    in_futex && stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('S'))
}

fn until_asleep(pid: u32, thread: &str) {
    let began = Instant::now();
    while !is_asleep(pid, thread) {
        assert!(began.elapsed() < Duration::from_secs(60), "the other process does not wait for the mutex");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Advice: "A crash of its holder locks a mutex for ever." Not a robust mutex: the next process repairs and continues.
#[test]
fn a_robust_mutex_tells_the_next_that_its_holder_died() {
    for repaired in [true, false] {
        let memory = MonitorMemory::new(Sharing::ProcessesRobust).expect("a mutex");
        let monitor = memory.map().expect("map it");
        let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_fd().as_raw_fd());
        let mut other = Child::start(child("child_locks_mutex_and_keeps_it").env("MUTEX", path));
        other.wait_for("locked");
        other.kill();
        assert_eq!(monitor.lock().expect("lock"), PreviousOwner::Died);
        if repaired {
            monitor.make_consistent().expect("pthread_mutex_consistent");
        }
        monitor.unlock().expect("unlock");
        match monitor.lock() {
            Ok(previous) => {
                assert!(repaired && previous == PreviousOwner::Unlocked);
                // Unlock before the memory is unmapped. Else this thread's list of held mutexes would point to unmapped
                // memory.
                monitor.unlock().expect("unlock");
            }
            Err(error) => assert!(!repaired && error.raw_os_error() == Some(libc::ENOTRECOVERABLE), "{error}"),
        }
    }
}

#[test]
#[ignore = "the other process of a_robust_mutex_tells_the_next_that_its_holder_died"]
fn child_locks_mutex_and_keeps_it() {
    if as_child() {
        // The mapping must exist while the process dies: the kernel reads the list of held mutexes in its memory.
        let _monitor = lock_mutex_of_parent();
        loop {
            std::thread::park();
        }
    }
}

/// Advice: "MAP_POPULATE makes sure that the memory is there." It hides a failure; `MADV_POPULATE_READ` reports it.
#[test]
fn map_populate_hides_failure() {
    let file = File::from(memfd_create("advice", MemfdFlags::CLOEXEC).expect("memfd"));
    ftruncate(&file, 4096).expect("one page");
    let map = MmapOptions::new().len(64 << 10).populate().map_raw_read_only(&file);
    let map = map.expect("MAP_POPULATE says that all is well though most pages lie beyond the file's end");
    let told = map.advise(Advice::PopulateRead).expect_err("MADV_POPULATE_READ tells");
    if told.raw_os_error() == Some(libc::EINVAL) {
        return skipped("MAP_POPULATE: MADV_POPULATE_READ needs Linux 5.14");
    }
    assert_eq!(told.raw_os_error(), Some(libc::EFAULT));
}

/// Advice: "A pipe holds 1 MiB." It holds 16 pages, 64 KiB on most machines. 1 MiB is the most that a user may ask for.
#[test]
fn a_pipe_holds_64_kib_by_default() {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).expect("pipe");
    let default = 16 * rustix::param::page_size();
    if fcntl_getpipe_size(&writer).expect("F_GETPIPE_SZ") < default {
        return skipped("pipes: this user is above fs.pipe-user-pages-soft, its pipes are smaller");
    }
    assert_eq!(fill(&writer), default);
    let ceiling = limit("/proc/sys/fs/pipe-max-size").expect("fs.pipe-max-size");
    match fcntl_setpipe_size(&writer, ceiling) {
        Ok(size) => assert_eq!((size, fill(&writer)), (ceiling, ceiling - default)),
        Err(error) => skipped(&format!("pipes: asking for fs.pipe-max-size, {ceiling} bytes: {error}")),
    }
    drop(reader);
}

/// Writes until the pipe is full. Returns the number of bytes.
fn fill(writer: &OwnedFd) -> usize {
    let mut written = 0;
    loop {
        match rustix::io::write(writer, &[0; 4096]) {
            Ok(length) => written += length,
            Err(Errno::AGAIN) => return written,
            Err(error) => panic!("write: {error}"),
        }
    }
}

/// Advice: "splice makes a pipe copy-free, hence better." The pipe holds the page itself, so a write changes the
/// message.
#[test]
fn a_spliced_message_changes_under_way() {
    let mut file = File::from(memfd_create("advice", MemfdFlags::CLOEXEC).expect("memfd"));
    file.write_all(b"what was sent").expect("write");
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).expect("pipe");
    assert_eq!(splice(&file, Some(&mut 0), &writer, None, 13, SpliceFlags::empty()), Ok(13));
    rustix::io::pwrite(&file, b"something new", 0).expect("write again");
    let mut message = [0; 13];
    File::from(reader).read_exact(&mut message).expect("read");
    assert_eq!(&message, b"something new");
}
