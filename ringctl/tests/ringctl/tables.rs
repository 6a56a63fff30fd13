//! Tests of tables and cells: `table`, and the other commands where one is under a name.

use std::process::Command;

use feed::board::{self, Symbol};
use feed::{Kind, Message, UNDEFINED_SIZE};
use feed_ring::table::Row;
use feed_ring::{CellWriter, KeyedPublisher, Payload, TableWriter, Text};
use feed_testing::{Child, PrivateRoot};
use serde_json::{Value, json as value};

use crate::exporter::Exporter;
use crate::rings::{fine, json, live, put, run, stable};

/// The table of a ring `feed`, as `feed-publisher --table` keeps it, with three instruments.
pub(crate) struct Board {
    publisher: KeyedPublisher<u32, board::Row>,
    rows: [(Row, board::Row); 3],
}

impl Board {
    fn publish(&mut self, index: usize, message: Message) {
        let (row, value) = &mut self.rows[index];
        value.apply(&message);
        self.publisher.publish(*row, value);
    }

    /// Publishes a trade of the instrument with this index.
    pub(crate) fn trade(&mut self, index: usize, price: i64) {
        let instrument = index as u32 + 7;
        let trade = Message { instrument, price, size: 2_000_000_000, ..Message::new(Kind::Trade, 3_600_000_000_000) };
        self.publish(index, trade);
    }

    /// Publishes a quote of the instrument with this index.
    fn quote(&mut self, index: usize, bid: (i64, u64), ask: (i64, u64)) {
        let message = Message { instrument: index as u32 + 7, ..Message::new(Kind::Quote, 60_000_000_000) };
        self.publish(index, message.with_quote(bid, ask));
    }
}

/// Makes that table.
pub(crate) fn board(root: &PrivateRoot) -> Board {
    let options = KeyedPublisher::<u32, board::Row>::options("feed").root(root).capacity(8).rows(1_000);
    let mut publisher = options.create_keyed().unwrap();
    let rows = [(7, "ESH4"), (8, "BTCUSDT"), (9, "")].map(|(instrument, symbol)| {
        (publisher.row(&instrument).unwrap(), board::Row::new(Symbol::new(symbol).unwrap()))
    });
    let mut board = Board { publisher, rows };
    board.trade(0, 5_166_250_000_000);
    board.quote(1, (61_000_500_000_000, 15_000_000), (61_001_000_000_000, UNDEFINED_SIZE));
    board.trade(1, 61_000_750_000_000);
    board.trade(2, -1_000_000);
    board
}

/// A table of the test's own types.
#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Position {
    quantity: i64,
    venue: [u8; 8],
}

fn positions(root: &PrivateRoot) -> TableWriter<Text<16>, Position> {
    let mut writer = TableWriter::options("positions").root(root).capacity(10).create_table().unwrap();
    for (key, quantity) in [("A", 5), ("B\x1b[2J", -7)] {
        let row = writer.row(&Text::new(key).unwrap()).unwrap();
        writer.store(row, &Position { quantity, venue: *b"XNAS\0\0\0\0" });
    }
    writer
}

fn cell(root: &PrivateRoot) -> CellWriter<u64> {
    let mut writer = CellWriter::options("limit").root(root).copies(3).create_cell().unwrap();
    writer.store(&9);
    writer
}

/// A command that goes on, and the JSON of its lines. It ends with the iterator.
fn lines_of(root: &PrivateRoot, arguments: &[&str]) -> impl Iterator<Item = Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    let mut child = Child::start(command.arg("--root").arg(root.path()).args(arguments));
    std::iter::repeat_with(move || serde_json::from_str(&child.wait_for("")).unwrap())
}

