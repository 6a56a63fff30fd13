//! What a ring with its table refuses, and what a refusal leaves: two publishers, a table that somebody else has, a row of another
//! table, a table that is cut short under its reader.

use std::fs::OpenOptions;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::keyed::SnapshotError;
use feed_ring::table::{ReadError, WaitError};
use feed_ring::{
    CellReader, CellWriter, CreateError, KeyedPublisher, KeyedSubscriber, Subscriber, TableReader, TableWriter,
    TryRecvError, WaitStrategy, guard, in_process_keyed,
};
use feed_testing::{Child, PrivateRoot, as_child, child};
use rustix::process::{Resource, Rlimit, setrlimit};

type Message = [u64; 2];
type Feed = KeyedPublisher<u64, Message>;
type Late = KeyedSubscriber<u64, Message>;

fn create(root: &Path, slots: usize) -> Result<Feed, CreateError> {
    Feed::options("q").root(root).capacity(slots).rows(10).create_keyed()
}

fn publish(feed: &mut Feed, key: u64) -> u64 {
    let (row, number) = (feed.row(&key).unwrap(), feed.ring().published());
    feed.publish(row, &[key, number])
}

/// The directory that the error says is in use.
#[track_caller]
fn in_use(created: Result<Feed, CreateError>) -> String {
    match created {
        Err(CreateError::AlreadyPublished { path }) => path.file_name().unwrap().to_str().unwrap().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_publisher_is_refused_and_the_first_goes_on() {
    let root = PrivateRoot::new();
    let mut feed = create(root.path(), 4).unwrap();
    publish(&mut feed, 1);
    assert_eq!(in_use(create(root.path(), 4)), "q.ring");
    let second = TableWriter::<u64, Message>::options("q.table").root(&root).create_table();
    assert!(matches!(second, Err(CreateError::AlreadyPublished { .. })));
    assert_eq!((publish(&mut feed, 1), feed.ring().epoch(), feed.table().epoch()), (1, 1, 1));
}

#[test]
fn a_table_that_somebody_else_has_leaves_the_ring_and_its_numbers() {
    let root = PrivateRoot::new();
    let other = || TableWriter::<u64, u64>::options("q.table").root(&root).create_table().unwrap();
    let table = other();
    assert_eq!(in_use(create(root.path(), 4)), "q.table.ring");
    assert_eq!(root.names(), ["q.table.ring"], "the ring that was made for it is gone");
    table.close().unwrap();

    let mut feed = create(root.path(), 4).unwrap();
    let mut subscriber = Subscriber::<Message>::options("q").root(&root).open().unwrap();
    publish(&mut feed, 1);
    feed.leave();
    let table = other();
    for slots in [4, 8] {
        // Taken over, then replaced by a larger one.
        assert_eq!(in_use(create(root.path(), slots)), "q.table.ring");
    }
    assert_eq!(subscriber.try_recv(), Ok([1, 0]));
    assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Restarted { .. })));
    assert_eq!(subscriber.try_recv(), Err(TryRecvError::Superseded));
    table.close().unwrap();
    assert_eq!(publish(&mut create(root.path(), 8).unwrap(), 1), 1, "number 0 was given away");
}

/// One that takes over takes the ring first. It must never find the ring free and the table in use.
#[test]
fn a_publisher_that_goes_frees_the_table_before_the_ring() {
    let root = PrivateRoot::new();
    let ended = AtomicBool::new(false);
    let refused: Vec<String> = std::thread::scope(|threads| {
        let taking = threads.spawn(|| {
            let mut refused = Vec::new();
            while !ended.load(Ordering::Relaxed) {
                match create(root.path(), 4) {
                    Ok(feed) => feed.leave(),
                    created => refused.push(in_use(created)),
                }
            }
            refused
        });
        for round in 0..3_000 {
            match create(root.path(), 4) {
                Ok(feed) if round % 2 == 0 => feed.leave(),
                Ok(feed) => drop(catch_unwind(AssertUnwindSafe(|| {
                    let _feed = feed;
                    std::panic::resume_unwind(Box::new("it drops the publisher"));
                }))),
                Err(_) => {}
            }
        }
        ended.store(true, Ordering::Relaxed);
        taking.join().unwrap()
    });
    assert!(refused.iter().all(|path| path == "q.ring"), "the table was in use and the ring was free");
}

