//! Benches of tables and cells within one process, each beside what it is compared with.
//!
//! A store and a read of a row beside publishing and receiving as many bytes, a keyed publish beside a publish, and a cell of
//! 1 MiB beside memcpy. With the feature `peers` also ringfire's table.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use feed_ring::{Join, WaitStrategy, in_process, in_process_cell, in_process_keyed, in_process_table};

/// Slots. A ring of this many messages fits the second-level cache.
const CAPACITY: usize = 1_024;

/// Rows of the table of which one row is stored and read.
const ROWS: usize = 64;

/// Words of a cell of 1 MiB.
const MIB_WORDS: usize = (1 << 20) / 8;

/// A row's value, and a message: 56 bytes.
type Value = [u64; 7];

const VALUE: Value = [7; 7];

fn store(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("store 56");
    group.throughput(Throughput::Elements(1));
    let (mut publisher, _ring) = in_process::<Value>(CAPACITY).expect("a ring");
    group.bench_function("publish", |bencher| bencher.iter(|| publisher.publish(black_box(&VALUE))));
    let (mut writer, _table) = in_process_table::<u64, Value>(ROWS).expect("a table");
    let row = writer.row(&7).expect("a row");
    group.bench_function("feed-ring table", |bencher| bencher.iter(|| writer.store(row, black_box(&VALUE))));
    let (mut writer, _cell) = in_process_cell::<Value>().expect("a cell");
    group.bench_function("feed-ring cell", |bencher| bencher.iter(|| writer.store(black_box(&VALUE))));
    #[cfg(feature = "peers")]
    {
        let root = feed_testing::PrivateRoot::new();
        let mut producer =
            ringfire::BlackboardProducer::<Value>::create(root.path().join("table"), ROWS).expect("ringfire's table");
        group.bench_function("ringfire table", |bencher| bencher.iter(|| producer.write(7, black_box(&VALUE))));
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("read 56");
    group.throughput(Throughput::Elements(1));
    let (mut publisher, ring) = in_process::<Value>(CAPACITY).expect("a ring");
    let mut subscriber = ring.subscribe_with(Join::Latest, WaitStrategy::Spin);
    // The messages are published outside the measured time.
    group.bench_function("try_recv", |bencher| {
        bencher.iter_custom(|iterations| {
            let (mut left, mut elapsed) = (iterations, Duration::ZERO);
            while left > 0 {
                let count = left.min(CAPACITY as u64 / 2);
                for _ in 0..count {
                    publisher.publish(&VALUE);
                }
                let began = Instant::now();
                for _ in 0..count {
                    black_box(subscriber.try_recv().expect("a message just published"));
                }
                elapsed += began.elapsed();
                left -= count;
            }
            elapsed
        });
    });
    let (mut writer, table) = in_process_table::<u64, Value>(ROWS).expect("a table");
    let row = writer.row(&7).expect("a row");
    writer.store(row, &VALUE);
    let (mut reader, mut value) = (table.read(), VALUE);
    group.bench_function("feed-ring table get_into", |bencher| {
        bencher.iter(|| reader.get_into(black_box(row), black_box(&mut value)).expect("a value"));
    });
    group.bench_function("feed-ring table get", |bencher| {
        bencher.iter(|| reader.get(black_box(row)).expect("a value"));
    });
    #[cfg(feature = "peers")]
    {
        let root = feed_testing::PrivateRoot::new();
        let path = root.path().join("table");
        let mut producer = ringfire::BlackboardProducer::<Value>::create(&path, ROWS).expect("ringfire's table");
        producer.write(7, &VALUE).expect("a row");
        let consumer = ringfire::BlackboardConsumer::<Value>::attach(&path).expect("ringfire's table");
        group.bench_function("ringfire table read_copy", |bencher| {
            bencher.iter(|| consumer.read_copy(black_box(7), black_box(&mut value)).expect("a value"));
        });
        group.bench_function("ringfire table read", |bencher| {
            bencher.iter(|| consumer.read(black_box(7)).expect("a value"));
        });
    }
    group.finish();
}

/// Rows take turns in an order that is not theirs.
fn publish_keyed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("publish_keyed 56");
    group.throughput(Throughput::Elements(1));
    let (mut publisher, _ring) = in_process::<Value>(CAPACITY).expect("a ring");
    group.bench_function("publish", |bencher| bencher.iter(|| publisher.publish(black_box(&VALUE))));
    for count in [64_usize, 4_096] {
        let (mut publisher, _feed) = in_process_keyed::<u64, Value>(CAPACITY, count).expect("a ring and its table");
        let rows: Vec<_> = (0..count as u64).map(|key| publisher.row(&key).expect("a row")).collect();
        let mut next = 0_usize;
        group.bench_function(BenchmarkId::new("publish_keyed", format!("{count} rows")), |bencher| {
            bencher.iter(|| {
                // An odd step visits every row of a power of two. A division would cost as much as the publish.
                next = (next + 1_237) & (count - 1);
                publisher.publish(rows[next], black_box(&VALUE))
            });
        });
    }
    group.finish();
}

fn large_cell(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("1 MiB");
    group.throughput(Throughput::Bytes(MIB_WORDS as u64 * 8));
    let words = || -> Box<[u64; MIB_WORDS]> { vec![7; MIB_WORDS].try_into().expect("as many words") };
    let (source, mut destination) = (words(), words());
    group.bench_function("memcpy", |bencher| {
        bencher.iter(|| black_box(&mut *destination).copy_from_slice(black_box(&*source)));
    });
    let (mut writer, cell) = in_process_cell::<[u64; MIB_WORDS]>().expect("a cell");
    writer.store(&source);
    let mut reader = cell.read();
    group.bench_function("feed-ring cell get_into", |bencher| {
        bencher.iter(|| reader.get_into(black_box(&mut *destination)).expect("a value"));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = store, read, publish_keyed, large_cell
}
criterion_main!(benches);