#[test]
fn list_names_tables_and_cells() {
    let root = PrivateRoot::new();
    let (_positions, _cell) = (positions(&root), cell(&root));
    let list = stable(&root, &fine(&root, &["list", "--sample", "0"]));
    let owner = json(&root, &["list"])["tables"][0]["owner"].as_str().unwrap().to_owned();
    let words =
        |line: &str| line.split_whitespace().map(|word| word.replace(&owner, "me")).collect::<Vec<_>>().join(" ");
    assert_eq!(
        list.lines().map(words).collect::<Vec<_>>(),
        [
            "TABLE OWNER MODE SIZE KEY VALUE ROWS STORES RATE WRITER READERS",
            "limit me 0600 4.2 KiB - u64 (8 B) 1 1 - alive 0",
            "positions me 0600 6.0 KiB text (16 B) Position (16 B) 2 2 - alive 0",
        ]
    );
    let _ring = live(&root, "q");
    let list = fine(&root, &["list"]);
    assert!(list.starts_with("NAME") && list.contains("\nTABLE") && list.contains("0 /s"), "{list}");
    let listed = json(&root, &["list"]);
    assert_eq!((listed["rings"].as_array().unwrap().len(), &listed["others"]), (1, &value!([])));
    let (limit, positions) = (&listed["tables"][0], &listed["tables"][1]);
    assert_eq!((&limit["kind"], &limit["key"], &limit["copies"]), (&"cell".into(), &Value::Null, &3.into()));
    assert_eq!(
        (&positions["kind"], &positions["key"], &positions["value"]),
        (&"table".into(), &"text".into(), &"Position".into())
    );
    assert_eq!((&positions["rows"], &positions["capacity"], &positions["stores"]), (&2.into(), &10.into(), &2.into()));
    assert_eq!(
        (&positions["writer"], &positions["readers"], &positions["rate"]),
        (&"alive".into(), &value!([]), &0.0.into())
    );
}

#[test]
fn stat_shows_a_table() {
    let root = PrivateRoot::new();
    let positions = positions(&root);
    let _reader = feed_ring::TableReader::<Text<16>, Position>::options("positions").root(&root).open_table().unwrap();
    let text = fine(&root, &["stat", "positions"]);
    let pid = std::process::id();
    for line in [
        format!("writer      alive (pid {pid}, epoch 1)"),
        "rows        2 of 10, 2 copies of each".to_owned(),
        "stores      2".to_owned(),
        "key         text (16 B)".to_owned(),
        "value       Position (16 B), align 8".to_owned(),
        "       8  venue: [u8;8]".to_owned(),
        format!("readers     1 (pid {pid})"),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}: {text}");
    }
    drop(positions);
    let board = board(&root);
    let (stat, ring) = (json(&root, &["stat", "feed.table"]), json(&root, &["stat", "feed"]));
    assert_eq!(stat["ring"], ring["nonce"]);
    assert!(stat["key_schema"].as_str().unwrap().starts_with("u32 4 4\n"), "{stat}");
    assert!(ring["key_schema"].is_null());
    drop(board);
}

