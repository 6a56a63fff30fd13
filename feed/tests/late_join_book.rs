//! The example of a late joiner's order book: at every position it is the book of one that was there from the start.

#[path = "../examples/late_join_book.rs"]
#[allow(dead_code, unreachable_pub)]
mod example;

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use example::{Book, Snapshot, join, keep};
use feed::message::{Kind, Message, Side};
use feed::source::Source;
use feed::source::input::open;
use feed_ring::{CellReader, Join, Payload, Publisher, Subscriber};
use feed_testing::{PrivateRoot, as_child, child, market_data};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Replays messages through a ring, with a keeper and several that join late, and compares all books at all positions.
fn compare(messages: &[Message], joins: usize) -> Book {
    let root = PrivateRoot::new();
    let mut publisher =
        Publisher::<Message>::options("orders").root(&root).capacity(1 << 17).keep(true).create().unwrap();
    let (kept, late) = std::thread::scope(|threads| {
        let keeper = threads.spawn(|| keep(root.path(), 100).unwrap());
        let mut late = Vec::new();
        for (number, message) in messages.iter().enumerate() {
            publisher.publish(message);
            if number % (messages.len() / joins) == 250 {
                late.push(threads.spawn(|| {
                    let mut sizes = BTreeMap::new();
                    let book = join(root.path(), |as_of, book| _ = sizes.insert(as_of, digest(book))).unwrap();
                    (sizes, book)
                }));
            }
            if number % 100 == 0 {
                std::thread::yield_now();
            }
        }
        publisher.close().unwrap();
        let late: Vec<_> = late.into_iter().map(|late| late.join().unwrap()).collect();
        (keeper.join().unwrap(), late)
    });
    assert!(late.len() >= joins - 1);
    let mut from_start = Book::default();
    for (number, message) in messages.iter().enumerate() {
        from_start.apply(message);
        let position = number as u64 + 1;
        let known = digest(&from_start);
        for (digests, _) in &late {
            assert_eq!(*digests.get(&position).unwrap_or(&known), known, "at {position}");
        }
    }
    for (digests, book) in &late {
        println!("joined at {}", digests.keys().next().unwrap());
        assert!(*book == from_start && digests.contains_key(&(messages.len() as u64)));
    }
    assert!(kept == from_start);
    from_start
}

/// What tells two books apart, without a copy of each.
fn digest(book: &Book) -> (usize, u64) {
    (book.len(), book.digest())
}

/// Orders that are added, cancelled in part or whole, and modified.
fn orders(count: u64) -> Vec<Message> {
    let mut messages = Vec::new();
    for id in 0..count {
        let order = |kind, id: u64, size| Message {
            order_id: id,
            price: (id % 70) as i64,
            size,
            side: Side::Bid as u8,
            ..Message::new(kind, id)
        };
        messages.push(order(Kind::Add, id, 10));
        if id % 2 == 0 {
            messages.push(order(Kind::Cancel, id / 2, 4 + id % 7));
        }
        if id % 5 == 0 {
            messages.push(order(Kind::Modify, id, 9));
        }
    }
    messages
}

#[test]
fn a_late_joiner_has_the_book_of_one_from_the_start() {
    let book = compare(&orders(3000), 6);
    assert!(book.len() > 1000 && book.len() < 3000, "{}", book.len());
}

#[test]
fn the_book_of_a_real_day_is_the_same_for_a_late_joiner() {
    let Some(path) = market_data(ESH4) else { return };
    let messages = of_file(&path);
    assert_eq!(messages.len(), 68_792);
    let book = compare(&messages, 8);
    println!("{} orders at the end", book.len());
    assert!(book.len() > 100);
}

const ESH4: &str = "esh4-glbx-mdp3-20231225.mbo.dbn.zst";

fn of_file(path: &Path) -> Vec<Message> {
    let mut input = open(path, None, Arc::default()).unwrap();
    let mut messages = Vec::new();
    while let Some(message) = input.next_message().unwrap() {
        messages.push(message);
    }
    messages
}

/// The root and the messages that a child's environment names.
fn of_child() -> (PathBuf, Vec<Message>) {
    let input = std::env::var_os("INPUT");
    (std::env::var_os("ROOT").unwrap().into(), for_deaths(input.as_ref().map(Path::new)))
}

/// The input of the tests with deaths: so many messages of a file, or generated ones.
fn for_deaths(input: Option<&Path>) -> Vec<Message> {
    let mut messages = input.map_or_else(|| orders(18_000), of_file);
    messages.truncate(30_000);
    messages
}

/// Smaller than the input: a keeper that is started again cannot begin from the first message.
const SLOTS: usize = 1 << 14;

/// Messages of one life of the publisher.
const QUOTA: u64 = 2_000;

