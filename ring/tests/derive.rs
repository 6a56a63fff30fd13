//! What `derive(Payload)` accepts, in a crate that forbids unsafe code.
#![forbid(unsafe_code)]
#![cfg(not(loom))]

use feed_ring::{Join, Payload, in_process};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Level {
    price: i64,
    orders: [u16; 4],
}

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Book {
    time: u64,
    levels: [Level; 2],
    best: Level,
    nothing: [u64; 0],
    mid: f64,
}

/// zerocopy's traits beside, as every message derived them once.
#[derive(Clone, Copy, Debug, PartialEq, FromBytes, IntoBytes, Immutable, KnownLayout, Payload)]
#[repr(C)]
struct Both {
    time: u64,
    side: u8,
    _padding: [u8; 7],
}

#[derive(Clone, Copy, Payload)]
#[repr(C, packed)]
struct Packed {
    side: u8,
    price: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(transparent)]
struct Price {
    r#type: i64,
}

#[derive(Clone, Copy, Payload)]
#[repr(C, align(64))]
struct Line {
    words: [u64; 8],
}

fn there_and_back<T: Payload + PartialEq + std::fmt::Debug>(message: T) {
    let (mut publisher, ring) = in_process::<T>(4).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    publisher.publish(&message);
    assert_eq!(publisher.publish_with(|zeros| assert_eq!(*zeros, T::zeroed())), 1);
    assert_eq!(subscriber.try_recv(), Ok(message));
    assert_eq!(subscriber.try_recv(), Ok(T::zeroed()));
}

#[test]
fn nested_structs_and_arrays_are_messages() {
    let best = Level { price: -3, orders: [1, 2, 3, 4] };
    there_and_back(Book { time: 7, levels: [best; 2], best, nothing: [], mid: 0.5 });
    assert_eq!(
        Book::SCHEMA.text::<Book>(),
        "Book 64 8\ntime u64 0\nlevels [{price:i64@0,orders:[u16;4]@8};2] 8\nbest.price i64 40\nbest.orders [u16;4] 48\n\
         nothing [u64;0] 56\nmid f64 56\n"
    );
}

#[test]
fn zerocopy_may_be_derived_beside() {
    let both = Both { time: 1, side: b'B', _padding: [0; 7] };
    there_and_back(both);
    assert_eq!(Both::read_from_bytes(both.as_bytes()), Ok(both));
}

#[test]
fn every_fixed_layout_is_accepted() {
    there_and_back(Price { r#type: 5 });
    assert_eq!(Price::SCHEMA.text::<Price>(), "Price 8 8\ntype i64 0\n");
    assert_eq!(Packed::SCHEMA.text::<Packed>(), "Packed 9 1\nside u8 0\nprice i64 1\n");
    assert_eq!(Line::SCHEMA.text::<Line>(), "Line 64 64\nwords [u64;8] 0\n");
}
