//! Tests of CSV: every kind of row, exact decimals, events, and inputs with every field broken.

mod common;

use common::{assert_same, failure, read, read_all, read_as, read_in_drops, read_passing, read_times, strict_failure};
use feed::source::Format;
use feed::{Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, sample};

const HEADER: &str = "recv_ts_ns,exch_ts_ms,kind,symbol,px,qty,bid_px,bid_qty,ask_px,ask_qty,side,id";

const ENDS_WITHIN: &str =
    "the input ends within this line, which may be cut short: end it with a line feed if it is whole";

fn file(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

#[test]
fn each_kind_of_row_has_its_message() {
    let messages = read_all(file(&[
        "900,2,T,BTC,58710.20,0.014,,,,,B,41",
        "901,3,D,ETH,0.000000001,0.000,,,,,S,42",
        "902,4,Q,BTC,,,61800.2,2.507,61800.3,2.51,,43",
        "903,5,Q,BTC,,,,,61800.3,2.51,,44",
    ]));
    let [trade, level, quote, one_sided] = messages[..] else { panic!("{messages:?}") };
    let expected = Message {
        ts_event: 2_000_000,
        ts_publish: 0,
        instrument: 1,
        kind: b'T',
        side: b'B',
        flags: 0x80,
        reserved: 0,
        price: 58_710_200_000_000,
        size: 14_000_000,
        order_id: 41,
        extra: 900,
    };
    assert_eq!(trade, expected);
    assert_eq!((level.kind(), level.side(), level.instrument), (Kind::Level, Side::Ask, 2));
    assert_eq!((level.price, level.size, level.order_id, level.extra), (1, 0, 42, 901));
    assert_eq!((quote.kind(), quote.side(), quote.instrument), (Kind::Quote, Side::None, 1));
    assert_eq!((quote.price, quote.size), (61_800_200_000_000, 2_507_000_000));
    assert_eq!((quote.ask_price(), quote.ask_size()), (Some(61_800_300_000_000), Some(2_510_000_000)));
    assert_eq!((one_sided.price, one_sided.size), (UNDEFINED_PRICE, UNDEFINED_SIZE));
    assert_eq!(one_sided.ask_price(), Some(61_800_300_000_000));
}

#[test]
fn rows_of_one_change_are_one_event() {
    let messages = read_all(file(&[
        "1,1,D,A,1,1,,,,,B,7",
        "2,1,D,A,2,1,,,,,B,7",
        "3,1,D,B,2,1,,,,,B,7",
        "4,1,D,B,3,1,,,,,B,8",
        "5,2,D,B,3,1,,,,,B,8",
        "6,2,T,B,3,1,,,,,B,8",
    ]));
    let ends: Vec<bool> = messages.iter().map(Message::is_end_of_event).collect();
    assert_eq!(ends, [false, true, true, true, true, true]);
}

#[test]
fn the_columns_may_stand_in_any_order() {
    let reordered = "\u{feff}id,side,ask_qty,ask_px,bid_qty,bid_px,qty,px,symbol,kind,exch_ts_ms,recv_ts_ns\r\n\
                     41,B,,,,,0.014,58710.20,BTC,T,2,900\r\n";
    assert_eq!(read_all(reordered), read_all(file(&["900,2,T,BTC,58710.20,0.014,,,,,B,41"])));
}

#[test]
fn line_ends_and_compression_make_no_difference() {
    let plain = String::from_utf8(sample::csv(2_000)).unwrap();
    let expected = read_all(plain.as_str());
    assert_eq!(expected.len(), 2_000);
    assert!(Kind::ALL.iter().filter(|&&kind| expected.iter().any(|message| message.kind() == kind)).count() == 3);
    assert_same(&read_all(plain.replace('\n', "\r\n")), &expected, "CR LF");
    assert_same(&read_all(plain.replace('\n', "\n\n")), &expected, "blank lines");
    assert_same(&read_all(sample::gzip(plain.as_bytes())), &expected, "gzip");
    assert_same(&read_all(sample::zstd(plain.as_bytes())), &expected, "zstd");
    assert_same(&read_in_drops(plain).0, &expected, "in drops");
}

#[test]
fn a_header_alone_is_an_empty_feed() {
    assert_eq!(read_all(format!("{HEADER}\n")), []);
    assert_eq!(failure(HEADER), (0, format!("sample: line 1: {ENDS_WITHIN}")));
}

#[test]
fn an_input_that_ends_anywhere_but_between_lines_is_an_error_after_the_rows_before_it() {
    let rows = [
        "900,2,T,BTC,58710.20,0.014,,,,,B,4123",
        "901,3,Q,BTC,,,61800.2,2.507,61800.3,2.51,,4321",
        "902,4,D,ETH,0.000000001,0.000,,,,,S,44444",
    ];
    for end in ["\n", "\r\n"] {
        let whole = file(&rows).replace('\n', end);
        let expected = read_all(&*whole);
        for cut in 1..=whole.len() {
            let input = &whole[..cut];
            // CR without LF ends a line, too.
            let (lines, is_whole) = (input.matches(&end[..1]).count(), input.ends_with(['\r', '\n']));
            let (messages, error) = read_as(input, Some(Format::Csv));
            let complete = lines.saturating_sub(1);
            assert_eq!(messages.len(), complete, "{input:?}");
            for (message, expected) in messages.iter().zip(&expected) {
                // The last row's flag is not always known.
                assert_eq!(Message { flags: 0, ..*message }, Message { flags: 0, ..*expected }, "{input:?}");
            }
            match error {
                None => assert!(is_whole, "{input:?}"),
                Some(error) => {
                    assert!(!is_whole, "{input:?}: {error}");
                    assert_eq!(error.to_string(), format!("sample: line {}: {ENDS_WITHIN}", lines + 1));
                }
            }
            let in_drops = read_in_drops(input);
            if cut > HEADER.len() {
                assert_same(&in_drops.0, &messages, "in drops");
                assert_eq!(in_drops.1.is_none(), is_whole, "{input:?}");
            }
        }
    }
}

#[test]
fn a_symbol_may_be_64_bytes_long() {
    let row = |symbol: &str| format!("900,2,T,{symbol},1,1,,,,,B,4");
    let (longest, longer) = ("S".repeat(64), "S".repeat(65));
    assert_eq!(read_all(file(&[&row(&longest)]))[0].instrument, 1);
    let says = format!("symbol \"{}\" … is 65 bytes long: expected a symbol of at most 64", &longest[..40]);
    let rows = file(&[&row(&longest), &row(&longer), &row("B")]);
    assert_eq!(strict_failure(&*rows), (1, format!("sample: line 3: {says}")));
    let (messages, passed) = read_passing(rows);
    assert_eq!(messages.len(), 2);
    assert_eq!(passed, [("CSV row with a wrong symbol".to_owned(), 1)]);
}

#[test]
fn a_row_that_can_be_no_message_is_passed_over_or_strictly_an_error_with_its_line() {
    let good = "900,2,T,BTC,58710.20,0.014,,,,,B,41";
    let number = "expected a whole number from 0 to 18446744073709551615";
    let empty = "expected nothing in a row of this kind";
    let decimal = "is not a decimal number (such as 58710.20 or 1.5e-05)";
    for (row, reason) in [
        ("x,2,T,BTC,1,1,,,,,B,4", format!("recv_ts_ns \"x\" is wrong: {number}")),
        ("+9,2,T,BTC,1,1,,,,,B,4", format!("recv_ts_ns \"+9\" is wrong: {number}")),
        ("9,-2,T,BTC,1,1,,,,,B,4", format!("exch_ts_ms \"-2\" is wrong: {number}")),
        ("9,2,T,BTC,1,1,,,,,B,18446744073709551616", format!("id \"18446744073709551616\" is wrong: {number}")),
        ("9,2,T,BTC,1,1,,,,,B,", format!("id \"\" is wrong: {number}")),
        (
            "9,18446744073710,T,BTC,1,1,,,,,B,4",
            "exch_ts_ms 18446744073710 does not fit: the message holds at most 18446744073709".to_owned(),
        ),
        ("9,2,Z,BTC,1,1,,,,,B,4", "kind \"Z\" is wrong: expected T, Q or D".to_owned()),
        ("9,2,T,,1,1,,,,,B,4", "symbol \"\" is wrong: expected a symbol".to_owned()),
        ("9,2,T,BTC,1e,1,,,,,B,4", format!("px \"1e\" {decimal}")),
        ("9,2,T,BTC,1,1,,,,,B,4.5", format!("id \"4.5\" is wrong: {number}")),
        ("9,2,T,BTC,1,1e-10,,,,,B,4", "qty \"1e-10\" has more than 9 decimal places, and the unit is 1e-9".to_owned()),
        (
            "9,2,T,BTC,1,18446744073.709551615,,,,,B,4",
            "qty \"18446744073.709551615\" is outside 0 to 18446744073.709551614, what 64 bits hold in units of 1e-9"
                .to_owned(),
        ),
        (
            "9,2,T,B\"TC,1,1,,,,,B,4",
            "is a CSV row with a quotation mark within a field: see RFC 4180".to_owned(),
        ),
        (
            "9,2,T,\"B\"TC,1,1,,,,,B,4",
            "is a CSV row with a quotation mark within a field: see RFC 4180".to_owned(),
        ),
        (
            "9,2,T, \"BTC\",1,1,,,,,B,4",
            "is a CSV row with a quotation mark within a field: see RFC 4180".to_owned(),
        ),
        ("9,2,T,BTC,,1,,,,,B,4", format!("px \"\" {decimal}")),
        ("9,2,T,BTC,1,-1,,,,,B,4", format!("qty \"-1\" {decimal}")),
        (
            "9,2,T,BTC,0.0000000001,1,,,,,B,4",
            "px \"0.0000000001\" has more than 9 decimal places, and the unit is 1e-9".to_owned(),
        ),
        (
            "9,2,T,BTC,9223372036.854775807,1,,,,,B,4",
            "px \"9223372036.854775807\" is outside -9223372036.854775808 to 9223372036.854775806, what 64 bits hold in \
             units of 1e-9"
                .to_owned(),
        ),
        ("9,2,T,BTC,1,1,,,,,A,4", "side \"A\" is wrong: expected B or S".to_owned()),
        ("9,2,T,BTC,1,1,3,,,,B,4", format!("bid_px \"3\" is wrong: {empty}")),
        ("9,2,Q,BTC,1,,1,1,1,1,,4", format!("px \"1\" is wrong: {empty}")),
        ("9,2,Q,BTC,,,1,1,1,1,B,4", format!("side \"B\" is wrong: {empty}")),
        ("9,2,Q,BTC,,,1,,1,1,,4", format!("bid_qty \"\" {decimal}")),
        ("9,2,T,BTC,1,1,,,,,B", "has 11 fields: expected 12".to_owned()),
        ("9,2,T,BTC,1,1,,,,,B,4,5", "has 13 fields: expected 12".to_owned()),
    ] {
        let rows = file(&[good, good, row, good]);
        assert_eq!(strict_failure(&*rows), (2, format!("sample: line 4: {reason}")));
        let (messages, passed) = read_passing(rows);
        let ends: Vec<bool> = messages.iter().map(Message::is_end_of_event).collect();
        assert_eq!(ends, [false, false, true], "{row}: the event goes on behind it");
        assert!(passed.len() == 1 && passed[0].1 == 1 && passed[0].0.starts_with("CSV row"), "{row}: {passed:?}");
    }
}

#[test]
fn kinds_of_rows_are_counted() {
    let (messages, passed) = read_passing(file(&[
        "9,2,T,BTC,1,1,,,,,B,4",
        "9,2,T,BTC,1,19e9,,,,,B,4",
        "9,2,T,BTC,1,2e10,,,,,B,4",
        "9,2,T,BTC,x,1,,,,,B,4",
        "9,2,T,BTC",
        "",
        "9,2,T,BTC,1,1,,,,,B,4",
    ]));
    assert_eq!(messages.len(), 2);
    let expected = [
        ("CSV row that is out of the message's range in qty", 2),
        ("CSV row with a wrong px", 1),
        ("CSV row with another number of fields", 1),
    ];
    assert_eq!(passed, expected.map(|(kind, count)| (kind.to_owned(), count)));
}

#[test]
fn numbers_may_have_exponents() {
    let plain = read_all(file(&["900,2000,T,BTC,15,0.00001,,,,,B,41"]));
    assert_eq!(read_all(file(&["9e2,2.0E+3,T,BTC,1.5e1,1e-05,,,,,B,41.0"])), plain);
}

#[test]
fn quoted_fields_are_the_same_as_unquoted_ones() {
    let plain = read_all(file(&["900,2,T,BTC,15,1,,,,,B,41", "901,3,Q,BTC,,,1,2,3,4,,42"]));
    let all = |row: &str| format!("\"{}\"", row.replace(',', "\",\""));
    let quoted = file(&["900,2,T,\"BTC\",15,1,,,,,B,41", &all("901,3,Q,BTC,,,1,2,3,4,,42")]);
    assert_same(&read_all(&*quoted), &plain, "one instrument");
    let header = format!("\u{feff}{}\r\n", all(HEADER));
    let rows = quoted.split_once('\n').unwrap().1.replace('\n', "\r\n");
    assert_same(&read_all(header + &rows), &plain, "a quoted header behind a byte order mark");
    // A comma, quotation marks and a line break within a symbol.
    let odd = read_all(file(&[
        "900,2,T,\"B,\"\"T\"\"\nC\",15,1,,,,,B,41",
        "900,2,T,\"B,\"\"T\"\"\nC\",15,1,,,,,B,42",
        "900,2,T,BTC,15,1,,,,,B,43",
    ]));
    assert_eq!(odd.iter().map(|message| message.instrument).collect::<Vec<_>>(), [1, 1, 2]);
    let (before, line) = strict_failure(file(&["900,2,T,\"B\nC\",15,1,,,,,B,41", "900,2,T,BTC,15,1,,,,,X,43"]));
    assert!(before == 1 && line.starts_with("sample: line 4: side \"X\""), "{line}");
}

#[test]
fn files_that_were_joined_are_read_on() {
    let reordered = "id,side,ask_qty,ask_px,bid_qty,bid_px,qty,px,symbol,kind,exch_ts_ms,recv_ts_ns\n\
                     41,B,,,,,1,15,BTC,T,2,900\n42,B,,,,,1,15,ETH,T,2,900\n";
    let rows = ["900,2,T,ETH,15,1,,,,,B,42", "900,2,T,BTC,15,1,,,,,B,41"];
    for header in ["", "\u{feff}"] {
        let (messages, passed) = read_passing(format!("{}{header}{reordered}{}", file(&rows), file(&rows)));
        let ids: Vec<_> = messages.iter().map(|message| (message.instrument, message.order_id)).collect();
        assert_eq!(ids, [(1, 42), (2, 41), (2, 41), (1, 42), (1, 42), (2, 41)]);
        assert_eq!(passed, []);
    }
}

#[test]
fn compressed_data_behind_the_rows_is_named() {
    let rows = file(&["900,2,T,ETH,15,1,,,,,B,42"]);
    for (next, name) in [(sample::gzip(rows.as_bytes()), "gzip"), (sample::zstd(rows.as_bytes()), "zstd")] {
        let (before, line) = failure([rows.as_bytes(), &next].concat());
        let says = format!("sample: line 3: is no CSV row (here begins what looks like data compressed with {name}: ");
        assert!(before == 1 && line.starts_with(&says), "{line}");
    }
}

#[test]
fn zeros_behind_the_last_row_are_padding() {
    let plain = file(&["900,2,T,ETH,15,1,,,,,B,42"]);
    let padded = [plain.as_bytes(), &[0; 70_000]].concat();
    let (messages, passed) = read_passing(&padded[..]);
    assert_same(&messages, &read_all(plain), "padded");
    assert_eq!(passed, [("zero byte of padding".to_owned(), 70_000)]);
    let line = "sample: line 3: the input ends in 70000 zero bytes behind its last record".to_owned();
    assert_eq!(strict_failure(padded), (1, line));
}

#[test]
fn the_pace_is_that_of_the_receipt_and_a_time_that_cannot_be_is_warned_of() {
    let row = |received: u64, event: u64| format!("{received},{event},T,BTC,1,1,,,,,B,4");
    let rows = |times: [(u64, u64); 2]| {
        file(&times.map(|(received, event)| row(received, event)).each_ref().map(|row| &**row))
    };
    const EVENT: u64 = 1_723_161_600_042;
    let (times, warning) = read_times(rows([(EVENT * 1_000_000 + 5, EVENT); 2]));
    assert_eq!((times, warning), (vec![Some(EVENT * 1_000_000 + 5); 2], None));
    // Without a receipt time that can be, the event's.
    let (times, warning) = read_times(rows([(0, EVENT), (u64::MAX, EVENT)]));
    assert_eq!(times, [Some(EVENT * 1_000_000); 2]);
    assert!(warning.unwrap().starts_with("line 2: recv_ts_ns 0 is 1970-01-01T00:00:00Z, in nanoseconds since 1970"));
    for (event, says) in [
        (EVENT / 1_000, "line 2: exch_ts_ms 1723161600 is 1970-01-20T22:39:21Z, in milliseconds since 1970"),
        (u64::MAX / 1_000_000, "line 2: exch_ts_ms 18446744073709 is 2554-07-21"),
    ] {
        let (times, warning) = read_times(rows([(EVENT, event), (0, event)]));
        assert_eq!(times, [None; 2]);
        let warning = warning.unwrap();
        assert!(warning.starts_with(says), "{warning}");
    }
    // Nanoseconds in the field of milliseconds do not fit: no row is taken for another time.
    let (times, warning) = read_times(rows([(EVENT, EVENT * 1_000_000); 2]));
    assert_eq!(times, []);
    let warning = warning.unwrap();
    assert!(warning.ends_with("expected 1990 to 2100; in nanoseconds it would be 2024-08-09T00:00:00Z"), "{warning}");
}

#[test]
fn a_header_that_would_lose_something_is_refused() {
    let expected = format!("expected the columns {HEADER}");
    for (header, reason) in [
        (HEADER.replace("px,qty", "px,quantity"), format!("column \"quantity\" is unknown: {expected}")),
        (format!("{HEADER},note"), format!("column \"note\" is unknown: {expected}")),
        (format!("{HEADER},id"), "column \"id\" stands there twice".to_owned()),
        (HEADER.replace(",id", ""), format!("column \"id\" is missing: {expected}")),
    ] {
        assert_eq!(failure(format!("{header}\n")), (0, format!("sample: line 1: {reason}")));
    }
    let (_, error) = read_as("", Some(Format::Csv));
    assert_eq!(error.unwrap().to_string(), format!("sample: line 1: column \"recv_ts_ns\" is missing: {expected}"));
}

#[test]
fn a_line_without_end_is_an_error_after_the_rows_before_it() {
    let mut endless = file(&["900,2,T,BTC,1,1,,,,,B,41"]);
    endless.push_str(&"9".repeat(1 << 20));
    assert_eq!(failure(&*endless), (1, format!("sample: line 3: {ENDS_WITHIN}")));
    // Once it ends, the rows behind it are found again.
    endless.push_str("\n900,2,T,BTC,1,1,,,,,B,41\n");
    let (messages, passed) = read_passing(&*endless);
    assert_eq!((messages.len(), passed), (2, vec![("CSV row that is longer than 65536 bytes".to_owned(), 1)]));
    assert_eq!(strict_failure(endless), (1, "sample: line 3: is longer than 65536 bytes: is this CSV?".to_owned()));
}

#[test]
fn a_quotation_mark_that_should_not_be_there_hides_no_row() {
    let good = "900,2,T,BTC,1,1,,,,,B,41";
    let open = "900,2,T,\"BTC,1,1,,,,,B,41";
    let does_not_end = "CSV row with a quoted field that does not end";
    let fields = "CSV row with another number of fields";
    let within = "CSV row with a quotation mark within a field";
    for (rows, count, kinds) in [
        (vec![open, good], 1, vec![(does_not_end, 1)]),
        (vec![good, open], 1, vec![(does_not_end, 1)]),
        // Closed by the next one: they are no record together.
        (vec![good, open, good, open, good], 3, vec![(does_not_end, 1), (within, 1)]),
        (vec![open, "900,2,T,\"BTC\",1,1,,,,,B,41", good], 2, vec![(within, 1)]),
        // Longer than the row before it.
        (vec![good, "900000,2,T,B\"TC,1,1,,,,,B,41", good], 2, vec![(within, 1)]),
        (vec!["\"", good, "\"", good], 2, vec![(fields, 1), (does_not_end, 1)]),
    ] {
        let (messages, passed) = read_passing(file(&rows));
        let counts: u64 = passed.iter().map(|(_, count)| count).sum();
        assert_eq!(messages.len(), count, "{rows:?}: {passed:?}");
        assert_eq!(counts, kinds.iter().map(|(_, count)| count).sum::<u64>(), "{rows:?}: {passed:?}");
    }
    // However many there are, each costs one row.
    let mut rows = vec![good; 1];
    rows.extend([open; 20_000]);
    rows.push(good);
    let (messages, _) = read_passing(file(&rows));
    assert_eq!(messages.len(), 2);
    // The row behind it is cut short: it must not pass as one.
    let (messages, error) = read(file(&[good, open]) + "900,2,T,BTC,1,1,,,,,B,4");
    assert_eq!(messages.len(), 1);
    assert_eq!(error.unwrap().to_string(), format!("sample: line 4: {ENDS_WITHIN}"));
}
