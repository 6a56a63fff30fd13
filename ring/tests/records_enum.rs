//! An enum of structs as records: published by one process, received as the enum by another, in a crate that forbids unsafe code.
#![forbid(unsafe_code)]

use feed_ring::records::{RecordsFormat, UnknownRecord};
use feed_ring::{Join, OpenError, Payload, RecordPublisher, RecordSubscriber, Records};
use feed_testing::{PrivateRoot, as_child, child};

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Trade {
    time: u64,
    price: i64,
    size: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Quote {
    time: u64,
    bid: i64,
    ask: i64,
    sizes: [u32; 2],
}

#[derive(Clone, Copy, Debug, PartialEq, Payload)]
#[repr(C)]
struct Halt {
    reason: u16,
}

#[derive(Debug, PartialEq, Records)]
#[repr(u8)]
enum Event {
    Trade(Trade) = 4,
    Quote(Quote),
    Halt(Halt) = b'H',
}

/// The same names, another kind.
#[derive(Debug, PartialEq, Records)]
enum Other {
    Trade(Trade),
    Halt(Halt),
}

mod later {
    use feed_ring::Payload;

    #[derive(Clone, Copy, Debug, PartialEq, Payload)]
    #[repr(C)]
    pub(super) struct Trade {
        time: u64,
        price: i64,
        size: u32,
        venue: u32,
    }
}

/// The same kinds, one of which changed.
#[derive(Debug, PartialEq, Records)]
#[repr(u8)]
enum Later {
    Trade(later::Trade) = 4,
    Quote(Quote),
    Halt(Halt) = b'H',
}

const KIND_1: u8 = 7;

/// A discriminant is any constant.
#[derive(Debug, PartialEq, Records)]
#[repr(u8)]
enum Named {
    Trade(Trade) = KIND_1,
    Halt(Halt) = KIND_1 + 2,
}

fn event(number: u64) -> Event {
    match number % 3 {
        0 => Event::Trade(Trade { time: number, price: -7, size: number * 2 }),
        1 => Event::Quote(Quote { time: number, bid: 1, ask: number as i64, sizes: [3, 4] }),
        _ => Event::Halt(Halt { reason: number as u16 }),
    }
}

const EVENTS: u64 = 30;

#[test]
#[ignore = "a child of another test"]
fn publish_events() {
    if !as_child() {
        return;
    }
    let options = RecordPublisher::options("events", RecordsFormat::of::<Event>());
    let mut publisher = options.root(std::env::var("ROOT").unwrap()).capacity(256).keep(true).create_records().unwrap();
    for number in 0..EVENTS {
        assert_eq!(publisher.publish_as(&event(number)), Ok(number));
    }
}

#[test]
fn an_enum_is_received_by_another_process() {
    let root = PrivateRoot::new();
    assert!(child("publish_events").env("ROOT", root.as_ref()).status().unwrap().success());
    let options = || RecordSubscriber::options("events").root(&root).join(Join::Oldest);
    let mut subscriber = options().open_records_of(&RecordsFormat::of::<Event>()).unwrap();
    for number in 0..EVENTS {
        let record = subscriber.recv().unwrap();
        assert_eq!(record.number, number);
        assert_eq!(record.read_as(), Ok(event(number)));
    }
    // Whoever opens it without its type reads what the kinds are.
    let subscriber = options().open_records().unwrap();
    let format = subscriber.format().unwrap();
    let kinds: Vec<_> = format.kinds().map(|(kind, format)| (kind, format.size())).collect();
    assert_eq!((format.encoding(), kinds), ("structs", vec![(4, 24), (5, 32), (b'H', 2)]));
    assert!(format.kind(5).unwrap().schema().contains("sizes [u32;2] 24"), "{:?}", format.kind(5));

    let error = options().open_records_of(&RecordsFormat::of::<Other>()).unwrap_err();
    assert!(matches!(error, OpenError::Payload { .. }), "{error}");
    let text = error.to_string();
    for said in [
        "records of 3 kinds of structs",
        "kind 0 (Trade) is missing in the ring",
        "kind 4 (Trade) is missing in this program",
        "kind 1 (Halt) is missing in the ring",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let error = options().open_records_of(&RecordsFormat::of::<Later>()).unwrap_err().to_string();
    assert!(
        error.contains("kind 4 (Trade): size is u64 at byte 16 in the ring and u32 at byte 16 in this program"),
        "{error}"
    );
    let error = options().open_records_of(&RecordsFormat::encoded("dbn")).unwrap_err().to_string();
    assert!(error.contains("another encoding"), "{error}");
}

#[test]
fn kinds_are_discriminants() {
    assert_eq!([0, 1, 2].map(|number| event(number).kind()), [4, 5, b'H']);
    assert_eq!(Other::Halt(Halt { reason: 1 }).kind(), 1);
    assert_eq!(
        [Named::Trade(Trade { time: 0, price: 0, size: 0 }).kind(), Named::Halt(Halt { reason: 1 }).kind()],
        [7, 9]
    );
    assert_eq!(Event::read(b'H', &[9, 0]), Some(Event::Halt(Halt { reason: 9 })));
}

#[test]
fn what_is_no_kind_of_the_enum_is_an_error() {
    let (mut publisher, ring) = feed_ring::in_process_records(16).unwrap();
    let mut subscriber = ring.subscribe(Join::Oldest);
    publisher.publish(6, &[0; 24]).unwrap();
    publisher.publish(4, &[0; 23]).unwrap();
    for (kind, length) in [(6, 24), (4, 23)] {
        let error: UnknownRecord = subscriber.recv().unwrap().read_as::<Event>().unwrap_err();
        assert_eq!((error.kind, error.length), (kind, length));
        let text = error.to_string();
        assert!(text.contains(&format!("kind {kind}")) && text.contains("Event"), "{text}");
    }
}
