//! The example of a late joiner's order book: at every position it is the book of one that was there from the start.

#[path = "../examples/late_join_book.rs"]
#[allow(dead_code, unreachable_pub)]
mod example;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use example::{Book, join, keep};
use feed::message::{Kind, Message, Side};
use feed::source::Source;
use feed::source::input::open;
use feed_ring::Publisher;
use feed_testing::{PrivateRoot, market_data};

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

#[test]
fn a_late_joiner_has_the_book_of_one_from_the_start() {
    let mut messages = Vec::new();
    for id in 0..3000u64 {
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
    let book = compare(&messages, 6);
    assert!(book.len() > 1000 && book.len() < 3000, "{}", book.len());
}

#[test]
fn the_book_of_a_real_day_is_the_same_for_a_late_joiner() {
    let Some(path) = market_data("esh4-glbx-mdp3-20231225.mbo.dbn.zst") else { return };
    let mut input = open(Path::new(&path), None, Arc::default()).unwrap();
    let mut messages = Vec::new();
    while let Some(message) = input.next_message().unwrap() {
        messages.push(message);
    }
    assert_eq!(messages.len(), 68_792);
    let book = compare(&messages, 8);
    println!("{} orders at the end", book.len());
    assert!(book.len() > 100);
}