/// Keeps the book until killed, or to the ring's end.
#[test]
#[ignore = "a child of another test"]
fn keep_until_killed() {
    if as_child() {
        let (root, _) = of_child();
        keep(&root, 100).unwrap();
    }
}

/// Takes the ring over and goes on with the input for some messages, slowly, until killed. Closes the ring at the input's end.
#[test]
#[ignore = "a child of another test"]
fn publish_until_killed() {
    if !as_child() {
        return;
    }
    let (root, messages) = of_child();
    let mut publisher = Publisher::<Message>::options("orders").root(root).capacity(SLOTS).keep(true).create().unwrap();
    for message in messages.iter().skip(publisher.published() as usize).take(QUOTA as usize) {
        if publisher.publish(message).is_multiple_of(50) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    match publisher.published() == messages.len() as u64 {
        true => publisher.close().unwrap(),
        false => publisher.leave(),
    }
}

/// How many messages were published.
fn published_in(root: &Path) -> u64 {
    let ring = Subscriber::<Message>::options("orders").root(root).join(Join::Latest).open();
    ring.map_or(0, |ring| ring.sequence())
}

/// The number that the newest book in the cell is as of.
fn stored_in(root: &Path, snapshot: &mut Snapshot) -> u64 {
    let cell = CellReader::<Snapshot>::options("orders.book").root(root).open_cell();
    let stored = cell.ok().and_then(|mut cell| cell.get_into(snapshot).unwrap());
    stored.map_or(0, |_| snapshot.as_of)
}

/// The keeper and the publisher are killed at random and started again while others come late. Every book at every position
/// is the one that was built from the first message on.
fn compare_while_all_are_killed(input: Option<&Path>) {
    let root = PrivateRoot::new();
    let messages = for_deaths(input);
    let mut book = Book::default();
    let mut digests = vec![digest(&book)];
    digests.extend(messages.iter().map(|message| {
        book.apply(message);
        digest(&book)
    }));
    let start = |name: &str| {
        let mut command = child(name);
        command.env("ROOT", root.path()).stdout(Stdio::null());
        input.map(|path| command.env("INPUT", path));
        command.spawn().unwrap()
    };
    let (joins, compared) = (AtomicU64::new(0), AtomicU64::new(0));
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let mut kills = [0; 2];
    std::thread::scope(|threads| {
        let late = || {
            let last = join(root.path(), |as_of, book| {
                assert_eq!(digest(book), digests[as_of as usize], "at {as_of}");
                compared.fetch_add(1, Ordering::Relaxed);
            });
            assert!(last.unwrap() == book, "at the end");
            joins.fetch_add(1, Ordering::Relaxed);
        };
        let mut keeper = start("keep_until_killed");
        let mut snapshot = Snapshot::zeroed_box();
        while published_in(root.path()) < messages.len() as u64 {
            // No publisher may get so far that the ring has overwritten what the next keeper must read.
            let mut waited = 0;
            while published_in(root.path()) > stored_in(root.path(), &mut snapshot) + SLOTS as u64 / 2 {
                assert!(keeper.try_wait().unwrap().is_none() && waited < 3_000, "the keeper failed, or stands still");
                waited += 1;
                std::thread::sleep(Duration::from_millis(5));
            }
            let mut publisher = start("publish_until_killed");
            if random.random_range(0..3) == 0 {
                threads.spawn(late);
            }
            std::thread::sleep(Duration::from_millis(random.random_range(10..60)));
            let which = random.random_range(0..4);
            if which < 2 {
                keeper.kill().unwrap();
                keeper.wait().unwrap();
                kills[0] += 1;
            }
            if which > 0 {
                publisher.kill().unwrap();
                kills[1] += 1;
            }
            let status = publisher.wait().unwrap();
            assert!(status.success() || status.signal() == Some(9), "a publisher failed: {status}");
            if which < 2 {
                keeper = start("keep_until_killed");
            }
        }
        // The last one may have been killed before it closed the ring.
        assert!(start("publish_until_killed").wait().unwrap().success(), "the last publisher failed");
        threads.spawn(late);
        assert!(keeper.wait().unwrap().success(), "the keeper failed");
    });
    println!("{kills:?} kills of the keeper and the publisher, {joins:?} joins, {compared:?} positions compared");
    assert!(kills[0] > 2 && kills[1] > 2 && joins.into_inner() > 2, "{kills:?}");
    assert!(compared.into_inner() > messages.len() as u64 / 10);
}

#[test]
fn a_late_joiner_has_the_book_of_one_from_the_start_while_keeper_and_publisher_are_killed() {
    compare_while_all_are_killed(None);
}

#[test]
fn the_book_of_a_real_day_is_the_same_while_keeper_and_publisher_are_killed() {
    if let Some(path) = market_data(ESH4) {
        compare_while_all_are_killed(Some(&path));
    }
}
