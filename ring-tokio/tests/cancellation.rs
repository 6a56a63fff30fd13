//! Futures dropped at random lose nothing and receive nothing twice: 100,000 of each kind of subscriber, while a publisher
//! publishes at a random pace and other publishers take its ring over.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use feed_ring::raw::{self, Account};
use feed_ring::records::{Record, RecordsFormat};
use feed_ring::{Join, Publisher, PublisherOptions, RecordPublisher, RecordSubscriber, Subscriber, TryRecvError};
use feed_ring_tokio::{AsyncSubscriber, Error, OwnedRecord, RecordBatch, Source};
use feed_testing::PrivateRoot;
use futures_util::StreamExt;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::task::coop;

const CANCELLATIONS: u64 = 100_000;
/// The fewest publishers, one after the other.
const EPOCHS: u64 = 20;
const CAPACITY: usize = 256;
/// Messages of a batch.
const BATCH: usize = 16;

/// Publishes numbered messages at a random pace until `done`, then closes the ring. Now and then another publisher takes
/// over. Returns how many messages and how many publishers there were.
fn publish<P>(
    mut rng: ChaCha8Rng,
    done: &AtomicBool,
    create: impl Fn() -> P,
    publish: impl Fn(&mut P, u64),
    leave: impl Fn(P),
    close: impl Fn(P),
) -> (u64, u64) {
    let (mut publisher, mut next, mut epoch) = (create(), 0, 1);
    while !done.load(Ordering::Relaxed) || epoch < EPOCHS {
        for _ in 0..rng.random_range(1..40) {
            publish(&mut publisher, next);
            next += 1;
        }
        match rng.random_range(0..1000) {
            0..4 => {
                leave(publisher);
                thread::sleep(Duration::from_micros(rng.random_range(0..300)));
                publisher = create();
                epoch += 1;
            }
            4..14 => thread::sleep(Duration::from_micros(rng.random_range(0..300))),
            14..300 => thread::yield_now(),
            _ => (0..rng.random_range(0..2_000)).for_each(|_| std::hint::spin_loop()),
        }
    }
    close(publisher);
    (next, epoch)
}

/// What the test received, by the messages' own numbers.
#[derive(Debug, Default)]
struct Received {
    next: u64,
    messages: u64,
    lost: u64,
    epoch: u64,
    deaths: u64,
    closed: bool,
}

impl Received {
    fn message(&mut self, number: u64) {
        assert_eq!(number, self.next, "a message was lost without a word, or came twice");
        self.next += 1;
        self.messages += 1;
    }

    fn event(&mut self, error: Error) {
        match error {
            Error::Ring(TryRecvError::Lagged { missed }) => {
                self.next += missed;
                self.lost += missed;
            }
            Error::Ring(TryRecvError::Restarted { epoch, sequence }) => {
                // A loss may reach over several beginnings, of which the last is told.
                assert!(
                    epoch > self.epoch.max(1) && (sequence == self.next || self.lost > 0),
                    "{epoch} {sequence} {self:?}"
                );
                assert!(sequence <= self.next, "{sequence} {self:?}");
                self.epoch = epoch;
            }
            // It was so far behind that the ring no longer tells all beginnings; the next event tells the last.
            Error::Ring(TryRecvError::RestartsUnknown { .. }) => assert!(self.lost > 0, "{self:?}"),
            Error::Ring(TryRecvError::PublisherDead) => self.deaths += 1,
            Error::Ring(TryRecvError::Closed) => self.closed = true,
            other => panic!("{other}: {self:?}"),
        }
    }
}

/// Drives a future for a while, and drops it if it is not ready by then. `None` if so.
async fn at_most_for_a_while<R>(rng: &mut impl Rng, future: impl Future<Output = R>) -> Option<R> {
    match rng.random_range(0..200) {
        // A timer: the runtime sleeps meanwhile.
        0 => tokio::time::timeout(Duration::from_micros(rng.random_range(0..1_500)), future).await.ok(),
        // Another task is ready first, or after a few more polls.
        1..60 => {
            let yields = rng.random_range(0..8);
            let others = async {
                for _ in 0..yields {
                    tokio::task::yield_now().await
                }
            };
            tokio::select! {
                biased;
                result = future => Some(result),
                () = others => None,
            }
        }
        // Nothing of the task's budget is left, whether there is a message or not.
        60..90 => {
            while coop::has_budget_remaining() {
                coop::consume_budget().await;
            }
            let result = poll_once(future);
            tokio::task::yield_now().await;
            result
        }
        _ => poll_once(future),
    }
}

