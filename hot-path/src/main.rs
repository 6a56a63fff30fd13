//! Runs one operation on a ring COUNT times, so that callgrind can count the instructions of its function. Prints how
//! the publisher finds sleepers, because the cost of publishing depends on it.

use std::hint::black_box;
use std::process::ExitCode;

use feed_ring::table::Stored;
use feed_ring::{
    InProcess, Join, Payload, Publisher, Subscriber, TryRecvError, WaitStrategy, in_process, in_process_keyed,
    in_process_records, in_process_table, raw,
};
use feed_ring_hot_path::{
    FourLines, OneLine, get_56, get_into_56, publish_56, publish_248, publish_array_56, publish_keyed_56,
    publish_record, recv_56, store_56, take_array_56, try_recv_56, try_recv_into_56, try_recv_into_248,
    try_recv_record,
};

const USAGE: &str = "usage: feed-ring-hot-path \
    (publish-56|try-recv-56|try-recv-into-56|recv-56|empty-56|publish-248|try-recv-into-248\
    |publish-array-56|take-array-56|publish-keyed-56|publish-store-56|get-into-56|get-56\
    |publish-record-LENGTH|try-recv-record-LENGTH) COUNT";

/// Slots of the ring, and the largest COUNT, two less.
const CAPACITY: usize = 1024;
const MOST: u64 = CAPACITY as u64 - 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [operation, count] = arguments.as_slice() else { return wrong("two arguments are needed") };
    match count.parse() {
        Ok(count) if count <= MOST && run(operation, count) => ExitCode::SUCCESS,
        Ok(count) if count <= MOST => wrong(&format!("there is no operation {operation:?}")),
        _ => wrong(&format!("COUNT is {count:?}, not a number up to {MOST}")),
    }
}

fn wrong(what: &str) -> ExitCode {
    eprintln!("feed-ring-hot-path: {what}; {USAGE}");
    ExitCode::from(2)
}

/// Runs the operation. False if there is none of this name.
fn run(operation: &str, count: u64) -> bool {
    let (mut one, ring_of_one) = ring::<OneLine>();
    let (mut four, ring_of_four) = ring::<FourLines>();
    let (mut short, mut long) = (black_box([7; 7]), black_box([31; 31]));
    match operation {
        "publish-56" => repeat(count, || assert!(publish_56(&mut one, &short) < count)),
        "publish-248" => repeat(count, || assert!(publish_248(&mut four, &long) < count)),
        "try-recv-56" => {
            let mut subscriber = follow(&mut one, &ring_of_one, &short, count);
            repeat(count, || assert_eq!(try_recv_56(&mut subscriber), Ok(short)));
        }
        "recv-56" => {
            let mut subscriber = follow(&mut one, &ring_of_one, &short, count);
            repeat(count, || assert_eq!(recv_56(&mut subscriber), Ok(short)));
        }
        "try-recv-into-56" => {
            let mut subscriber = follow(&mut one, &ring_of_one, &short, count);
            repeat(count, || assert_eq!(try_recv_into_56(&mut subscriber, &mut short), Ok(())));
        }
        "try-recv-into-248" => {
            let mut subscriber = follow(&mut four, &ring_of_four, &long, count);
            repeat(count, || assert_eq!(try_recv_into_248(&mut subscriber, &mut long), Ok(())));
        }
        "publish-store-56" | "get-into-56" | "get-56" => {
            let (mut table, readers) = in_process_table::<u32, OneLine>(2).expect("a table");
            let row = table.row(&7).expect("it has room");
            table.store(row, &short);
            if operation == "get-into-56" {
                let mut reader = readers.read();
                repeat(count, || assert_eq!(get_into_56(&mut reader, row, &mut short), Ok(Some(0))));
            } else if operation == "get-56" {
                let mut reader = readers.read();
                let expected = Ok(Some(Stored { value: short, number: 0 }));
                repeat(count, || assert_eq!(get_56(&mut reader, row), expected));
            } else {
                repeat(count, || assert!(store_56(&mut table, row, &short) <= count));
            }
        }
        "publish-array-56" => {
            let (mut publisher, _) = raw_ring();
            let message = black_box([7; 56]);
            repeat(count, || assert!(publish_array_56(&mut publisher, &message) < count));
        }
        "take-array-56" => {
            let (mut publisher, mut subscriber) = raw_ring();
            let mut message = black_box([7; 56]);
            (0..=count).for_each(|_| _ = publisher.publish(&message));
            assert!(subscriber.try_recv_into(&mut message).is_ok(), "the first one records its position");
            repeat(count, || assert!(take_array_56(&mut subscriber, &mut message)));
        }
        "publish-keyed-56" => {
            let (mut feed, _both) = in_process_keyed::<u32, OneLine>(CAPACITY, 2).expect("a ring and its table");
            let row = feed.row(&7).expect("it has room");
            repeat(count, || assert!(publish_keyed_56(&mut feed, row, &short) < count));
        }
        "empty-56" => {
            let mut subscriber = follow(&mut one, &ring_of_one, &short, 0);
            assert_eq!(
                subscriber.try_recv(),
                Err(TryRecvError::Empty),
                "the first empty call asks the kernel whether the publisher lives"
            );
            repeat(count, || assert_eq!(try_recv_56(&mut subscriber), Err(TryRecvError::Empty)));
        }
        _ => match (operation.strip_prefix("publish-record-"), operation.strip_prefix("try-recv-record-")) {
            (Some(length), _) => return length.parse().is_ok_and(|length| records(count, length, true)),
            (_, Some(length)) => return length.parse().is_ok_and(|length| records(count, length, false)),
            (None, None) => return false,
        },
    }
    println!("wake {:?}", one.wake());
    true
}

