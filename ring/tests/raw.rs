//! Untyped handles behave as typed ones on the same ring.

use std::fs;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use feed_ring::raw::{self, MessageFormat};
use feed_ring::{Ahead, CreateError, Join, OpenError, Payload, Publisher, Subscriber, TryRecvError, Wake};
use feed_testing::PrivateRoot;
use proptest::prelude::*;
use rustix::event::{PollFd, PollFlags, poll};
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// One operation on a ring.
#[derive(Clone, Copy, Debug)]
enum Step {
    Publish(u8),
    PublishBatch(u8),
    TryRecv,
    Numbered,
    RecvTimeout,
    Batch(u8),
    Latest,
    /// The publisher closes, and another of the other kind takes over.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (1..12u8).prop_map(Step::Publish),
        1 => (0..12u8).prop_map(Step::PublishBatch),
        3 => Just(Step::TryRecv),
        2 => Just(Step::Numbered),
        1 => Just(Step::RecvTimeout),
        2 => (0..6u8).prop_map(Step::Batch),
        1 => Just(Step::Latest),
        1 => Just(Step::Restart),
    ]
}

/// Message `number` of some type. Its bytes differ from those of neighbouring messages.
fn message<T: FromBytes>(number: u64) -> T {
    let bytes: Vec<u8> = (0..size_of::<T>()).map(|place| (number * 31 + place as u64 * 7) as u8).collect();
    T::read_from_bytes(&bytes).unwrap()
}

/// A publisher of either kind.
enum Either<T> {
    Typed(Publisher<T>),
    Raw(raw::Publisher),
}

impl<T: Payload + IntoBytes + Immutable> Either<T> {
    fn make(root: &PrivateRoot, raw: bool) -> Self {
        let format = MessageFormat::of::<T>();
        match raw {
            false => Either::Typed(Publisher::options("r").root(root).capacity(8).keep(true).create().unwrap()),
            true => {
                let options = raw::Publisher::options("r", format).root(root).capacity(8).keep(true);
                Either::Raw(options.create_raw().unwrap())
            }
        }
    }

    /// The length of every other message is one that the compiler knows: `N` is the size of a `T`.
    fn publish<const N: usize>(&mut self, message: &T) -> u64 {
        match self {
            Either::Typed(publisher) => publisher.publish(message),
            Either::Raw(publisher) if publisher.published() % 2 == 0 => publisher.publish(message.as_bytes()),
            Either::Raw(publisher) => publisher.publish_array::<N>(message.as_bytes().try_into().unwrap()),
        }
    }

    fn publish_batch<const N: usize>(&mut self, messages: &[T]) -> Range<u64> {
        match self {
            Either::Typed(publisher) => publisher.publish_batch(messages),
            Either::Raw(publisher) if publisher.published() % 2 == 0 => publisher.publish_batch(messages.as_bytes()),
            Either::Raw(publisher) => publisher.publish_arrays(messages.as_bytes().as_chunks::<N>().0),
        }
    }

    fn epoch(&self) -> u64 {
        match self {
            Either::Typed(publisher) => publisher.epoch(),
            Either::Raw(publisher) => publisher.epoch(),
        }
    }

    fn close(self) {
        match self {
            Either::Typed(publisher) => publisher.close().unwrap(),
            Either::Raw(publisher) => publisher.close().unwrap(),
        }
    }
}

