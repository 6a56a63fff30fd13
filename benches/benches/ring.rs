//! Benches of single operations within one process.
//!
//! Publish, receive and batches, for four payloads. With the feature `peers` also ringfire's publish.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feed_ring::{Join, TryRecvError, WaitStrategy, in_process};

/// Slots. A ring of this many 56-byte messages fits the second-level cache.
const CAPACITY: usize = 1_024;

/// Messages in a batch.
const BATCH: usize = 32;

fn publish<const W: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish");
    group.throughput(Throughput::Elements(1));
    let (mut publisher, _ring) = in_process::<[u64; W]>(CAPACITY).expect("a ring");
    let message = [7; W];
    group.bench_function(BenchmarkId::new("feed-ring", W * 8), |bencher| {
        bencher.iter(|| publisher.publish(black_box(&message)));
    });
    #[cfg(feature = "peers")]
    {
        let root = feed_testing::PrivateRoot::new();
        let mut producer = ringfire::RingProducer::<[u64; W]>::create(root.path().join("ring"), CAPACITY as u64)
            .expect("a ringfire ring");
        group.bench_function(BenchmarkId::new("ringfire", W * 8), |bencher| {
            bencher.iter(|| producer.push(black_box(&message)));
        });
    }
    group.finish();
}

fn publish_batch<const W: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish_batch");
    group.throughput(Throughput::Elements(BATCH as u64));
    let (mut publisher, _ring) = in_process::<[u64; W]>(CAPACITY).expect("a ring");
    let messages = [[7; W]; BATCH];
    group.bench_function(BenchmarkId::new("feed-ring", W * 8), |bencher| {
        bencher.iter(|| publisher.publish_batch(black_box(&messages)));
    });
    group.finish();
}

/// Publishes and receives in turn, because a receive needs a message. Subtract the cost of publishing, above.
fn publish_and_receive<const W: usize>(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish+try_recv");
    group.throughput(Throughput::Elements(1));
    let (mut publisher, ring) = in_process::<[u64; W]>(CAPACITY).expect("a ring");
    let mut subscriber = ring.subscribe_with(Join::Latest, WaitStrategy::Spin);
    let message = [7; W];
    group.bench_function(BenchmarkId::new("feed-ring", W * 8), |bencher| {
        bencher.iter(|| {
            publisher.publish(black_box(&message));
            subscriber.try_recv().expect("the message just published")
        });
    });
    group.finish();
}

/// Receives only: the messages are published outside the measured time.
fn receive<const W: usize>(criterion: &mut Criterion) {
    let (mut publisher, ring) = in_process::<[u64; W]>(CAPACITY).expect("a ring");
    let mut subscriber = ring.subscribe_with(Join::Latest, WaitStrategy::Spin);
    let (message, filled) = ([7; W], CAPACITY as u64 / 2);

    let mut group = criterion.benchmark_group("try_recv");
    group.throughput(Throughput::Elements(1));
    group.bench_function(BenchmarkId::new("feed-ring", W * 8), |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut left, mut elapsed) = (iterations, Duration::ZERO);
            while left > 0 {
                let count = left.min(filled);
                for _ in 0..count {
                    publisher.publish(&message);
                }
                let began = std::time::Instant::now();
                for _ in 0..count {
                    black_box(subscriber.try_recv().expect("a message just published"));
                }
                elapsed += began.elapsed();
                left -= count;
            }
            elapsed
        });
    });
    group.bench_function(BenchmarkId::new("feed-ring empty", W * 8), |bencher| {
        bencher.iter(|| assert!(matches!(subscriber.try_recv(), Err(TryRecvError::Empty))));
    });
    group.finish();

    let mut group = criterion.benchmark_group("recv_batch");
    group.throughput(Throughput::Elements(BATCH as u64));
    let mut messages = vec![[0; W]; BATCH];
    group.bench_function(BenchmarkId::new("feed-ring", W * 8), |bencher| {
        bencher.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            for _ in 0..iterations {
                for _ in 0..BATCH {
                    publisher.publish(&message);
                }
                let began = std::time::Instant::now();
                let received = subscriber.recv_batch(black_box(&mut messages)).expect("a batch just published");
                elapsed += began.elapsed();
                assert_eq!(received, BATCH);
            }
            elapsed
        });
    });
    group.finish();
}

fn of_size<const W: usize>(criterion: &mut Criterion) {
    publish::<W>(criterion);
    publish_batch::<W>(criterion);
    receive::<W>(criterion);
    publish_and_receive::<W>(criterion);
}

fn all(criterion: &mut Criterion) {
    of_size::<1>(criterion);
    of_size::<7>(criterion);
    of_size::<31>(criterion);
    of_size::<127>(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = all
}
criterion_main!(benches);
