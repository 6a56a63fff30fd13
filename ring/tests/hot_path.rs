//! Publishing and receiving make no system call and allocate nothing: a million messages of 56 bytes under a seccomp
//! filter that kills on any system call, and under an allocator that counts.
#![allow(unsafe_code)] // a global allocator is an unsafe trait

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU64, Ordering};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError};
use feed_testing::{Child, PrivateRoot, as_child, child, kill_on_any_call};

struct Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

// SAFETY: forwards to the system's allocator; counting changes nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the same contract.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MESSAGES: u64 = 1_000_000;

/// Publishes a million messages under the filter and receives each. With `SYSCALL` set, it also makes a system call.
#[test]
#[ignore = "a child of other tests"]
fn publish_without_system_calls() {
    if !as_child() {
        return;
    }
    let root = std::env::var("ROOT").unwrap();
    let mut publisher = Publisher::<[u64; 7]>::options("hot").root(&root).capacity(1024).create().unwrap();
    let mut subscriber = Subscriber::<[u64; 7]>::options("hot").root(&root).join(Join::Oldest).open().unwrap();
    let with_syscall = std::env::var_os("SYSCALL").is_some();
    assert_eq!(
        subscriber.try_recv(),
        Err(TryRecvError::Empty),
        "this call also asks the kernel whether the publisher lives"
    );

    static DONE: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(move || {
        kill_on_any_call();

        let before = ALLOCATIONS.load(Ordering::Relaxed);
        let mut sum = 0u64;
        for sequence in 0..MESSAGES {
            publisher.publish(&[sequence; 7]);
            sum = sum.wrapping_add(subscriber.try_recv().map_or(0, |message| message[3] + 1));
        }
        let allocated = ALLOCATIONS.load(Ordering::Relaxed) - before;
        if with_syscall {
            std::thread::yield_now();
        }
        let fine = sum == MESSAGES * (MESSAGES + 1) / 2 && allocated == 0;
        DONE.store(if fine { 1 } else { 2 + allocated }, Ordering::Release);
        // Even ending the thread is a system call.
        loop {
            std::hint::spin_loop();
        }
    });
    while DONE.load(Ordering::Acquire) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    println!("\ndone {}", DONE.load(Ordering::Acquire));
    std::process::exit(0);
}

#[test]
fn a_million_messages_without_a_system_call_or_an_allocation() {
    let root = PrivateRoot::new();
    let mut publishing = Child::start(child("publish_without_system_calls").env("ROOT", root.path()));
    assert_eq!(publishing.wait_for("done"), "1");
}

#[test]
fn the_filter_kills_on_a_system_call() {
    let root = PrivateRoot::new();
    let publishing = Child::start(child("publish_without_system_calls").env("ROOT", root.path()).env("SYSCALL", "1"));
    let (status, output) = publishing.finish();
    assert_eq!(status.signal(), Some(31 /* SIGSYS */), "{output}");
}