/// Runs the same operations on a typed and an untyped subscriber, with publishers of either kind, and compares what
/// they return.
fn both_agree<T: Payload + FromBytes + IntoBytes + Immutable + PartialEq + std::fmt::Debug, const N: usize>(
    steps: &[Step],
    mut raw: bool,
) {
    let root = PrivateRoot::new();
    let mut publisher = Either::<T>::make(&root, raw);
    let mut typed = Subscriber::<T>::options("r").root(&root).join(Join::Oldest).open().unwrap();
    let mut bytes = raw::Subscriber::options("r").root(&root).join(Join::Oldest).open_raw().unwrap();
    assert_eq!(bytes.format(), &MessageFormat::of::<T>());
    let size = size_of::<T>();
    let mut buffer = vec![0; size];
    let read = |bytes: &[u8]| T::read_from_bytes(bytes).unwrap();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Publish(count) => {
                for _ in 0..count {
                    let next = typed.sequence() + typed.lag();
                    assert_eq!(publisher.publish::<N>(&message(next)), next);
                }
            }
            Step::PublishBatch(count) => {
                let next = typed.sequence() + typed.lag();
                let numbers = next..next + u64::from(count);
                let messages: Vec<T> = numbers.clone().map(message).collect();
                assert_eq!(publisher.publish_batch::<N>(&messages), numbers);
            }
            Step::TryRecv => {
                let is_taken = number % 2 == 0 && bytes.take_array::<N>((&mut buffer[..]).try_into().unwrap());
                let received = if is_taken { Ok(()) } else { bytes.try_recv_into(&mut buffer) };
                let received = received.map(|()| read(&buffer));
                assert_eq!(typed.try_recv(), received, "step {number}");
            }
            Step::Numbered => {
                let (at, epoch) = (typed.sequence(), publisher.epoch());
                let received = match number % 3 {
                    0 => (bytes.try_recv_numbered(&mut buffer), typed.try_recv_numbered()),
                    1 => (
                        bytes.recv_timeout_numbered(&mut buffer, Duration::ZERO),
                        typed.recv_timeout_numbered(Duration::ZERO),
                    ),
                    _ => (bytes.latest_numbered(&mut buffer), typed.latest_numbered()),
                };
                let (bytes, typed) = (received.0.map(|received| received.map(read)), received.1);
                assert_eq!(typed, bytes, "step {number}");
                assert!(typed.is_err() || typed.is_ok_and(|one| one.number >= at && one.epoch <= epoch));
            }
            Step::RecvTimeout => {
                let received = bytes.recv_timeout_into(&mut buffer, Duration::ZERO).map(|()| read(&buffer));
                assert_eq!(typed.recv_timeout(Duration::ZERO), received, "step {number}");
            }
            Step::Batch(count) => {
                let (mut ones, mut others) = (vec![message::<T>(0); count.into()], vec![0; size * usize::from(count)]);
                let one = typed.recv_batch(&mut ones);
                let other = match number % 2 {
                    0 => bytes.recv_batch_arrays(others.as_chunks_mut::<N>().0),
                    _ => bytes.recv_batch_into(&mut others),
                };
                assert_eq!(one, other, "step {number}");
                let others = others.chunks(size).map(read);
                assert!(ones.into_iter().zip(others).take(one.unwrap_or(0)).all(|(one, other)| one == other));
            }
            Step::Latest => {
                let received = bytes.latest_into(&mut buffer).map(|()| read(&buffer));
                assert_eq!(typed.latest(), received, "step {number}");
            }
            Step::Restart => {
                publisher.close();
                raw = !raw;
                publisher = Either::make(&root, raw);
            }
        }
        let account = bytes.account();
        let same = raw::Account {
            first: typed.first(),
            received: typed.received(),
            lost: typed.lost(),
            skipped: typed.skipped(),
            sequence: typed.sequence(),
            epoch: typed.epoch(),
        };
        assert_eq!(account, same, "step {number}");
        assert_eq!(account.first + account.received + account.lost + account.skipped, account.sequence);
        assert_eq!(bytes.lag(), typed.lag());
    }
    publisher.close();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn typed_and_raw_handles_agree(steps in prop::collection::vec(step(), 1..40), raw: bool) {
        both_agree::<u8, 1>(&steps, raw);
        both_agree::<u64, 8>(&steps, raw);
        both_agree::<[u8; 57], 57>(&steps, raw);
        both_agree::<[u64; 7], 56>(&steps, raw);
        both_agree::<[u64; 127], 1016>(&steps, raw);
    }
}

#[test]
fn a_raw_publisher_owns_lines_ahead_and_serves() {
    let root = PrivateRoot::new();
    let socket = root.path().join("r.sock");
    let format = MessageFormat::of::<[u64; 20]>();
    let options = raw::Publisher::options("r", format.clone()).serve(&socket).capacity(4);
    let mut publisher = options.ahead(Ahead::Two).create_raw().unwrap();
    let mut subscriber = Subscriber::<[u64; 20]>::connect(&socket).join(Join::Oldest).open().unwrap();
    let mut bytes = raw::Subscriber::connect(&socket).join(Join::Oldest).open_raw().unwrap();
    assert_eq!((publisher.subscribers().unwrap(), publisher.path().unwrap()), (2, &*socket));
    let mut buffer = [0; 160];
    for number in 0..50 {
        assert_eq!(publisher.publish(message::<[u64; 20]>(number).as_bytes()), number);
        assert_eq!(subscriber.recv(), Ok(message(number)));
        bytes.recv_into(&mut buffer).unwrap();
        assert_eq!(buffer, message::<[u64; 20]>(number).as_bytes());
    }
    let notifier = bytes.notifier().unwrap();
    notifier.arm_raw(&bytes);
    assert_eq!((publisher.format(), publisher.epoch(), publisher.published()), (&format, 1, 50));
    publisher.close().unwrap();
    poll(&mut [PollFd::new(&notifier, PollFlags::IN)], None).unwrap();
    assert_eq!(bytes.try_recv_into(&mut buffer), Err(TryRecvError::Closed));
    notifier.clear();
    notifier.arm_raw_for_publisher(&bytes);
    assert!(!bytes.wait_for_publisher(Duration::ZERO) && !bytes.publisher_is_alive());
}

