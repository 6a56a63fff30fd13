//! Tests of rings of records: every command that looks at rings.

use feed::sample::{dbn, itch_message};
use feed_ring::raw::MessageFormat;
use feed_ring::records::RecordsFormat;
use feed_ring::{Join, Payload, RecordPublisher, RecordSubscriber};
use feed_testing::{Child, PrivateRoot};
use serde_json::json as value;

use crate::exporter::Exporter;
use crate::rings::{fine, json, json_lines, put, ringctl, run, stable};

fn publisher(root: &PrivateRoot, name: &str, format: RecordsFormat) -> RecordPublisher {
    RecordPublisher::options(name, format).root(root).capacity(64).keep(true).create_records().unwrap()
}

/// A ring of records of this encoding, which its publisher left.
fn left(root: &PrivateRoot, name: &str, encoding: &str, records: &[(u8, Vec<u8>)]) {
    let format = if encoding.is_empty() { RecordsFormat::default() } else { RecordsFormat::encoded(encoding) };
    let mut publisher = publisher(root, name, format);
    for (kind, bytes) in records {
        publisher.publish(*kind, bytes).unwrap();
    }
    publisher.close().unwrap();
}

/// The first records of a DBN file, each with its type as its kind.
fn dbn_records(schema: &str, count: u64) -> Vec<(u8, Vec<u8>)> {
    let file = dbn(3, schema, count);
    let length = u32::from_le_bytes(file[4..8].try_into().unwrap()) as usize;
    let mut rest = &file[8 + length..];
    let mut records = Vec::new();
    while let Some(&units) = rest.first() {
        let (record, behind) = rest.split_at(usize::from(units) * 4);
        records.push((record[1], record.to_vec()));
        rest = behind;
    }
    records
}

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Trade {
    price: i64,
    symbol: [u8; 8],
}

#[derive(Clone, Copy, Payload)]
#[repr(C)]
struct Note {
    number: u32,
    letter: [u8; 4],
}

fn structs() -> RecordsFormat {
    RecordsFormat::structs([(1, MessageFormat::of::<Trade>()), (7, MessageFormat::of::<Note>())])
}

/// Publishes a trade, a note, a record of an unknown kind, and one that is too short for its kind.
fn publish_structs(publisher: &mut RecordPublisher) {
    publisher.publish(1, &[&(-5i64).to_ne_bytes()[..], b"BTC-USD\0"].concat()).unwrap();
    publisher.publish(7, &[&9u32.to_ne_bytes()[..], b"\x1b[2J"].concat()).unwrap();
    publisher.publish(9, b"unknown").unwrap();
    publisher.publish(1, b"short").unwrap();
}

