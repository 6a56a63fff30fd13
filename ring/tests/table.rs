//! What tables and cells guarantee, whatever their transport: most tests run over files, through a socket and on the heap.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::table::{Full, Row, Stored, Table, WaitError};
use feed_ring::{
    CellReader, CellWriter, CreateError, InProcessTable, OpenError, Publisher, Subscriber, SubscriberOptions,
    TableReader, TableWriter, Text, WaitStrategy, in_process_cell, in_process_table,
};
use feed_testing::PrivateRoot;

type Value = [u64; 7];
type Writer = TableWriter<u32, Value>;
type Reader = TableReader<u32, Value>;

/// How a table is made, opened and taken over.
enum Transport {
    Disk(PrivateRoot),
    Sealed(PrivateRoot),
    Heap(InProcessTable<u32, Value>),
}

impl Transport {
    fn open(&self, wait: WaitStrategy) -> Reader {
        let open = |options: SubscriberOptions<Table<u32, Value>>| options.wait(wait).open_table().unwrap();
        match self {
            Transport::Disk(root) => open(Reader::options("t").root(root)),
            Transport::Sealed(root) => open(Reader::connect(root.path().join("t.sock"))),
            Transport::Heap(table) => table.read_with(wait),
        }
    }

    fn read(&self) -> Reader {
        self.open(WaitStrategy::default())
    }

    fn take_over(&self) -> Option<Writer> {
        match self {
            Transport::Disk(root) => Some(Writer::options("t").root(root).capacity(ROWS).create_table().unwrap()),
            Transport::Sealed(_) => None,
            Transport::Heap(table) => Some(table.take_over().unwrap()),
        }
    }
}

const ROWS: usize = 5;

/// Runs a test over each transport.
fn each(test: impl Fn(Writer, &Transport)) {
    let root = PrivateRoot::new();
    let options = || Writer::options("t").capacity(ROWS);
    test(options().root(&root).create_table().unwrap(), &Transport::Disk(root));
    let root = PrivateRoot::new();
    test(options().serve(root.path().join("t.sock")).create_table().unwrap(), &Transport::Sealed(root));
    let (writer, table) = in_process_table(ROWS).unwrap();
    test(writer, &Transport::Heap(table));
}

fn value(n: u64) -> Value {
    std::array::from_fn(|i| n * 10 + i as u64)
}

#[test]
fn a_row_has_the_value_stored_last_and_the_number_of_its_store() {
    each(|mut writer, transport| {
        let mut reader = transport.read();
        assert_eq!((reader.row(&7), reader.stores(), reader.rows().count()), (None, 0, 0));
        let (seven, nine) = (writer.row(&7).unwrap(), writer.row(&9).unwrap());
        assert_eq!(writer.row(&7), Ok(seven));
        assert_eq!(reader.row(&7), Some(seven));
        assert_eq!(reader.get(seven), Ok(None), "a key without a value");
        for n in 0..4 {
            assert_eq!(writer.store(seven, &value(n)), n);
            assert_eq!(reader.get(seven), Ok(Some(Stored { number: n, value: value(n) })));
        }
        assert_eq!(writer.store(nine, &value(4)), 4);
        let mut buffer = value(0);
        assert_eq!((reader.get_into(nine, &mut buffer), buffer), (Ok(Some(4)), value(4)));
        assert_eq!(reader.get(seven), Ok(Some(Stored { number: 3, value: value(3) })));
        assert_eq!(writer.get(seven), Some(Stored { number: 3, value: value(3) }));
        assert_eq!((reader.stores(), writer.stores(), writer.len()), (5, 5, 2));
        let keys: Vec<_> = reader.rows().map(|row| reader.key(row)).collect();
        assert_eq!(keys, [Some(7), Some(9)]);
        assert_eq!((reader.most_retries(), writer.readers().unwrap()), (0, 1));
    });
}

#[test]
fn a_full_table_refuses_a_key_and_loses_nothing() {
    each(|mut writer, transport| {
        let rows: Vec<Row> = (0..ROWS as u32).map(|key| writer.row(&key).unwrap()).collect();
        for &row in &rows {
            writer.store(row, &value(row.index() as u64));
        }
        assert_eq!(writer.row(&99), Err(Full { capacity: ROWS }));
        assert_eq!(writer.row(&4), Ok(rows[4]), "a key that is there is still found");
        let mut reader = transport.read();
        for &row in &rows {
            assert_eq!(reader.get(row).unwrap().unwrap().value, value(row.index() as u64));
        }
        assert_eq!((reader.row(&99), reader.rows().count()), (None, ROWS));
    });
}

