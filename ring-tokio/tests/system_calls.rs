//! A message that is there is received without a system call: a million under a seccomp filter that kills on any.

use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicU64, Ordering};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError};
use feed_ring_tokio::AsyncSubscriber;
use feed_testing::{Child, PrivateRoot, as_child, child, kill_on_any_call};
use futures_util::StreamExt;

const MESSAGES: u64 = 1_000_000;

/// Publishes a million messages under the filter and receives each, every other one from the stream. With `WAIT` set, it then
/// waits for one that is not there.
#[test]
#[ignore = "a child of other tests"]
fn receive_without_system_calls() {
    if !as_child() {
        return;
    }
    let root = std::env::var("ROOT").unwrap();
    let mut publisher = Publisher::<[u64; 7]>::options("hot").root(&root).capacity(1024).create().unwrap();
    let subscriber = Subscriber::<[u64; 7]>::options("hot").root(&root).join(Join::Oldest).open().unwrap();
    let mut subscriber = AsyncSubscriber::new(subscriber);
    let waits = std::env::var_os("WAIT").is_some();
    // This call also asks the kernel whether the publisher lives.
    assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Empty)));

    static DONE: AtomicU64 = AtomicU64::new(0);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(tokio::task::unconstrained(async move {
            kill_on_any_call();

            let mut sum = 0u64;
            for sequence in 0..MESSAGES {
                publisher.publish(&[sequence; 7]);
                let received =
                    if sequence % 2 == 0 { subscriber.recv().await } else { subscriber.next().await.unwrap() };
                sum = sum.wrapping_add(received.map_or(0, |message| message[3] + 1));
            }
            if waits {
                let _ = subscriber.recv().await;
            }
            DONE.store(if sum == MESSAGES * (MESSAGES + 1) / 2 { 1 } else { 2 }, Ordering::Release);
            // Even ending the thread is a system call.
            loop {
                std::hint::spin_loop();
            }
        }))
    });
    while DONE.load(Ordering::Acquire) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    println!("\ndone {}", DONE.load(Ordering::Acquire));
    std::process::exit(0);
}

#[test]
fn a_million_messages_without_a_system_call() {
    let root = PrivateRoot::new();
    let mut receiving = Child::start(child("receive_without_system_calls").env("ROOT", root.path()));
    assert_eq!(receiving.wait_for("done"), "1");
}

#[test]
fn the_filter_kills_a_subscriber_that_waits() {
    let root = PrivateRoot::new();
    let receiving = Child::start(child("receive_without_system_calls").env("ROOT", root.path()).env("WAIT", "1"));
    let (status, output) = receiving.finish();
    assert_eq!(status.signal(), Some(31 /* SIGSYS */), "{output}");
}
