//! The library's threads leave signals to the program: one that the program blocks waits until the program takes it.
#![allow(unsafe_code)] // masks of signals, which rustix does not have

use std::any::Any;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use feed_ring::{Publisher, PublisherOptions, Subscriber, TryRecvError, WaitStrategy, Wake};
use feed_testing::{Child, PrivateRoot, as_child, child};
use rustix::process::{Pid, Signal, kill_process};

fn publisher(root: &Path) -> PublisherOptions<u64> {
    Publisher::options("r").root(root).capacity(8).wake(Wake::Fence)
}

fn subscriber(root: &Path) -> Subscriber<u64> {
    Subscriber::<u64>::options("r").root(root).wait(WaitStrategy::Block).open().unwrap()
}

/// Makes what has this thread of the library's.
fn hold(thread: &str, root: &Path) -> Box<dyn Any> {
    match thread {
        "feed-ring wake" => Box::new(publisher(root).wake(Wake::Thread).create().unwrap()),
        "feed-ring-serve" => {
            let sealed = Publisher::<u64>::options("r").capacity(8).wake(Wake::Fence);
            Box::new(sealed.serve(root.join("s")).create().unwrap())
        }
        "feed-ring watch" => {
            let publisher = publisher(root).create().unwrap();
            let mut subscriber = subscriber(root);
            assert_eq!(subscriber.recv_timeout(Duration::from_millis(20)), Err(TryRecvError::Empty));
            Box::new((publisher, subscriber))
        }
        "feed-ring notify" => {
            let publisher = publisher(root).create().unwrap();
            let subscriber = subscriber(root);
            let notifier = subscriber.notifier().unwrap();
            Box::new((publisher, subscriber, notifier))
        }
        other => panic!("no thread {other}"),
    }
}

/// The signals that a thread of this process blocks, one bit each.
fn blocked(task: &Path) -> u64 {
    let status = std::fs::read_to_string(task.join("status")).unwrap();
    u64::from_str_radix(status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap().trim(), 16).unwrap()
}

/// The thread of this process that has this name, of which the kernel keeps 15 bytes. A thread names itself, so it may not
/// have its name yet.
fn named(name: &str) -> PathBuf {
    let name = &name[..name.len().min(15)];
    let is_it = |task: &PathBuf| std::fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim_end() == name);
    for _ in 0..20_000 {
        let mut tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten().map(|task| task.path());
        if let Some(task) = tasks.find(is_it) {
            return task;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("no thread {name}");
}

/// SIGTERM alone.
fn term() -> libc::sigset_t {
    // SAFETY: a set of signals is plain data, and all zeros is a valid value.
    let mut set: libc::sigset_t = unsafe { std::mem::zeroed() };
    // SAFETY: it writes to `set` alone.
    unsafe { libc::sigaddset(&raw mut set, libc::SIGTERM) };
    set
}

/// Blocks SIGTERM in this thread (`SIG_BLOCK`), or no longer (`SIG_UNBLOCK`).
fn change(how: libc::c_int) -> std::io::Result<()> {
    // SAFETY: it reads the set, and the mask from before is not asked for.
    match unsafe { libc::pthread_sigmask(how, &term(), std::ptr::null_mut()) } {
        0 => Ok(()),
        code => Err(std::io::Error::from_raw_os_error(code)),
    }
}

/// Holds what has the thread `THREAD`, blocks SIGTERM and takes it each time that it comes. Is started with SIGTERM blocked,
/// so the test program's own main thread takes none.
#[test]
#[ignore = "a child of other tests"]
fn take_signals() {
    if !as_child() {
        return;
    }
    let thread = std::env::var("THREAD").unwrap();
    change(libc::SIG_UNBLOCK).unwrap();
    let before = blocked(Path::new("/proc/thread-self"));
    let _held = hold(&thread, &PathBuf::from(std::env::var("ROOT").unwrap()));
    assert_eq!(blocked(Path::new("/proc/thread-self")), before, "the caller's own mask is as it was");
    // A fault of the thread itself. Blocked, it would end the process without the handler, the guard's for example.
    for fault in [libc::SIGBUS, libc::SIGSEGV, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP, libc::SIGSYS] {
        assert_eq!(blocked(&named(&thread)) >> (fault - 1) & 1, 0, "{thread} blocks signal {fault}");
    }
    change(libc::SIG_BLOCK).unwrap();
    println!("\nblocked");
    let patience = libc::timespec { tv_sec: 60, tv_nsec: 0 };
    loop {
        // SAFETY: it reads both, and what it took is not asked for.
        let taken = unsafe { libc::sigtimedwait(&term(), std::ptr::null_mut(), &raw const patience) };
        println!("took {taken}");
    }
}

/// Sends SIGTERM many times to a program that blocks it and has this thread of the library's.
fn is_left_for_the_program(thread: &str) {
    let root = PrivateRoot::new();
    let mut command = child("take_signals");
    // SAFETY: the one call that the new process makes before it runs the program is allowed there.
    unsafe { command.pre_exec(|| change(libc::SIG_BLOCK)) };
    let mut taking = Child::start(command.env("ROOT", root.path()).env("THREAD", thread));
    taking.wait_for("blocked");
    let pid = Pid::from_raw(taking.id().cast_signed()).unwrap();
    for _ in 0..100 {
        kill_process(pid, Signal::TERM).unwrap();
        assert_eq!(taking.wait_for("took"), libc::SIGTERM.to_string());
    }
}

#[test]
fn the_thread_that_wakes_leaves_signals_to_the_program() {
    is_left_for_the_program("feed-ring wake");
}

#[test]
fn the_watcher_leaves_signals_to_the_program() {
    is_left_for_the_program("feed-ring watch");
}

#[test]
fn the_notifier_leaves_signals_to_the_program() {
    is_left_for_the_program("feed-ring notify");
}

#[test]
fn the_serving_thread_leaves_signals_to_the_program() {
    is_left_for_the_program("feed-ring-serve");
}