#[test]
fn each_changed_row_is_named_once_however_far_behind_the_reader_is() {
    each(|mut writer, transport| {
        let mut reader = transport.read();
        let rows: Vec<Row> = (0..ROWS as u32).map(|key| writer.row(&key).unwrap()).collect();
        let mut changed = Vec::new();
        let mut since = reader.changed_since(0, &mut changed);
        assert_eq!((since, &*changed), (0, &[][..]));
        // The log of a table this small has 64 entries: the last two are more than that.
        for stores in [1, 2, 7, 63, 64, 65, 500] {
            for n in 0..stores {
                writer.store(rows[[2, 4, 2][n % 3]], &value(n as u64));
            }
            since = reader.changed_since(since, &mut changed);
            changed.sort();
            let expected = if stores == 1 { vec![rows[2]] } else { vec![rows[2], rows[4]] };
            assert_eq!((since, &changed), (writer.stores(), &expected), "after {stores} stores");
        }
        assert_eq!((reader.changed_since(since, &mut changed), changed.len()), (since, 0));
    });
}

#[test]
fn a_writer_that_takes_over_goes_on_with_keys_rows_and_numbers() {
    each(|mut writer, transport| {
        let mut reader = transport.read();
        let row = writer.row(&7).unwrap();
        writer.store(row, &value(1));
        writer.leave();
        assert_eq!(reader.wait(1, Duration::from_secs(10)), Err(WaitError::WriterDead));
        assert_eq!(reader.get(row).unwrap().unwrap().value, value(1), "what was stored stays");
        let Some(mut writer) = transport.take_over() else { return };
        assert_eq!((writer.row(&7), writer.stores(), writer.epoch()), (Ok(row), 1, 2));
        assert_eq!(writer.get(row), Some(Stored { number: 0, value: value(1) }));
        assert_eq!(writer.row(&8).unwrap().index(), 1);
        assert_eq!(writer.store(row, &value(2)), 1);
        assert_eq!(reader.wait(1, Duration::ZERO), Ok(true));
        assert_eq!(reader.get(row), Ok(Some(Stored { number: 1, value: value(2) })));
        assert_eq!(reader.row(&8).unwrap().index(), 1);
    });
}

#[test]
fn a_wait_ends_with_a_store_a_timeout_an_interruption_or_the_end() {
    for wait in [WaitStrategy::Spin, WaitStrategy::Yield, WaitStrategy::Block] {
        each(|mut writer, transport| {
            let mut reader = transport.open(wait);
            assert_eq!(reader.wait(0, Duration::from_millis(1)), Ok(false));
            let interrupter = reader.interrupter();
            interrupter.interrupt();
            assert_eq!(reader.wait(0, Duration::MAX), Ok(false));
            let row = writer.row(&1).unwrap();
            let waiting = std::thread::spawn(move || {
                let changed = reader.wait(0, Duration::MAX);
                (reader, changed)
            });
            std::thread::sleep(Duration::from_millis(20));
            writer.store(row, &value(1));
            let (mut reader, changed) = waiting.join().unwrap();
            assert_eq!(changed, Ok(true));
            let waiting = std::thread::spawn(move || (reader.wait(1, Duration::MAX), reader.get(row)));
            std::thread::sleep(Duration::from_millis(20));
            writer.close().unwrap();
            let (end, last) = waiting.join().unwrap();
            assert_eq!((end, last.unwrap().unwrap().value), (Err(WaitError::Closed), value(1)));
        });
    }
}

/// Each word of a value is the number of its store, so a mixture shows; and a number never goes back.
fn numbers_rise<const WORDS: usize>(
    mut store: impl FnMut(&[u64; WORDS]) + Send,
    read: impl Fn(&mut [u64; WORDS]) -> Option<u64> + Sync,
    stores: u64,
) {
    let ended = AtomicBool::new(false);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            for n in 0..stores {
                store(&[n; WORDS]);
            }
            ended.store(true, Ordering::Relaxed);
        });
        let (mut last, mut buffer) = (None, [0; WORDS]);
        while !ended.load(Ordering::Relaxed) {
            let Some(number) = read(&mut buffer) else { continue };
            assert_eq!(buffer, [number; WORDS], "torn");
            assert!(Some(number) >= last, "{number} after {last:?}");
            last = Some(number);
        }
    });
}

#[test]
fn a_row_at_full_speed_is_never_torn_and_never_goes_back() {
    let (mut writer, table) = in_process_table::<u32, [u64; 7]>(1).unwrap();
    let row = writer.row(&0).unwrap();
    let reader = std::cell::RefCell::new(table.read());
    let reader = std::sync::Mutex::new(reader.into_inner());
    let stores = if cfg!(miri) { 50 } else { 2_000_000 };
    numbers_rise(
        |value| _ = writer.store(row, value),
        |buffer| reader.lock().unwrap().get_into(row, buffer).unwrap(),
        stores,
    );
}

#[test]
fn a_cell_of_many_lines_is_never_torn_and_never_goes_back() {
    let root = PrivateRoot::new();
    let mut writer = CellWriter::<[u64; 300]>::options("c").root(&root).copies(4).create_cell().unwrap();
    let reader = std::sync::Mutex::new(CellReader::<[u64; 300]>::options("c").root(&root).open_cell().unwrap());
    numbers_rise(|value| _ = writer.store(value), |buffer| reader.lock().unwrap().get_into(buffer).unwrap(), 200_000);
}