#[test]
fn a_row_that_has_no_key_is_refused_and_nothing_is_published() {
    let (mut old, _) = in_process_keyed::<u64, Message>(4, 10).unwrap();
    let rows = [1, 2].map(|key| old.row(&key).unwrap());
    let (mut feed, both) = in_process_keyed::<u64, Message>(4, 10).unwrap();
    publish(&mut feed, 1);
    let refused = catch_unwind(AssertUnwindSafe(|| feed.publish(rows[1], &[2, 1])));
    assert!(refused.is_err(), "a row without a key was stored into");
    assert_eq!((feed.ring().published(), feed.table().stores()), (1, 1));
    assert_eq!(publish(&mut feed, 3), 1);
    let snapshot = both.join(|message| Some(message[0])).snapshot().unwrap();
    assert_eq!(
        snapshot.rows.iter().map(|(key, stored)| (*key, stored.value)).collect::<Vec<_>>(),
        [(1, [1, 0]), (3, [3, 1])]
    );
}

#[test]
fn a_message_without_a_row_wakes_whoever_waits_for_the_table() {
    let (mut feed, both) = in_process_keyed::<u64, Message>(4, 10).unwrap();
    let mut late = both.join(|_| None);
    let waiting = std::thread::spawn(move || late.table().wait(0, Duration::MAX));
    std::thread::sleep(Duration::from_millis(50)); // so that it sleeps, most likely
    feed.publish_without_row(&[0, 0]);
    for _ in 0..3_000 {
        if waiting.is_finished() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(waiting.is_finished(), "it sleeps on");
    assert_eq!(waiting.join().unwrap(), Ok(true));
}

/// Starts with the guard, and may not leave a core file behind.
fn as_guarded_child() -> Option<String> {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if !as_child() || setrlimit(Resource::Core, none).is_err() {
        return None;
    }
    guard::install().unwrap();
    std::env::var("ROOT").ok()
}

fn cut(path: &Path, bytes: u64) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(bytes).unwrap();
}

/// Reads a table, a cell and a ring's table that were cut short to each of some lengths.
#[test]
#[ignore = "a child of another test"]
fn read_what_is_cut() {
    let Some(root) = as_guarded_child() else { return };
    for bytes in [0, 4096, 8192] {
        // Rows, and one value, of several pages.
        let mut table = TableWriter::<u64, [u64; 600]>::options("t").root(&root).capacity(4).create_table().unwrap();
        let mut cell = CellWriter::<[u64; 2_000]>::options("c").root(&root).create_cell().unwrap();
        let rows = [1, 2, 3, 4].map(|key| table.row(&key).unwrap());
        rows.iter().for_each(|row| _ = table.store(*row, &[5; 600]));
        cell.store(&[6; 2_000]);
        let options = TableReader::<u64, [u64; 600]>::options("t").root(&root).wait(WaitStrategy::Spin);
        let mut reader = options.open_table().unwrap();
        let mut book = CellReader::<[u64; 2_000]>::options("c").root(&root).open_cell().unwrap();
        assert_eq!(reader.get(rows[3]).unwrap().unwrap().value, [5; 600]);
        assert_eq!(book.get().unwrap().unwrap().value, [6; 2_000]);
        cut(&table.path().unwrap().join("segment"), bytes);
        cut(&cell.path().unwrap().join("segment"), bytes);
        assert_eq!(book.get(), Err(ReadError::CutShort), "{bytes}");
        assert_eq!(reader.get(rows[3]), Err(ReadError::CutShort), "{bytes}");
        for row in rows {
            assert_eq!(reader.get(row), Err(ReadError::CutShort), "{bytes}");
        }
        assert_eq!(reader.wait(0, Duration::from_secs(60)), Err(WaitError::CutShort(ReadError::CutShort)), "{bytes}");
        table.store(rows[0], &[7; 600]);
        assert!(table.is_cut_off());

        let mut feed = create(Path::new(&root), 4).unwrap();
        publish(&mut feed, 1);
        let mut late = Late::options("q").root(&root).open_keyed(|message| Some(message[0])).unwrap();
        assert_eq!(late.snapshot().unwrap().rows.len(), 1);
        cut(&feed.table().path().unwrap().join("segment"), bytes.min(4096));
        let error = late.snapshot().unwrap_err();
        assert!(matches!(error, SnapshotError::Read(ReadError::CutShort)), "{bytes}: {error}");
        std::mem::forget((table, cell, feed));
        std::fs::remove_dir_all(Path::new(&root).join("t.ring")).unwrap();
        std::fs::remove_dir_all(Path::new(&root).join("c.ring")).unwrap();
        std::fs::remove_dir_all(Path::new(&root).join("q.ring")).unwrap();
        std::fs::remove_dir_all(Path::new(&root).join("q.table.ring")).unwrap();
    }
    println!("\nall were told");
}

#[test]
fn a_table_that_is_cut_short_under_its_reader_is_told_of() {
    let root = PrivateRoot::new();
    let (status, said) = Child::start(child("read_what_is_cut").env("ROOT", root.path())).finish();
    assert!(status.success() && said.contains("all were told"), "{status}: {said}");
}
