//! Tests of subscribers that come late to a feed with its table: they know what those know that were there from the start.

mod common;

use std::io::Write;
use std::process::{ChildStdin, Command, Stdio};

use common::{assert_conserved, assert_one_line, number, publisher, rows, subscriber, summary};
use feed::board::Row;
use feed::sample::{self, Prefix};
use feed_ring::TableReader;
use feed_testing::{Finished, PrivateRoot, Program, market_data};
use serde_json::Value;

/// Starts a publisher that keeps a table of what is written to its standard input.
fn fed(root: &PrivateRoot, arguments: &[&str]) -> (Program, ChildStdin) {
    let mut command = publisher(root);
    let mut program = Program::start(command.args(["--table", "--input", "-"]).args(arguments).stdin(Stdio::piped()));
    let stdin = program.stdin().unwrap();
    (program, stdin)
}

/// Starts a subscriber as soon as there is a ring.
fn follow(root: &PrivateRoot, arguments: &[&str]) -> Program {
    Program::start(subscriber(root).args(["--open-timeout", "inf"]).args(arguments))
}

/// Waits until this many messages were published.
fn wait_for_messages(mut command: Command, count: usize) {
    let count = count.to_string();
    let watcher = command.args(["--open-timeout", "inf", "--from", "oldest", "--max", &count]);
    assert_eq!(Program::start(watcher).finish().code, Some(0));
}

#[track_caller]
fn ended(program: Program) -> (Finished, Value) {
    let finished = program.finish();
    assert_eq!(finished.code, Some(0), "{}", finished.tail());
    let summary = summary(&finished);
    if summary.get("ended").is_some() {
        assert_conserved(&summary);
    }
    (finished, summary)
}

/// Fails unless both programs have the same table at the end.
#[track_caller]
fn assert_same_table(received: &Value, published: &Value) {
    assert!(published["table_digest"].is_string(), "{published}");
    assert_eq!(received["table_digest"], published["table_digest"], "{received} {published}");
    assert_eq!(received["symbols"], published["symbols"]);
}

#[test]
fn a_subscriber_from_the_middle_ends_with_the_publishers_table() {
    let inputs = [
        ("dbn mbo", sample::dbn(1, "mbo", 3_000), 2),
        ("dbn mbp-1", sample::dbn(3, "mbp-1", 3_000), 2),
        ("itch", sample::itch(Prefix::True, 3_000), 3),
        ("csv", sample::csv(3_000), 1),
    ];
    for (name, input, symbols) in inputs {
        let root = PrivateRoot::new();
        let (publisher, mut stdin) = fed(&root, &[]);
        stdin.write_all(&input[..input.len() / 2]).unwrap();
        wait_for_messages(subscriber(&root), 1_000);
        let mut late = follow(&root, &["--snapshot", "--output", "json"]);
        late.wait_for("\"snapshot\":true");
        stdin.write_all(&input[input.len() / 2..]).unwrap();
        drop(stdin);
        let (_, published) = ended(publisher);
        let (late, received) = ended(late);
        assert_eq!(late.stderr, "", "{name}");
        assert_same_table(&received, &published);
        assert!(number(&published, "symbols") >= symbols, "{name}: {published}");
        assert_eq!(number(&published, "without_row"), 0, "{name}");
        assert!(number(&received, "first_sequence") >= 1_000, "{name}: {received}");
        assert!(number(&received, "messages") >= 1_000, "{name}: {received}");
        assert_eq!(root.names(), [""; 0], "{name}: nothing is left behind");
    }
}

#[test]
fn a_sealed_ring_has_its_table_beside_it() {
    let root = PrivateRoot::new();
    let socket = root.path().join("s").to_str().unwrap().to_owned();
    let mut command = Command::new(feed_testing::program("feed-publisher"));
    command.args(["--serve", &socket, "--table", "--input", "-", "--summary", "json"]).stdin(Stdio::piped());
    let connect = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
        command.args(["--connect", &socket, "--open-timeout", "inf", "--summary", "json"]).stdin(Stdio::null());
        command
    };
    let input = sample::dbn(2, "trades", 2_000);
    let mut publisher = Program::start(&mut command);
    let mut stdin = publisher.stdin().unwrap();
    stdin.write_all(&input[..input.len() / 2]).unwrap();
    wait_for_messages(connect(), 900);
    let mut late = Program::start(connect().args(["--snapshot", "--output", "text"]));
    late.wait_for("   ONE trade");
    stdin.write_all(&input[input.len() / 2..]).unwrap();
    drop(stdin);
    let (_, published) = ended(publisher);
    let (late, received) = ended(late);
    assert_same_table(&received, &published);
    let marked = late.stdout.lines().filter(|line| line.trim_start().starts_with('*')).count();
    assert_eq!(marked, 2, "a row for each instrument: {}", late.tail());
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn only_the_symbols_asked_for_are_received() {
    let root = PrivateRoot::new();
    let (publisher, mut stdin) = fed(&root, &["--wait-for-subscribers", "2"]);
    let input = sample::dbn(3, "mbo", 1_001);
    let length = u32::from_le_bytes([input[4], input[5], input[6], input[7]]);
    let (metadata, records) = input.split_at(8 + length as usize);
    stdin.write_all(metadata).unwrap();
    let mut one = follow(&root, &["--symbol", "TWO", "--symbol", "THREE", "--output", "csv"]);
    let mut both = follow(&root, &["--symbol", "TWO", "--snapshot"]);
    one.wait_for_error("TWO yet");
    both.wait_for_error("TWO yet");
    // The ring is made when the publisher has the metadata.
    stdin.write_all(records).unwrap();
    drop(stdin);
    let (_, published) = ended(publisher);
    let (one, received) = ended(one);
    let says =
        |symbol: &str| format!("feed-subscriber: feed: no instrument has the symbol {symbol} yet: waiting for one\n");
    assert_eq!(one.stderr, says("THREE") + &says("TWO"));
    let rows = rows(&one);
    assert!(rows.iter().map(|row| row.sequence).eq((1..1_001).step_by(2)), "every second message is of TWO");
    assert!(rows.iter().all(|row| row.message.instrument == 2));
    assert!(one.stdout.lines().nth(1).unwrap().ends_with(",TWO,0"), "{}", one.tail());
    assert_eq!((number(&received, "messages"), number(&received, "skipped")), (500, 501));
    assert!(received["table_digest"].is_null(), "it follows no rows: {received}");
    let (both, received) = ended(both);
    assert_eq!((number(&received, "messages"), both.stderr), (500, says("TWO")));
    assert_same_table(&received, &published);
}