fn poll_once<R>(future: impl Future<Output = R>) -> Option<R> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => Some(result),
        Poll::Pending => None,
    }
}

/// A kind of subscriber, as the test uses it.
trait Kind: Source + Sized {
    fn number(message: Self::Message<'_>) -> u64;
    fn number_of_owned(message: Self::Owned) -> u64;
    fn batch() -> Box<Self::Batch>;
    fn numbers(batch: &Self::Batch, count: usize) -> Vec<u64>;
    fn account(&self) -> Account;
}

fn number(bytes: &[u8]) -> u64 {
    let number = u64::from_le_bytes(bytes[..8].try_into().unwrap());
    assert!(bytes.iter().skip(8).all(|&byte| byte == number as u8), "a torn record: {bytes:?}");
    number
}

impl Kind for Subscriber<u64> {
    fn number(message: u64) -> u64 {
        message
    }
    fn number_of_owned(message: u64) -> u64 {
        message
    }
    fn batch() -> Box<[u64]> {
        Box::new([0; BATCH])
    }
    fn numbers(batch: &[u64], count: usize) -> Vec<u64> {
        batch[..count].to_vec()
    }
    fn account(&self) -> Account {
        Account {
            first: self.first(),
            received: self.received(),
            lost: self.lost(),
            skipped: self.skipped(),
            sequence: self.sequence(),
            epoch: self.epoch(),
        }
    }
}

impl Kind for raw::Subscriber {
    fn number(message: &[u8]) -> u64 {
        number(message)
    }
    fn number_of_owned(message: Vec<u8>) -> u64 {
        number(&message)
    }
    fn batch() -> Box<[u8]> {
        Box::new([0; 8 * BATCH])
    }
    fn numbers(batch: &[u8], count: usize) -> Vec<u64> {
        batch.chunks_exact(8).take(count).map(number).collect()
    }
    fn account(&self) -> Account {
        raw::Subscriber::account(self)
    }
}

impl Kind for RecordSubscriber {
    fn number(record: Record<'_>) -> u64 {
        assert_eq!((record.number, record.kind), (number(record.bytes), number(record.bytes) as u8));
        record.number
    }
    fn number_of_owned(record: OwnedRecord) -> u64 {
        Self::number(record.as_record())
    }
    fn batch() -> Box<RecordBatch> {
        Box::new(RecordBatch::new(BATCH))
    }
    fn numbers(batch: &RecordBatch, count: usize) -> Vec<u64> {
        assert_eq!((batch.len(), batch.is_empty()), (count, count == 0));
        batch.iter().map(Self::number).collect()
    }
    fn account(&self) -> Account {
        RecordSubscriber::account(self)
    }
}

/// Receives by every call there is, cancelled at random, until the ring is closed.
/// Returns the number of cancellations too.
async fn receive<K: Kind>(rng: &mut ChaCha8Rng, subscriber: K, done: &AtomicBool) -> (Received, u64, K) {
    let mut subscriber = AsyncSubscriber::new(subscriber);
    let (mut received, mut cancelled, mut batch) = (Received::default(), 0, K::batch());
    while !received.closed {
        let is_done = match rng.random_range(0..4) {
            0 => match at_most_for_a_while(rng, subscriber.next()).await {
                Some(item) => {
                    match item.expect("the stream does not end before the ring") {
                        Ok(message) => received.message(K::number_of_owned(message)),
                        Err(event) => received.event(event),
                    }
                    true
                }
                None => false,
            },
            1 => match at_most_for_a_while(rng, subscriber.recv_batch(&mut batch)).await {
                Some(Ok(count)) => {
                    assert!((1..=BATCH).contains(&count));
                    K::numbers(&batch, count).into_iter().for_each(|number| received.message(number));
                    true
                }
                Some(Err(event)) => {
                    received.event(event);
                    true
                }
                None => false,
            },
            2 if !subscriber.get_ref().account().sequence.is_multiple_of(4) => {
                match subscriber.try_recv() {
                    Ok(message) => received.message(K::number(message)),
                    Err(TryRecvError::Empty) => {}
                    Err(event) => received.event(Error::Ring(event)),
                }
                true
            }
            2 => {
                let future = subscriber.wait_for_publisher();
                at_most_for_a_while(rng, future).await.map(Result::unwrap).is_some()
            }
            _ => match at_most_for_a_while(rng, subscriber.recv()).await {
                Some(Ok(message)) => {
                    received.message(K::number(message));
                    true
                }
                Some(Err(event)) => {
                    received.event(event);
                    true
                }
                None => false,
            },
        };
        cancelled += u64::from(!is_done);
        done.fetch_or(cancelled >= CANCELLATIONS, Ordering::Relaxed);
    }
    (received, cancelled, subscriber.into_inner())
}

/// Runs the publisher and a subscriber until there were enough cancellations, and checks the account.
fn cancels<K: Kind>(
    subscriber: impl FnOnce() -> K,
    publish: impl FnOnce(ChaCha8Rng, &AtomicBool) -> (u64, u64) + Send,
) {
    let seed = rand::random();
    println!("seed {seed}");
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let rng_of_publisher = ChaCha8Rng::seed_from_u64(seed + 1);
        let publishing = scope.spawn(|| publish(rng_of_publisher, &done));
        let _ended = Done(&done);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (received, cancelled, subscriber) = runtime.block_on(receive(&mut rng, subscriber(), &done));
        let (published, epochs) = publishing.join().unwrap();
        let Account { first, received: messages, lost, skipped, sequence, .. } = subscriber.account();
        assert_eq!(first + messages + lost + skipped, sequence);
        assert_eq!((received.next, sequence, skipped), (published, published, 0), "{received:?}");
        assert_eq!((received.messages, received.lost, received.epoch), (messages, lost, epochs), "{received:?}");
        assert!(cancelled >= CANCELLATIONS, "{cancelled}");
        println!("{cancelled} cancellations, {epochs} epochs, {received:?}");
    });
}