#[test]
fn formats_and_buffers_that_do_not_fit_are_refused() {
    let root = PrivateRoot::new();
    for schema in ["", "Tick", "Tick 8 3\n", "Tick 8 8\nprice i64 4\n", "Tick 8 0\n"] {
        assert!(MessageFormat::parse(schema).is_err(), "{schema:?}");
    }
    let empty = MessageFormat::parse("Nothing 0 1\n").unwrap();
    match raw::Publisher::options("r", empty).root(&root).create_raw() {
        Err(CreateError::Message { name, found: 0, .. }) => assert_eq!(name, "Nothing"),
        other => panic!("{other:?}"),
    }
    let endless = MessageFormat::parse(&format!("Endless {} 8\n", u64::MAX)).unwrap();
    let refused = raw::Publisher::options("r", endless).root(&root).create_raw();
    assert!(matches!(refused, Err(CreateError::Message { what: "data", .. })), "{refused:?}");
    let format = MessageFormat::parse("Tick 16 8\ntime u64 0\nprice i64 8\n").unwrap();
    assert_eq!((format.size(), format.align()), (16, 8));
    let mut publisher = raw::Publisher::options("r", format).root(&root).capacity(4).create_raw().unwrap();
    let other = Subscriber::<[u64; 2]>::options("r").root(&root).open();
    assert!(matches!(other, Err(OpenError::Payload { .. })), "the same size, another schema");
    let mut subscriber = raw::Subscriber::options("r").root(&root).open_raw().unwrap();
    let refused = |call: &mut dyn FnMut()| std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)).is_err();
    assert!(refused(&mut || _ = publisher.publish(&[0; 15])));
    assert!(refused(&mut || _ = publisher.publish(&[0; 17])));
    assert!(refused(&mut || _ = publisher.publish_batch(&[0; 33])));
    assert!(refused(&mut || _ = publisher.publish_array(&[0; 8])));
    assert!(refused(&mut || _ = publisher.publish_arrays::<8>(&[])));
    assert!(refused(&mut || _ = subscriber.recv_batch_arrays(&mut [[0; 8]])));
    assert_eq!(publisher.publish(&[0; 16]), 0);
    assert!(!subscriber.take_array(&mut [0; 8]), "of another size");
    assert!(!subscriber.take_array(&mut [0; 24]), "of another size");
    assert_eq!(subscriber.try_recv_into(&mut [0; 16]), Ok(()));
    assert!(refused(&mut || _ = subscriber.try_recv_into(&mut [0; 15])));
    assert!(refused(&mut || _ = subscriber.recv_batch_into(&mut [0; 17])));
    assert_eq!((publisher.published(), subscriber.account().sequence), (1, 1), "nothing else was done");
    publisher.close().unwrap();
}

#[test]
fn a_raw_publisher_tells_how_it_wakes_and_where_its_segment_is() {
    let root = PrivateRoot::new();
    let format = MessageFormat::of::<u64>();
    for wake in [Wake::Fence, Wake::Thread] {
        let typed = Publisher::<u64>::options("typed").root(&root).capacity(4096).wake(wake).create().unwrap();
        let options = raw::Publisher::options("raw", format.clone()).root(&root).capacity(4096).wake(wake);
        let raw = options.create_raw().unwrap();
        assert_eq!((typed.wake(), raw.wake()), (wake, wake));
        let [one, other] = [typed.placement().unwrap(), raw.placement().unwrap()];
        assert!(other.mapped >= 4096 * 64 && other.resident >= 4096 * 64, "{other:?}");
        assert_eq!(other.mapped, one.mapped);
    }
}

/// A header whose alignment is not that of its schema: the format could be handed on to other rings.
#[test]
fn a_header_that_contradicts_its_schema_is_refused() {
    let root = PrivateRoot::new();
    let _publisher = Publisher::<u64>::options("r").root(&root).capacity(4).create().unwrap();
    let segment = fs::OpenOptions::new().write(true).open(root.path().join("r.ring/segment")).unwrap();
    segment.write_all_at(&3u64.to_ne_bytes(), 52 * 8).unwrap();
    match raw::Subscriber::options("r").root(&root).open_raw() {
        Err(OpenError::Geometry { what, found: 3, expected: 8, .. }) => assert_eq!(what, "the payload's alignment"),
        other => panic!("{other:?}"),
    }
}
