//! What can happen to a ring, as a stream tells it: its publisher is killed, another takes over, it is closed, another ring
//! replaces it, it is cut short, it was sealed.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use feed_ring::{Join, Publisher, PublisherOptions, Subscriber, SubscriberOptions, TryRecvError, guard};
use feed_ring_tokio::{AsyncSubscriber, Error};
use feed_testing::{Child, PrivateRoot, as_child, child};
use futures_util::StreamExt;
use futures_util::stream::FusedStream;

/// Where the publisher of a sealed ring serves it.
const SOCKET: &str = "socket";

fn options(root: &Path, sealed: bool) -> PublisherOptions<u64> {
    let options = Publisher::options("r").keep(true);
    if sealed { Publisher::options("r").serve(root.join(SOCKET)) } else { options.root(root) }
}

fn subscriber(root: &PrivateRoot, sealed: bool) -> AsyncSubscriber<Subscriber<u64>> {
    let options: SubscriberOptions<u64> = match sealed {
        true => Subscriber::connect(root.path().join(SOCKET)),
        false => Subscriber::options("r").root(root),
    };
    AsyncSubscriber::new(options.join(Join::Oldest).open_timeout(Duration::from_secs(20)).open().unwrap())
}

/// Follows its standard input: publishes each number; `close` closes the ring.
#[test]
#[ignore = "a child of other tests"]
fn publish_numbers_from_stdin() {
    if !as_child() {
        return;
    }
    let parameter = |name| std::env::var(name).unwrap();
    let options = options(Path::new(&parameter("ROOT")), parameter("SEALED") == "true");
    let mut publisher = options.capacity(parameter("CAPACITY").parse().unwrap()).create().unwrap();
    println!("\nready");
    for line in std::io::stdin().lines() {
        match &*line.unwrap() {
            "close" => return publisher.close().unwrap(),
            number => _ = publisher.publish(&number.parse().unwrap()),
        }
    }
}

/// A publisher in a process of its own, and the pipe to its standard input.
fn publisher(root: &PrivateRoot, sealed: bool, capacity: usize) -> (Child, std::io::PipeWriter) {
    let (told, tell) = std::io::pipe().unwrap();
    let mut command = child("publish_numbers_from_stdin");
    command.env("ROOT", root.path()).env("SEALED", sealed.to_string()).env("CAPACITY", capacity.to_string());
    let mut process = Child::start(command.stdin(told));
    process.wait_for("ready");
    (process, tell)
}

/// Runs the test in a runtime, and fails if it hangs.
fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { tokio::time::timeout(Duration::from_secs(60), test).await.expect("it hangs") });
}

/// The next item, awaited while `cause` happens after a while.
async fn next(
    stream: &mut AsyncSubscriber<Subscriber<u64>>,
    cause: impl FnOnce(),
) -> Option<Result<u64, TryRecvError>> {
    let later = async {
        tokio::time::sleep(Duration::from_millis(20)).await; // the stream waits by now, if it has to
        cause();
    };
    let (item, ()) = tokio::join!(stream.next(), later);
    item.map(|item| {
        item.map_err(|error| match error {
            Error::Ring(event) => event,
            error => panic!("{error}"),
        })
    })
}

/// A stream that has nothing to tell waits.
async fn assert_waits(stream: &mut AsyncSubscriber<Subscriber<u64>>) {
    let waited = tokio::time::timeout(Duration::from_millis(60), stream.next()).await;
    assert!(waited.is_err(), "{waited:?}");
}