/// Lets the publisher end, also when the test fails.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn options(root: &PrivateRoot) -> PublisherOptions<u64> {
    Publisher::options("messages").root(root).capacity(CAPACITY)
}

fn publish_messages(root: &PrivateRoot, rng: ChaCha8Rng, done: &AtomicBool) -> (u64, u64) {
    let create = || options(root).create().unwrap();
    publish(
        rng,
        done,
        create,
        |publisher, number| _ = publisher.publish(&number),
        Publisher::leave,
        |publisher| {
            publisher.close().unwrap();
        },
    )
}

#[test]
fn of_messages() {
    let root = PrivateRoot::new();
    let open = Subscriber::options("messages").root(&root).join(Join::Sequence(0)).open_timeout(Duration::MAX);
    cancels(|| open.open().unwrap(), |rng, done| publish_messages(&root, rng, done));
    assert_eq!(root.names(), [""; 0], "a closed ring leaves nothing");
}

#[test]
fn of_bytes() {
    let root = PrivateRoot::new();
    let open = raw::Subscriber::options("messages").root(&root).join(Join::Sequence(0)).open_timeout(Duration::MAX);
    cancels(|| open.open_raw().unwrap(), |rng, done| publish_messages(&root, rng, done));
}

/// A record of its number and up to 200 bytes more.
#[test]
fn of_records() {
    let root = PrivateRoot::new();
    let open = RecordSubscriber::options("records").root(&root).join(Join::Sequence(0)).open_timeout(Duration::MAX);
    let create = || {
        let options = RecordPublisher::options("records", RecordsFormat::encoded("numbers")).root(&root);
        options.capacity(2 * CAPACITY).create_records().unwrap()
    };
    let publish_record = |publisher: &mut RecordPublisher, number: u64| {
        let mut bytes = vec![number as u8; 8 + number as usize % 200];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        publisher.publish(number as u8, &bytes).unwrap();
    };
    cancels(
        || open.open_records().unwrap(),
        |rng, done| {
            publish(rng, done, create, publish_record, RecordPublisher::leave, |publisher| publisher.close().unwrap())
        },
    );
}
