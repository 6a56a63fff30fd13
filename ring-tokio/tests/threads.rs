//! A subscriber has the threads that its documentation states, and none before it has to wait. A program of its own: it
//! counts every thread of the process.

use std::time::{Duration, Instant};

use feed_ring::{Join, Publisher, Subscriber, TryRecvError, in_process};
use feed_ring_tokio::{AsyncSubscriber, Error};
use feed_testing::PrivateRoot;

/// The names of the library's threads in this process, sorted.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
    let mut ours =
        Vec::from_iter(names.map(|name| name.trim().to_owned()).filter(|name| name.starts_with("feed-ring")));
    ours.sort();
    ours
}

/// Waits until the library has exactly these threads.
#[track_caller]
fn assert_threads(notify: usize, watch: usize) {
    let expected = [vec!["feed-ring notif"; notify], vec!["feed-ring watch"; watch]].concat(); // the kernel keeps 15 bytes
    let begun = Instant::now();
    while threads() != expected {
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}, {expected:?} expected", threads());
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(threads(), expected, "it stays so");
}

/// Polls a receive that finds nothing, so that the subscriber waits.
async fn wait(subscriber: &mut AsyncSubscriber<Subscriber<u64>>) {
    tokio::select! {
        biased;
        received = subscriber.recv() => panic!("{received:?}"),
        () = tokio::task::yield_now() => {}
    }
}

#[test]
fn threads_are_started_when_they_are_needed_and_end() {
    let root = PrivateRoot::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let mut publisher = Publisher::<u64>::options("r").root(&root).create().unwrap();
    let open = || Subscriber::<u64>::options("r").root(&root).join(Join::Oldest).open().unwrap();
    runtime.block_on(async {
        publisher.publish(&1);
        let mut subscriber = AsyncSubscriber::new(open());
        assert_eq!(subscriber.recv().await.unwrap(), 1);
        assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Empty)));
        assert_threads(0, 0); // it never waited
        for _ in 0..100 {
            wait(&mut subscriber).await;
        }
        assert_threads(1, 1);
        assert_eq!(subscriber.into_inner().received(), 1);
        assert_threads(0, 0);

        let mut many = Vec::from_iter((0..32).map(|_| AsyncSubscriber::new(open())));
        for subscriber in &mut many {
            assert_eq!(subscriber.recv().await.unwrap(), 1);
            wait(subscriber).await;
        }
        assert_threads(32, 32);
        drop(many);
        assert_threads(0, 0);

        let (_publisher, ring) = in_process::<u64>(64).unwrap();
        let mut within = AsyncSubscriber::new(ring.subscribe(Join::Oldest));
        wait(&mut within).await;
        assert_threads(1, 0);
    });
    assert_threads(0, 0);

    // The runtime ends while a task waits.
    let mut waiting = AsyncSubscriber::new(open());
    let task = runtime.spawn(async move {
        assert_eq!(waiting.recv().await.unwrap(), 1);
        waiting.recv().await.map(drop)
    });
    runtime.block_on(tokio::task::yield_now());
    assert_threads(1, 1);
    drop(runtime);
    assert_threads(0, 0);
    assert!(task.is_finished());

    // A subscriber that outlives a runtime goes on in another one.
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let mut subscriber = AsyncSubscriber::new(open());
    runtime().block_on(async {
        assert_eq!(subscriber.recv().await.unwrap(), 1);
        wait(&mut subscriber).await;
    });
    let outcome = runtime().block_on(subscriber.recv()).map(drop);
    assert!(matches!(outcome, Err(Error::Wait(_))), "{outcome:?}"); // the runtime that it waited in is gone
    publisher.publish(&2);
    assert_eq!(runtime().block_on(subscriber.recv()).unwrap(), 2);
}