#[test]
fn dbn_records_by_their_fields() {
    let root = PrivateRoot::new();
    left(&root, "q", "dbn", &[dbn_records("mbo", 1), dbn_records("trades", 1), vec![(0, b"none".to_vec())]].concat());
    insta::assert_snapshot!(fine(&root, &["tail", "q"]), @r"
    0  kind 160, 56 B: mbo ts_recv=2024-01-02T14:30:00.000000700Z ts_event=2024-01-02T14:30:00.000000000Z publisher_id=1 instrument_id=1 action=A side=B price=4700.000000000 size=1 channel_id=0 order_id=6000000000 flags=0 ts_in_delta=20 sequence=0
    1  kind 0, 48 B: mbp-0 ts_recv=2024-01-02T14:30:00.000000700Z ts_event=2024-01-02T14:30:00.000000000Z publisher_id=1 instrument_id=1 action=T side=B depth=0 price=4700.000000000 size=1 flags=128 ts_in_delta=20 sequence=0
    2  kind 0, 4 B: 6e6f6e65
    ");
    insta::assert_snapshot!(fine(&root, &["--json", "dump", "q"]), @r#"
    {"number":0,"epoch":1,"kind":160,"length":56,"type":"mbo","record":{"ts_recv":"1704205800000000700","hd":{"ts_event":"1704205800000000000","rtype":160,"publisher_id":1,"instrument_id":1},"action":"A","side":"B","price":"4700000000000","size":1,"channel_id":0,"order_id":"6000000000","flags":0,"ts_in_delta":20,"sequence":0}}
    {"number":1,"epoch":1,"kind":0,"length":48,"type":"mbp-0","record":{"ts_recv":"1704205800000000700","hd":{"ts_event":"1704205800000000000","rtype":0,"publisher_id":1,"instrument_id":1},"action":"T","side":"B","depth":0,"price":"4700000000000","size":1,"flags":128,"ts_in_delta":20,"sequence":0}}
    {"number":2,"epoch":1,"kind":0,"length":4,"hex":"6e6f6e65"}
    "#);
}

#[test]
fn itch_messages_by_their_fields() {
    let root = PrivateRoot::new();
    left(&root, "q", "itch", &[b'A', b'U'].map(|kind| (kind, itch_message(kind, 7))));
    insta::assert_snapshot!(fine(&root, &["dump", "q"]), @r"
    0  kind 65, 36 B: add order type=A stock_locate=2 tracking_number=0 timestamp=09:30:00.000007000 order=1007 side=S shares=107 stock=SAMPLE price=150.0007
    1  kind 85, 35 B: order replaced type=U stock_locate=2 tracking_number=0 timestamp=09:30:00.000007000 original_order=507 order=1007 shares=107 price=150.0007
    ");
    insta::assert_snapshot!(fine(&root, &["--json", "tail", "q", "-n", "1"]), @r#"{"number":1,"epoch":1,"kind":85,"length":35,"type":"order replaced","record":{"type":"U","stock_locate":2,"tracking_number":0,"timestamp":"09:30:00.000007000","original_order":507,"order":1007,"shares":107,"price":"150.0007"}}"#);
}

#[test]
fn structs_by_the_schema_of_their_kind() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root, "q", structs());
    publish_structs(&mut publisher);
    insta::assert_snapshot!(fine(&root, &["tail", "q"]), @r#"
    0  kind 1, 16 B: Trade price=-5 symbol="BTC-USD"
    1  kind 7, 8 B: Note number=9 letter=[27, 91, 50, 74]
    2  kind 9, 7 B: 756e6b6e6f776e
    3  kind 1, 5 B: 73686f7274
    "#);
    insta::assert_snapshot!(fine(&root, &["--json", "tail", "q"]), @r#"
    {"number":0,"epoch":1,"kind":1,"length":16,"type":"Trade","record":{"price":-5,"symbol":"BTC-USD"}}
    {"number":1,"epoch":1,"kind":7,"length":8,"type":"Note","record":{"number":9,"letter":"\u001b[2J"}}
    {"number":2,"epoch":1,"kind":9,"length":7,"hex":"756e6b6e6f776e"}
    {"number":3,"epoch":1,"kind":1,"length":5,"hex":"73686f7274"}
    "#);
}

#[test]
fn bytes_of_any_other_encoding() {
    let root = PrivateRoot::new();
    left(&root, "q", "text", &[(0, b"a text\x07 of more than thirty-two bytes".to_vec()), (3, Vec::new())]);
    insta::assert_snapshot!(fine(&root, &["tail", "q"]), @r"
    0  kind 0, 37 B: 61207465787407206f66206d6f7265207468616e207468697274792d74776f20…
    1  kind 3, 0 B
    ");
    insta::assert_snapshot!(fine(&root, &["--json", "tail", "q"]), @r#"
    {"number":0,"epoch":1,"kind":0,"length":37,"hex":"61207465787407206f66206d6f7265207468616e207468697274792d74776f206279746573"}
    {"number":1,"epoch":1,"kind":3,"length":0,"hex":""}
    "#);
    insta::assert_snapshot!(fine(&root, &["dump", "q", "--hex"]), @r"
    0  kind 0, 37 B
      0000  61 20 74 65 78 74 07 20  6f 66 20 6d 6f 72 65 20  |a text. of more |
      0010  74 68 61 6e 20 74 68 69  72 74 79 2d 74 77 6f 20  |than thirty-two |
      0020  62 79 74 65 73                                    |bytes|
    1  kind 3, 0 B
    ");
}

#[test]
fn records_by_their_numbers() {
    let root = PrivateRoot::new();
    let records: Vec<_> = (0..200).map(|number| (0, vec![number as u8; number % 100])).collect();
    left(&root, "q", "", &records);
    let numbers = |range: &str| {
        let lines = json_lines(&fine(&root, &["dump", "q", "--json", "--sequence", range]));
        lines
            .iter()
            .map(|line| (line["number"].as_u64().unwrap(), line["length"].as_u64().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(numbers("190..193"), [(190, 90), (191, 91), (192, 92)]);
    assert_eq!(numbers("199"), [(199, 99)]);
    let held = numbers("..");
    assert!(held.len() > 20 && held.last() == Some(&(199, 99)), "{held:?}");
    assert!(held.windows(2).all(|pair| pair[1].0 == pair[0].0 + 1), "{held:?}");
    assert_eq!(fine(&root, &["tail", "q", "-n", "5"]).lines().count(), 5);
    let (code, stdout, stderr) = run(&root, &["dump", "q", "--sequence", "3..202"]);
    assert_eq!((code, stdout.lines().count()), (1, held.len()));
    let first = held[0].0 - 1;
    assert!(
        stderr.contains(&format!("3 to {first}: overwritten")) && stderr.contains("200 to 201: not published"),
        "{stderr}"
    );
}

#[test]
fn a_record_that_is_damaged_is_passed_over_and_said() {
    let root = PrivateRoot::new();
    left(&root, "q", "", &[1; 20].map(|byte| (0, vec![byte; 10])));
    // The slot of the second, which takes one slot as the others do.
    put(&root.path().join("q.ring/segment"), 512 + 8, 4);
    let (code, stdout, stderr) = run(&root, &["dump", "q"]);
    assert_eq!((code, stdout.lines().count()), (1, 19), "{stdout}");
    assert!(stderr.starts_with("1: corrupt: "), "{stderr}");
    let (code, stdout, _) = run(&root, &["verify", "q"]);
    assert_eq!(code, 1);
    insta::assert_snapshot!(stdout, @r"q: slot 1: found 4, which no publisher stores; expected a record that begins or goes on at position 1 (6 or 7)");
}

#[test]
fn list_and_stat_say_what_the_records_are() {
    let root = PrivateRoot::new();
    left(&root, "dbn", "dbn", &dbn_records("mbo", 3));
    left(&root, "plain", "", &[]);
    let mut publisher = publisher(&root, "structs", structs());
    publish_structs(&mut publisher);
    let _subscriber = RecordSubscriber::options("structs").root(&root).join(Join::Oldest).open_records().unwrap();
    let listed = fine(&root, &["list", "--sample", "0"]);
    let cells: Vec<_> = listed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert!(cells[1].contains(" records, dbn (to 888 B) 64 3 - closed"), "{listed}");
    assert!(cells[2].contains(" records (to 888 B) 64 0 - closed"), "{listed}");
    assert!(cells[3].contains(" records, structs (to 888 B) 64 4 - alive 1 4"), "{listed}");
    let rings = json(&root, &["list", "--sample", "0"])["rings"].clone();
    let facts = |ring: usize| {
        let of = |name: &str| rings[ring][name].clone();
        [of("kind"), of("encoding"), of("message"), of("message_bytes"), of("capacity"), of("published")]
    };
    assert_eq!(value!(facts(0)), value!(["records", "dbn", "records", 888, 64, 3]));
    assert_eq!(value!(facts(1)), value!(["records", "", "records", 888, 64, 0]));
    assert_eq!(value!(facts(2)), value!(["records", "structs", "records", 888, 64, 4]));
    insta::assert_snapshot!(stable_stat(&root, "structs"), @r"
    ring        ROOT/structs.ring
    file        8.0 KiB, mode 0600, owner ? (uid ?, gid ?)
    made        ?, ABI 2, nonce ?
    publisher   alive (pid ?, epoch 1)
    slots       64 of 64 bytes; 4 records held
    published   4 (the ring begins at 0)
    epochs      1 from sequence 0
    wakes       1, counting starts and ends (by membarrier)
    records     encoding structs, the longest of 888 B, schema f3d55f77916f8ebf
      kind 1: Trade (16 B), align 8
           0  price: i64
           8  symbol: [u8;8]
      kind 7: Note (8 B), align 4
           0  number: u32
           4  letter: [u8;4]
    ENTRY  PID  SEQUENCE  LAG  OF RING  LOST
        0    ?         0    4    6.2 %     0
    ");
    insta::assert_snapshot!(stable_stat(&root, "plain"), @r"
    ring        ROOT/plain.ring
    file        8.0 KiB, mode 0600, owner ? (uid ?, gid ?)
    made        ?, ABI 2, nonce ?
    publisher   closed (last pid ?, epoch 1)
    slots       64 of 64 bytes; 0 records held
    published   0 (the ring begins at 0)
    epochs      1 from sequence 0
    wakes       2, counting starts and ends (by membarrier)
    records     bytes, the longest of 888 B, schema 7dffcde9adb1eca5
    subscribers: none
    ");
    assert_eq!(json(&root, &["stat", "dbn"])["schema"], "Records dbn\n");
    insta::assert_snapshot!(fine(&root, &["verify"]), @r"
    dbn: fine (64 slots)
    plain: fine (64 slots)
    structs: fine (64 slots)
    ");
    let (code, _, stderr) = run(&root, &["table", "dbn"]);
    assert_eq!(code, 1);
    assert!(stderr.contains("a ring of records, without a table"), "{stderr}");
}

fn stable_stat(root: &PrivateRoot, name: &str) -> String {
    crate::rings::stable_stat(root, &fine(root, &["stat", name]))
}

#[test]
fn top_export_and_clean_know_rings_of_records() {
    let root = PrivateRoot::new();
    let mut publisher = publisher(&root, "q", RecordsFormat::encoded("dbn"));
    publisher.publish(1, b"one").unwrap();
    let mut top = Child::start(
        std::process::Command::new(env!("CARGO_BIN_EXE_ringctl"))
            .arg("--root")
            .arg(root.path())
            .args(["top", "--json"]),
    );
    let survey = json_lines(&top.wait_for("")).remove(0);
    let ring = &survey["rings"][0];
    assert_eq!(
        (&ring["kind"], &ring["encoding"], &ring["published"]),
        (&value!("records"), &value!("dbn"), &value!(1))
    );
    top.kill();
    let metrics = Exporter::start(&root).scrape();
    assert_eq!(metrics["feed_ring_records{ring=\"q\",encoding=\"dbn\"}"], 1.0);
    assert_eq!(metrics["feed_ring_longest_record_bytes{ring=\"q\"}"], 888.0);
    assert_eq!(metrics["feed_ring_published_messages_total{ring=\"q\"}"], 1.0);
    publisher.leave();
    assert!(fine(&root, &["clean", "--dry-run"]).contains("would remove q"));
    fine(&root, &["clean"]);
    assert_eq!(root.names(), [""; 0]);
}

#[test]
fn following_records_over_a_takeover_to_the_end() {
    let root = PrivateRoot::new();
    let mut first = publisher(&root, "q", RecordsFormat::default());
    first.publish(1, b"one").unwrap();
    let command = ringctl(&root, &["--json", "tail", "-f", "q"]);
    let mut tail = Child::start(std::process::Command::new(command.get_program()).args(command.get_args()));
    tail.wait_for("{\"number\":0,\"epoch\":1,\"kind\":1,\"length\":3,\"hex\":\"6f6e65\"}");
    first.leave();
    tail.wait_for("{\"publisher\":\"dead\"}");
    let mut second = publisher(&root, "q", RecordsFormat::default());
    second.publish(2, &[7; 300]).unwrap();
    tail.wait_for("{\"epoch\":2,\"sequence\":1}");
    tail.wait_for("{\"number\":1,\"epoch\":2,\"kind\":2,\"length\":300,\"hex\":\"0707");
    second.close().unwrap();
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(0), "{\"ended\":\"closed\"}\n"));
    let (code, _, stderr) = run(&root, &["tail", "none"]);
    assert_eq!(code, 1, "{}", stable(&root, &stderr));
}
