//! Tests of `tail` and `dump`.

use std::fs;
use std::process::Command;

use feed::{Kind, Message, Side};
use feed_ring::Publisher;
use feed_testing::{Child, PrivateRoot};

use crate::rings::{
    Quote, closed, dead, fine, json_lines, live, options, publish_twenty, put, quote, run, slot, stable,
};

#[test]
fn the_newest_messages() {
    let root = PrivateRoot::new();
    closed(&root, "q");
    insta::assert_snapshot!(fine(&root, &["tail", "q", "-n", "2"]), @r#"
    18  time=1700000000000000018 bid.price=-18 bid.size=1800 symbol="BTC-USD" side=66'B'
    19  time=1700000000000000019 bid.price=-19 bid.size=1900 symbol="BTC-USD" side=66'B'
    "#);
    insta::assert_snapshot!(fine(&root, &["tail", "q", "-n", "1", "--json"]), @r#"
    {"sequence":19,"message":{"time":1700000000000000019,"bid.price":-19,"bid.size":1900,"symbol":"BTC-USD","side":66}}
    "#);
    assert_eq!(fine(&root, &["tail", "q"]).lines().count(), 7, "all that it holds");
    assert_eq!(fine(&root, &["tail", "q", "-n", "0"]), "");
    assert_eq!(fine(&root, &["tail", "q", "-n", &u64::MAX.to_string()]).lines().count(), 7);
}

#[test]
fn market_data_in_columns() {
    let root = PrivateRoot::new();
    let mut publisher = Publisher::<Message>::options("q").root(&root).capacity(8).keep(true).create().unwrap();
    let at = 1_704_205_805_517_450_587;
    let bid = (239_530_000_000, 46_000_000_000);
    let quote = Message { instrument: 3, ..Message::new(Kind::Quote, at) };
    publisher.publish(&quote.with_quote(bid, (239_570_000_000, 69_000_000_000)));
    let (side, price, size) = (Side::Bid as u8, 215_350_000_000, 18_000_000_000);
    publisher.publish(&Message { side, price, size, order_id: 19_560, ..Message::new(Kind::Trade, at + 125_250) });
    publisher.close().unwrap();
    insta::assert_snapshot!(fine(&root, &["tail", "q"]), @r"
     sequence            time  instr kind   side       price      size      id | ask
            0 14:30:05.517450      3 quote            239.53        46   239.57 x 69
            1 14:30:05.517575      0 trade  bid       215.35        18         19560
    ");
    assert_eq!(fine(&root, &["tail", "q", "-n", "1"]).lines().count(), 2, "the names and a message");
    // For programs, and in `dump`, every field stands as it is.
    let json = json_lines(&fine(&root, &["tail", "q", "-n", "1", "--json"]));
    assert_eq!((json.len(), json[0]["message"]["price"].as_i64()), (1, Some(price)));
    let dumped = fine(&root, &["dump", "q", "--sequence", "1"]);
    assert!(dumped.starts_with("1  ts_event=1704205805517575837 ") && dumped.contains(" kind=84'T' "), "{dumped}");
}

#[test]
fn messages_as_bytes() {
    let root = PrivateRoot::new();
    closed(&root, "q");
    insta::assert_snapshot!(fine(&root, &["dump", "q", "--sequence", "19", "--hex"]), @r#"
    19
      0000  13 00 2a 36 fe 9c 97 17  ed ff ff ff ff ff ff ff  |..*6............|
      0010  6c 07 00 00 00 00 00 00  42 54 43 2d 55 53 44 42  |l.......BTC-USDB|
    "#);
    insta::assert_snapshot!(fine(&root, &["dump", "q", "--sequence", "19", "--hex", "--json"]), @r#"
    {"sequence":19,"hex":"13002a36fe9c9717edffffffffffffff6c070000000000004254432d55534442"}
    "#);
}

#[test]
fn messages_by_their_numbers() {
    let root = PrivateRoot::new();
    closed(&root, "q");
    let numbers = |range: &str| {
        let lines = json_lines(&fine(&root, &["dump", "q", "--json", "--sequence", range]));
        lines.iter().map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(numbers("14..17"), [14, 15, 16]);
    assert_eq!(numbers("18.."), [18, 19]);
    assert_eq!(numbers("..15"), [13, 14]);
    assert_eq!(numbers(".."), [13, 14, 15, 16, 17, 18, 19]);
    assert_eq!(numbers("16"), [16]);
    assert_eq!(numbers("16..16"), [0; 0]);
    assert_eq!(fine(&root, &["dump", "q"]), fine(&root, &["dump", "q", "--decode", "--sequence", ".."]));
}

#[test]
fn missing_messages_are_reported() {
    let root = PrivateRoot::new();
    closed(&root, "q");
    for (range, lines, said) in [
        ("10..15", 2, "10 to 12: overwritten"),
        ("..5", 0, "4: overwritten"),
        ("18..30", 2, "20 to 29: not published yet"),
        ("30..", 0, "30: not published yet"),
        ("0..18446744073709551615", 7, "0 to 12: overwritten"),
        ("18446744073709551615", 0, "18446744073709551615: not published yet"),
        ("18446744073709551614", 0, "18446744073709551614: not published yet"),
        // The sequence word of message 15 would be twice this plus 2.
        ("9223372036854775823", 0, "9223372036854775823: not published yet"),
    ] {
        let (code, stdout, stderr) = run(&root, &["dump", "q", "--sequence", range]);
        assert_eq!((code, stdout.lines().count()), (1, lines), "{range}: {stdout}");
        assert!(stderr.contains(said), "{range}: {stderr}");
    }
    let (_, stdout, stderr) = run(&root, &["dump", "q", "--sequence", "11..14", "--json"]);
    let lines = json_lines(&stdout);
    assert_eq!(lines[0]["missing"], serde_json::json!({ "from": 11, "to": 13, "why": "overwritten" }));
    assert_eq!((lines[1]["sequence"].as_u64(), &*stderr), (Some(13), ""));
}

#[test]
fn a_damaged_slot_is_passed_over() {
    let root = PrivateRoot::new();
    put(&closed(&root, "q").join("segment"), slot(7), 8);
    let (code, stdout, stderr) = run(&root, &["dump", "q"]);
    assert_eq!((code, stdout.lines().count()), (1, 6));
    assert!(stderr.starts_with("15: corrupt: the slot's sequence word is 8"), "{stderr}");
    let (code, _, stderr) = run(&root, &["tail", "q"]);
    assert_eq!(code, 1);
    assert!(stable(&root, &stderr).starts_with("ringctl: ROOT/q.ring, sequence 15: corrupt"), "{stderr}");
}

#[test]
fn an_invalid_schema_shows_bytes() {
    let root = PrivateRoot::new();
    let segment = closed(&root, "q").join("segment");
    // "Quote 32" becomes "Quote 3!" with a matching fingerprint.
    let mut bytes = fs::read(&segment).unwrap();
    bytes[640 + 7] = b'!';
    let length = u64::from_ne_bytes(bytes[54 * 8..55 * 8].try_into().unwrap()) as usize;
    let hash = bytes[640..640 + length]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    bytes[53 * 8..54 * 8].copy_from_slice(&hash.to_ne_bytes());
    fs::write(&segment, bytes).unwrap();
    let (code, stdout, stderr) = run(&root, &["tail", "q", "-n", "1"]);
    assert_eq!(code, 0);
    assert!(stderr.contains("is no name, size and alignment") && stderr.contains("shown as bytes"), "{stderr}");
    assert!(stdout.starts_with("19\n  0000  13 "), "{stdout}");
}

fn follow(root: &PrivateRoot, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringctl"));
    command.arg("--root").arg(root.path()).args(["--json", "tail", "-f"]).args(arguments);
    Child::start(&mut command)
}

/// Publishes message 20 and closes the ring. Fails unless `tail -f -n 1` shows message 19, message 20 and the close.
pub(crate) fn assert_follows_to_close(mut publisher: Publisher<Quote>, mut tail: Child) {
    tail.wait_for("{\"sequence\":19,");
    publisher.publish(&quote(20));
    tail.wait_for("{\"sequence\":20,");
    publisher.close().unwrap();
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(0), "{\"ended\":\"closed\"}\n"));
}

#[test]
fn following_to_the_end() {
    let root = PrivateRoot::new();
    let mut publisher = options(&root, "q").create().unwrap();
    publish_twenty(&mut publisher);
    assert_follows_to_close(publisher, follow(&root, &["q", "-n", "1"]));
}

#[test]
fn following_over_a_death_and_a_takeover() {
    let root = PrivateRoot::new();
    let mut publisher = live(&root, "q");
    let mut tail = follow(&root, &["q", "-n", "1"]);
    tail.wait_for("{\"sequence\":19,");
    publisher.kill();
    tail.wait_for("{\"publisher\":\"dead\"}");
    let mut again = options(&root, "q").create().unwrap();
    // Reported before the first message.
    tail.wait_for("{\"epoch\":2,\"sequence\":20}");
    again.publish(&quote(20));
    tail.wait_for("{\"sequence\":20,");
    // More than the ring holds, at once: each message is shown or reported as lost, and the last one is shown.
    (21..60).for_each(|sequence| {
        again.publish(&quote(sequence));
    });
    tail.wait_for("{\"sequence\":59,");
    drop(again);
    tail.wait_for("{\"ended\":\"closed\"}");
}

#[test]
fn following_a_ring_that_is_cut_short() {
    let root = PrivateRoot::new();
    let _publisher = live(&root, "q");
    let mut tail = follow(&root, &["q", "-n", "1"]);
    tail.wait_for("{\"sequence\":19,");
    fs::OpenOptions::new().write(true).open(root.path().join("q.ring/segment")).unwrap().set_len(0).unwrap();
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(1), ""), "an error, no signal");
}

#[test]
fn following_a_ring_that_is_removed() {
    let root = PrivateRoot::new();
    let ring = dead(&root, "q");
    let mut tail = follow(&root, &["q", "-n", "0"]);
    tail.wait_for("{\"publisher\":\"dead\"}");
    fs::remove_dir_all(ring).unwrap();
    let (status, rest) = tail.finish();
    assert_eq!((status.code(), &*rest), (Some(0), "{\"ended\":\"removed\"}\n"));
}