#[test]
fn a_cell_is_a_value_with_a_number() {
    let (mut writer, cell) = in_process_cell::<[u8; 100]>().unwrap();
    let mut reader = cell.read();
    assert_eq!((reader.get(), reader.stores()), (Ok(None), 0));
    assert_eq!(writer.store(&[1; 100]), 0);
    assert_eq!(reader.get(), Ok(Some(Stored { number: 0, value: [1; 100] })));
    assert_eq!(writer.get(), Some(Stored { number: 0, value: [1; 100] }));
    assert_eq!(reader.wait(0, Duration::ZERO), Ok(true));
    writer.close().unwrap();
    assert_eq!(reader.wait(1, Duration::ZERO), Err(WaitError::Closed));
}

#[test]
fn what_is_no_such_table_is_refused_by_name() {
    let root = PrivateRoot::new();
    let writer = TableWriter::<Text<8>, u64>::options("t").root(&root).create_table().unwrap();
    let refused =
        |error: OpenError| error.to_string().rsplit_once("segment: ").map(|(_, text)| text.to_owned()).unwrap();
    let other_key = TableReader::<u64, u64>::options("t").root(&root).open_table().unwrap_err();
    assert!(
        refused(other_key).starts_with("carries text (8 bytes, align 1), this program expects u64 (8 bytes, align 8)")
    );
    let other_value = TableReader::<Text<8>, i64>::options("t").root(&root).open_table().unwrap_err();
    assert!(refused(other_value).starts_with("carries u64 (8 bytes, align 8), this program expects i64"));
    let kinds = [
        CellReader::<u64>::options("t").root(&root).open_cell().unwrap_err(),
        Subscriber::<u64>::options("t").root(&root).open().unwrap_err(),
    ];
    let kinds = kinds.map(refused);
    assert_eq!(kinds[0], "a table, this program expects a cell: choose another name, or the program for a table");
    assert_eq!(
        kinds[1],
        "a table, this program expects a ring of messages: choose another name, or the program for a table"
    );
    let second = TableWriter::<Text<8>, u64>::options("t").root(&root).create_table().unwrap_err();
    assert!(matches!(second, CreateError::AlreadyPublished { .. }), "{second}");
    writer.close().unwrap();

    for rows in [0, (1 << 24) + 1] {
        let error = TableWriter::<u64, u64>::options("t").root(&root).capacity(rows).create_table().unwrap_err();
        assert!(matches!(error, CreateError::Rows { found, most: 16_777_216 } if found == rows as u64), "{error}");
    }
    for copies in [0, 1, 65] {
        let error = CellWriter::<u64>::options("t").root(&root).copies(copies).create_cell().unwrap_err();
        assert!(matches!(error, CreateError::Copies { found } if found == copies), "{error}");
    }
    let error = TableWriter::<[u64; 600], u64>::options("t").root(&root).create_table().unwrap_err();
    assert_eq!(error.to_string(), "message array: 4800 bytes of a key, at most 4096 expected: change the message");
}

#[test]
fn a_ring_and_a_table_of_one_name_replace_each_other() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<u64>::options("n").root(&root).capacity(4).create().unwrap();
    publisher.publish(&1);
    let mut subscriber = Subscriber::<u64>::options("n").root(&root).open().unwrap();
    publisher.leave();
    let mut writer = TableWriter::<u64, u64>::options("n").root(&root).create_table().unwrap();
    assert_eq!(subscriber.try_recv(), Err(feed_ring::TryRecvError::Superseded));
    let row = writer.row(&1).unwrap();
    assert_eq!(writer.store(row, &5), 1, "numbers go on where the ring's ended");
    let mut reader = TableReader::<u64, u64>::options("n").root(&root).open_table().unwrap();
    writer.leave();
    let _publisher = Publisher::<u64>::options("n").root(&root).capacity(4).create().unwrap();
    assert_eq!(reader.wait(2, Duration::from_secs(10)), Err(WaitError::Superseded));
    assert_eq!(reader.get(row).unwrap().unwrap().value, 5);
}

#[test]
fn a_table_or_a_cell_that_no_machine_has_room_for_is_an_error() {
    let refused = |made: Result<(), CreateError>, named: &str, least: u64| match made {
        Err(
            ref error @ (CreateError::NoMemory { needed, ref path, .. }
            | CreateError::MemoryLimit { needed, ref path, .. }),
        ) => assert!(needed >= least && path.to_str() == Some(named), "{error}"),
        other => panic!("{other:?}"),
    };
    // 32 TiB: 2^24 rows in two copies of 1 MiB.
    let table = in_process_table::<u64, [u64; 1 << 17]>(1 << 24).map(|_| ());
    refused(table, "a table within the process", 1 << 45);
    let cell = in_process_cell::<[u8; 1 << 44]>().map(|_| ());
    refused(cell, "a cell within the process", 1 << 45);
}