#[test]
fn the_rows_of_a_board() {
    let root = PrivateRoot::new();
    let mut board = board(&root);
    insta::assert_snapshot!(stable(&root, &fine(&root, &["table", "feed"])), @r"
    feed.table: writer alive, 3 of 1,000 rows, 4 stores
    SYMBOL   BID SIZE      BID    ASK  ASK SIZE      LAST  SIZE  TRADES  MESSAGES      TIME
    ESH4            -        -      -         -   5166.25     2       1         1  01:00:00
    BTCUSDT     0.015  61000.5  61001         -  61000.75     2       1         2  01:00:00
    9               -        -      -         -    -0.001     2       1         1  01:00:00
    ");
    assert_eq!(fine(&root, &["table", "feed"]), fine(&root, &["table", "feed.table"]));
    let found = json(&root, &["table", "feed"]);
    assert_eq!((&found["keys"], &found["stores"], &found["writer"]), (&3.into(), &4.into(), &"alive".into()));
    assert_eq!(
        found["rows"][1],
        value!({
            "row": 1, "store": 2, "key": 8, "symbol": "BTCUSDT", "messages": 2, "trades": 1,
            "ts_event": 3_600_000_000_000u64, "bid": "61000.5", "bid_size": "0.015", "ask": "61001", "ask_size": null,
            "last": "61000.75", "last_size": "2",
        })
    );
    assert_eq!((&found["rows"][2]["symbol"], &found["rows"][2]["last"]), (&Value::Null, &"-0.001".into()));
    let one = json(&root, &["table", "feed", "--symbol", "BTCUSDT", "--symbol", "9"]);
    let rows: Vec<_> = one["rows"].as_array().unwrap().iter().map(|row| row["row"].clone()).collect();
    assert_eq!(rows, [1, 2]);
    let (code, stdout, stderr) = run(&root, &["table", "feed", "--symbol", "ESH4", "--symbol", "ESH5"]);
    assert!(code == 1 && stdout.contains("ESH4") && !stdout.contains("BTC"), "{stdout}");
    assert_eq!(
        stable(&root, &stderr),
        "ringctl: ROOT/feed.table.ring: no row of \"ESH5\": see what there is, without --symbol\n"
    );
    // Each look tells what changed since the look before.
    let mut lines = lines_of(&root, &["table", "feed", "--watch=0.05", "--json"]);
    let first = lines.next().unwrap();
    assert_eq!((&first["first"], first["rows"].as_array().unwrap().len()), (&true.into(), 3));
    assert_eq!(lines.next().unwrap()["rows"], value!([]));
    board.trade(2, 4);
    board.trade(2, 5);
    let changed = lines.find(|line| line["rows"] != value!([])).unwrap();
    assert_eq!(changed["first"], false);
    let trades: Vec<_> = changed["rows"].as_array().unwrap().iter().map(|row| row["row"].clone()).collect();
    assert_eq!(trades, [2], "one row, stored once or twice since");
}

#[test]
fn the_rows_of_any_table() {
    let root = PrivateRoot::new();
    let (_positions, _cell) = (positions(&root), cell(&root));
    insta::assert_snapshot!(stable(&root, &fine(&root, &["table", "positions"])), @r"
    positions: writer alive, 2 of 10 rows, 2 stores
    KEY                               STORE  quantity  venue
    A                                     0         5  XNAS
    [66, 27, 91, 50, 74, 0, 0, 0, 0…      1        -7  XNAS
    ");
    insta::assert_snapshot!(stable(&root, &fine(&root, &["table", "limit"])), @r"
    limit: writer alive, 1 store
    STORE  value
        0      9
    ");
    let found = json(&root, &["table", "positions"]);
    assert_eq!(
        found["rows"],
        value!([
            { "row": 0, "store": 0, "key": "A", "value": { "quantity": 5, "venue": "XNAS" } },
            { "row": 1, "store": 1, "key": "B\u{1b}[2J", "value": { "quantity": -7, "venue": "XNAS" } },
        ])
    );
    assert_eq!(
        json(&root, &["table", "limit"])["rows"],
        value!([{ "row": 0, "store": 0, "key": null, "value": { "value": 9 } }])
    );
    assert_eq!(json(&root, &["table", "positions", "--symbol", "A"])["rows"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_no_table_says_where_to_look() {
    let root = PrivateRoot::new();
    let (_ring, _positions) = (live(&root, "q"), positions(&root));
    for (arguments, says) in [
        (
            &["table", "q"][..],
            "ringctl: ROOT/q.ring: a ring of messages, without a table: look at it with ringctl stat, or ringctl tail\n",
        ),
        (
            &["tail", "positions"],
            "ringctl: ROOT/positions.ring: a table, not a ring: look at it with ringctl stat, or ringctl table\n",
        ),
        (
            &["table", "none"],
            "ringctl: ROOT/none.ring: no such ring: start its publisher, or see what there is (ringctl list)\n",
        ),
    ] {
        let (code, stdout, stderr) = run(&root, arguments);
        assert_eq!((code, &*stdout, &*stable(&root, &stderr)), (1, "", says), "{arguments:?}");
    }
    let (code, _, stderr) = run(&root, &["table"]);
    assert!(code == 2 && stderr.contains("Usage"), "{stderr}");
}

#[test]
fn a_sealed_table_is_shown_through_its_socket() {
    let root = PrivateRoot::new();
    let path = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    let options = KeyedPublisher::<u32, board::Row>::options("s").capacity(8).rows(10).serve(path("s"));
    let mut publisher = options.create_keyed().unwrap();
    let row = publisher.row(&7).unwrap();
    let mut value = board::Row::new(Symbol::new("ESH4").unwrap());
    value.apply(&Message { instrument: 7, ..Message::new(Kind::Trade, 1) });
    publisher.publish(row, &value);
    for socket in ["s", "s.table"] {
        let text = fine(&root, &["table", "--connect", &path(socket)]);
        assert!(text.contains("ESH4") && text.contains("1 of 10 rows"), "{text}");
    }
    assert!(fine(&root, &["verify", "--connect", &path("s.table")]).ends_with(": fine (10 rows)\n"));
    assert!(fine(&root, &["stat", "--connect", &path("s.table")]).contains(", sealed"));
}

#[test]
fn verify_checks_tables_too() {
    let root = PrivateRoot::new();
    let positions = positions(&root);
    let cell = cell(&root);
    let _ring = live(&root, "q");
    assert_eq!(fine(&root, &["verify"]), "limit: fine (1 row)\npositions: fine (10 rows)\nq: fine (8 slots)\n");
    put(&positions.path().unwrap().join("segment"), 65, 11);
    let (code, stdout, _) = run(&root, &["verify"]);
    assert!(
        code == 1 && stdout.contains("positions: header, the number of keys: found 11; expected from 0 to 10"),
        "{stdout}"
    );
    let verdicts = json_failing(&root, &["verify", "positions"]);
    assert_eq!((&verdicts[0]["fine"], &verdicts[0]["slots"]), (&false.into(), &10.into()));
    drop(cell);
}

fn json_failing(root: &PrivateRoot, arguments: &[&str]) -> Value {
    let (code, stdout, _) = run(root, &[&["--json"], arguments].concat());
    assert_eq!(code, 1);
    serde_json::from_str(&stdout).unwrap()
}

/// A row that no copy of is whole is left out, and said. A table of nothing else is an error.
#[test]
fn rows_that_cannot_be_read() {
    let root = PrivateRoot::new();
    let mut writer = TableWriter::<u64, u64>::options("t").root(&root).capacity(40).create_table().unwrap();
    for key in 0..40 {
        let row = writer.row(&key).unwrap();
        writer.store(row, &key);
    }
    let segment = writer.path().unwrap().join("segment");
    let words = std::fs::metadata(&segment).unwrap().len() / 8;
    let mut spoil = |row: u64| (0..2).for_each(|copy| put(&segment, words - ((40 - row) * 2 - copy) * 8, 2 * row + 1));
    spoil(3);
    let (code, stdout, stderr) = run(&root, &["table", "t"]);
    assert_eq!((code, stdout.lines().count()), (1, 2 + 39), "{stdout}");
    assert!(stderr.contains("t.ring: 1 of the rows cannot be read, the first is row 3: overwritten"), "{stderr}");
    (0..40).for_each(&mut spoil);
    let (code, stdout, stderr) = run(&root, &["table", "t"]);
    assert_eq!((code, &*stdout, stderr.lines().count()), (1, "", 1), "{stderr}");
    assert!(stderr.contains("row 16: overwritten"), "{stderr}");
}

#[test]
fn tables_have_metrics() {
    let root = PrivateRoot::new();
    let mut positions = positions(&root);
    let exporter = Exporter::start(&root);
    let metrics = exporter.scrape();
    let of = |metric: &str| metrics[&format!("feed_table_{metric}{{table=\"positions\"}}")];
    assert_eq!((of("stores_total"), of("rows"), of("capacity_rows"), of("epoch")), (2.0, 2.0, 10.0, 1.0));
    assert_eq!((of("writer_up"), of("closed"), of("readers")), (1.0, 0.0, 0.0));
    assert!(of("size_bytes") > 4096.0 && of("last_store_age_seconds") >= 0.0);
    assert_eq!(metrics["feed_ring_readable{ring=\"positions\"}"], 1.0);
    let row = positions.row(&Text::new("A").unwrap()).unwrap();
    positions.store(row, &Position { quantity: 1, venue: [0; 8] });
    let metrics = exporter.scrape();
    assert_eq!(metrics["feed_table_stores_total{table=\"positions\"}"], 3.0);
}

#[test]
fn top_says_that_there_are_tables() {
    let root = PrivateRoot::new();
    let _positions = positions(&root);
    let mut lines = lines_of(&root, &["top", "--json", "--interval", "0.05"]);
    let first = lines.nth(1).unwrap();
    assert_eq!((&first["tables"][0]["name"], &first["tables"][0]["rate"]), (&"positions".into(), &0.0.into()));
}