#[test]
fn messages_that_clear_all_books_are_for_every_symbol() {
    let root = PrivateRoot::new();
    let dbn = common_file(&root, &sample::dbn(3, "mbo", 10));
    let (left, _) = ended(Program::start(publisher(&root).args(["--table", "--keep-open", "--input", &dbn])));
    assert!(left.stderr.contains("left open"), "{}", left.stderr);
    let cleared = Program::start(subscriber(&root).args(["--symbol", "ONE", "--output", "csv", "--from", "10"]));
    let next = ["--table", "--clear", "--input", &dbn, "--wait-for-subscribers", "1"];
    let (_, _) = ended(Program::start(publisher(&root).args(next)));
    let (cleared, _) = ended(cleared);
    let kinds: Vec<_> = rows(&cleared).iter().map(|row| (row.message.kind(), row.message.instrument)).collect();
    assert_eq!((kinds[0], kinds.len()), ((feed::Kind::Clear, 0), 6), "{}", cleared.tail());
}

/// Writes a file beside the ring's directory and returns its path.
fn common_file(root: &PrivateRoot, bytes: &[u8]) -> String {
    let path = root.path().join("input");
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_full_table_costs_its_messages_nothing_but_the_row() {
    let root = PrivateRoot::new();
    let (publisher, mut stdin) = fed(&root, &["--rows", "1", "--wait-for-subscribers", "1"]);
    let follower = follow(&root, &["--snapshot"]);
    stdin.write_all(&sample::dbn(3, "mbo", 1_000)).unwrap();
    drop(stdin);
    let (full, published) = ended(publisher);
    let says = "feed-publisher: feed: the table has 1 rows, and this is one more instrument (--rows N): its messages are \
                published without a row; further ones are counted in the summary\n";
    assert_eq!(full.stderr, says);
    let (_, received) = ended(follower);
    assert_same_table(&received, &published);
    for summary in [&published, &received] {
        assert_eq!(["without_row", "symbols"].map(|field| number(summary, field)), [500, 1]);
    }
    // The first messages may be in its snapshot already, and then they are skipped.
    let skipped = number(&received, "skipped");
    assert_eq!((number(&published, "messages"), number(&received, "messages") + skipped), (1_000, 1_000));
    if skipped == 0 {
        assert_eq!(received["digest"], published["digest"]);
    }

    let (strict, mut stdin) = fed(&root, &["--rows", "1", "--strict"]);
    stdin.write_all(&sample::dbn(3, "mbo", 1_000)).unwrap();
    drop(stdin);
    let strict = strict.finish();
    strict.assert_one_line("feed-publisher", 1, &["the table has 1 rows", "(--rows N)"]);
    assert_eq!(number(&summary(&strict), "messages"), 2);
}

/// The publisher's summary, those of a subscriber from before and one from after, and the table at the end: its rows and the
/// number of stores.
struct TakenOver {
    published: Value,
    received: [Value; 2],
    rows: Vec<Row>,
    stores: u64,
}

impl TakenOver {
    /// The number of messages in the rows.
    fn messages(&self) -> u64 {
        self.rows.iter().map(|row| row.messages).sum()
    }
}

/// Kills a publisher in the midst of an input, and lets the next one publish another with these arguments.
fn takeover(second: &[u8], arguments: &[&str]) -> TakenOver {
    let root = PrivateRoot::new();
    let input = sample::csv(2_000);
    let (mut publisher, mut stdin) = fed(&root, &[]);
    let mut before = follow(&root, &["--snapshot"]);
    stdin.write_all(&input[..input.len() / 2]).unwrap();
    wait_for_messages(subscriber(&root), 900);
    publisher.kill();
    before.wait_for_error("waiting for the next one");
    let (publisher, mut stdin) = fed(&root, arguments);
    // The header alone, so that the subscriber from before copies the table as the first publisher left it.
    let (header, rows) = second.split_at(second.iter().position(|&byte| byte == b'\n').unwrap() + 1);
    stdin.write_all(header).unwrap();
    before.wait_for_error("epoch 2 begins");
    if !arguments.is_empty() {
        before.wait_for_error("its table was replaced: opened the new one");
    }
    let mut table = TableReader::<u32, Row>::options("feed.table").root(&root).open_table().unwrap();
    stdin.write_all(&rows[..rows.len() / 2]).unwrap();
    let mut after = follow(&root, &["--snapshot", "--output", "csv"]);
    after.wait_for(",1\n");
    stdin.write_all(&rows[rows.len() / 2..]).unwrap();
    drop(stdin);
    let (_, published) = ended(publisher);
    let received = [before, after].map(|program| ended(program).1);
    received.iter().for_each(|received| assert_same_table(received, &published));
    assert_eq!(root.names(), [""; 0]);
    let rows = table.rows().filter_map(|row| table.get(row).unwrap()).map(|stored| stored.value).collect();
    TakenOver { published, received, rows, stores: table.stores() }
}

#[test]
fn a_publisher_that_takes_over_goes_on_with_the_table() {
    let over = takeover(&sample::csv(2_000), &[]);
    // On a busy machine the subscriber may have opened the ring again, because the takeover took so long.
    assert_eq!(number(&over.received[0], "restarts"), 1);
    assert_eq!(over.messages(), over.stores, "the table was not made anew");
    assert!(over.stores >= 2_900, "{}", over.stores);
}

#[test]
fn a_publisher_that_takes_over_may_know_other_symbols() {
    let input = String::from_utf8(sample::csv(2_000)).unwrap();
    let over = takeover(input.replace("SYN", "NEW").as_bytes(), &[]);
    assert_eq!(over.messages(), over.stores);
    assert!(over.rows.iter().all(|row| row.symbol.as_str().starts_with("NEW")), "{:?}", over.rows);
}

#[test]
fn a_table_that_was_replaced_is_opened_again() {
    let over = takeover(&sample::csv(2_000), &["--rows", "100"]);
    assert_eq!(["restarts", "reopened"].map(|field| number(&over.received[0], field)), [1, 1]);
    assert_eq!(over.messages(), number(&over.published, "messages"), "the new table knows of no message before");
}

#[test]
fn without_a_table_there_is_no_snapshot_and_the_error_says_who_makes_one() {
    let root = PrivateRoot::new();
    let plain = ["--keep-open", "--count", "10"];
    ended(Program::start(publisher(&root).args(plain)));
    for asks in [&["--snapshot"][..], &["--symbol", "ONE"]] {
        let finished = Program::start(subscriber(&root).args(asks)).finish();
        assert_one_line(&finished, 1, &["feed.table", "(feed-publisher --table"]);
    }
    // A table that the last publisher did not keep.
    ended(Program::start(publisher(&root).args(plain).arg("--table")));
    ended(Program::start(publisher(&root).args(plain)));
    for asks in [&["--snapshot"][..], &["--symbol", "ONE"]] {
        let finished = Program::start(subscriber(&root).args(asks)).finish();
        let says =
            "the table is not kept by the ring's present publisher: restart it with its table (feed-publisher --table)";
        assert_eq!(finished.code, Some(1), "{}", finished.tail());
        assert!(finished.stderr.lines().last().unwrap().ends_with(says), "{}", finished.stderr);
    }
}

/// Replays a file, with a subscriber that comes when the first messages were published.
fn replay(file: &str, count: &str, symbol: &str) {
    let Some(path) = market_data(file) else { return };
    let root = PrivateRoot::new();
    let mut command = publisher(&root);
    command.args(["--table", "--rate", "50000", "--count", count, "--capacity", "1048576", "--keep-open", "--input"]);
    let publisher = Program::start(command.arg(path));
    wait_for_messages(subscriber(&root), 10_000);
    let mut late = follow(&root, &["--snapshot", "--output", "csv", "--on-publisher-loss", "exit"]);
    late.wait_for(&format!(",{symbol},1\n"));
    let (_, published) = ended(publisher);
    let late = late.finish();
    let received = summary(&late);
    assert_same_table(&received, &published);
    assert_eq!((number(&received, "symbols"), number(&received, "next_sequence")), (1, number(&published, "messages")));
    assert!(number(&received, "first_sequence") >= 10_000, "{received}");
    let mut shown = late.stdout.lines().skip(1).filter(|line| !line.starts_with('{'));
    assert!(shown.all(|line| line.rsplit(',').nth(1) == Some(symbol)), "another symbol");
}

#[test]
fn esh4_is_whole_for_a_late_subscriber() {
    replay("esh4-glbx-mdp3-20231225.mbo.dbn.zst", "68792", "ESH4");
}

#[test]
fn btcusdt_is_whole_for_a_late_subscriber() {
    replay("btcusdt_20240808.csv.gz", "100000", "BTCUSDT");
}