#[test]
fn a_stream_tells_deaths_restarts_and_the_end_and_goes_on() {
    let root = PrivateRoot::new();
    let (mut process, mut tell) = publisher(&root, false, 8);
    run(async {
        let mut stream = subscriber(&root, false);
        assert_eq!(next(&mut stream, || writeln!(tell, "1").unwrap()).await, Some(Ok(1)));
        assert_waits(&mut stream).await;
        // A death, by SIGKILL. It is told once.
        assert_eq!(next(&mut stream, || process.kill()).await, Some(Err(TryRecvError::PublisherDead)));
        assert_waits(&mut stream).await;
        let restart = TryRecvError::Restarted { epoch: 2, sequence: 1 };
        let mut another = None;
        assert_eq!(next(&mut stream, || another = Some(publisher(&root, false, 8))).await, Some(Err(restart)));
        let (mut process, mut tell) = another.unwrap();
        assert_eq!(next(&mut stream, || writeln!(tell, "2").unwrap()).await, Some(Ok(2)));
        // A loss.
        assert_eq!(stream.get_ref().lost(), 0);
        for number in 3..50 {
            writeln!(tell, "{number}").unwrap();
        }
        while stream.get_ref().lag() < 47 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let item = next(&mut stream, || {}).await;
        let Some(Err(TryRecvError::Lagged { missed })) = item else { panic!("{item:?}") };
        for number in 3 + missed..50 {
            assert_eq!(next(&mut stream, || {}).await, Some(Ok(number)));
        }
        // A second death, noticed by `recv`, which the next call says again, and the stream does not.
        process.kill();
        for _ in 0..3 {
            assert!(matches!(stream.recv().await, Err(Error::Ring(TryRecvError::PublisherDead))));
        }
        assert_waits(&mut stream).await;
        // A close. The ring is kept, so that another publisher takes it over.
        let (_process, mut tell) = publisher(&root, false, 8);
        assert_eq!(next(&mut stream, || {}).await, Some(Err(TryRecvError::Restarted { epoch: 3, sequence: 49 })));
        assert_eq!(next(&mut stream, || writeln!(tell, "close").unwrap()).await, Some(Err(TryRecvError::Closed)));
        assert!(stream.is_terminated() && next(&mut stream, || {}).await.is_none());
        let (waited, _publisher) = tokio::join!(stream.wait_for_publisher(), async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            publisher(&root, false, 8)
        });
        waited.unwrap();
        assert!(!stream.is_terminated());
        assert_eq!(next(&mut stream, || {}).await, Some(Err(TryRecvError::Restarted { epoch: 4, sequence: 49 })));
        // Another ring replaces it.
        drop(_publisher);
        assert_eq!(next(&mut stream, || {}).await, Some(Err(TryRecvError::PublisherDead)));
        let mut replacing = None;
        let item = next(&mut stream, || replacing = Some(publisher(&root, false, 16))).await;
        assert_eq!(item, Some(Err(TryRecvError::Superseded)));
        assert!(next(&mut stream, || {}).await.is_none());
    });
}

#[test]
fn the_publisher_of_a_sealed_ring_is_killed() {
    let root = PrivateRoot::new();
    let (mut process, mut tell) = publisher(&root, true, 8);
    run(async {
        let mut stream = subscriber(&root, true);
        for number in 0..20 {
            assert_eq!(next(&mut stream, || writeln!(tell, "{number}").unwrap()).await, Some(Ok(number)));
        }
        assert_eq!(next(&mut stream, || process.kill()).await, Some(Err(TryRecvError::PublisherDead)));
        assert_waits(&mut stream).await;
    });
}

#[test]
fn a_closed_ring_ends_the_stream_and_leaves_nothing() {
    let root = PrivateRoot::new();
    run(async {
        let publisher = Publisher::<u64>::options("r").root(&root).create().unwrap();
        let mut stream = subscriber(&root, false);
        let item = next(&mut stream, || publisher.close().unwrap()).await;
        assert_eq!(item, Some(Err(TryRecvError::Closed)));
        assert!(next(&mut stream, || {}).await.is_none());
    });
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn a_ring_that_is_cut_short_ends_the_stream() {
    guard::install().unwrap();
    let root = PrivateRoot::new();
    run(async {
        let _publisher = Publisher::<u64>::options("r").root(&root).create().unwrap();
        let mut stream = subscriber(&root, false);
        let segment = std::fs::File::options().write(true).open(root.path().join("r.ring/segment")).unwrap();
        let item = next(&mut stream, || segment.set_len(0).unwrap()).await;
        assert_eq!(item, Some(Err(TryRecvError::CutShort)));
        assert!(next(&mut stream, || {}).await.is_none());
    });
}