/// Publishes `count` records of `length` bytes, or receives them. False if the ring has no room for such records.
fn records(count: u64, length: usize, publishes: bool) -> bool {
    let (mut publisher, ring) = in_process_records(CAPACITY).expect("a ring of records");
    println!("wake {:?}", publisher.wake());
    let record = black_box(vec![7; length]);
    if length * (count as usize + 2) > CAPACITY * 48 {
        return false;
    }
    if publishes {
        repeat(count, || assert!(publish_record(&mut publisher, &record).is_ok()));
        return true;
    }
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Spin);
    for _ in 0..=count {
        publisher.publish(1, &record).expect("it is short enough");
    }
    assert!(subscriber.try_recv().is_ok());
    repeat(count, || assert!(try_recv_record(&mut subscriber).is_ok_and(|found| found.bytes == record)));
    true
}

/// Makes a subscriber for which `count` messages are waiting. It has received one message already, and recorded its
/// position then; the next time it does so is 1,024 messages later.
fn follow<T: Payload>(publisher: &mut Publisher<T>, ring: &InProcess<T>, message: &T, count: u64) -> Subscriber<T> {
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Spin);
    for _ in 0..=count {
        publisher.publish(message);
    }
    assert!(subscriber.try_recv().is_ok());
    subscriber
}

/// An untyped ring, which is on disk: there is none within a process. It is removed when the publisher is dropped.
fn raw_ring() -> (raw::Publisher, raw::Subscriber) {
    let name = format!("hot-path-{}", std::process::id());
    let options = raw::Publisher::options(&name, raw::MessageFormat::of::<OneLine>()).capacity(CAPACITY);
    let publisher = options.create_raw().expect("a ring");
    let options = raw::Subscriber::options(&name).join(Join::Oldest).wait(WaitStrategy::Spin);
    (publisher, options.open_raw().expect("a subscriber"))
}

fn repeat(count: u64, mut operation: impl FnMut()) {
    for _ in 0..count {
        operation();
    }
}

fn ring<T: Payload>() -> (Publisher<T>, InProcess<T>) {
    in_process(CAPACITY).expect("a ring on the heap")
}
