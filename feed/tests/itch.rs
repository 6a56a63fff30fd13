//! Tests of ITCH 5.0: every message type, both kinds of prefix, and inputs that are broken at every place.

mod common;

use common::{assert_same, failure, read, read_all, read_as, read_in_drops, read_passing, read_times, strict_failure};
use feed::sample::{self, ITCH_TYPES, Prefix};
use feed::source::Format;
use feed::{Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE};

fn file(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().flat_map(|body| [&(body.len() as u16).to_be_bytes()[..], body].concat()).collect()
}

/// The message for message 5 of this ITCH type.
fn one(kind: u8) -> Message {
    let messages = read_all(file(&[sample::itch_message(kind, 5)]));
    assert_eq!(messages.len(), 1);
    assert_eq!((messages[0].ts_event, messages[0].instrument), (34_200_000_005_000, 3), "{}", char::from(kind));
    assert!(messages[0].is_end_of_event());
    messages[0]
}

#[test]
fn each_order_message_has_its_kind() {
    for kind in *b"AF" {
        let add = one(kind);
        assert_eq!((add.kind(), add.side(), add.order_id), (Kind::Add, Side::Ask, 1_005));
        assert_eq!((add.price, add.size, add.extra), (150_000_500_000, 105_000_000_000, 0));
    }
    let executed = one(b'E');
    assert_eq!((executed.kind(), executed.side(), executed.order_id), (Kind::Fill, Side::None, 1_005));
    assert_eq!((executed.price, executed.size, executed.extra), (UNDEFINED_PRICE, 105_000_000_000, 7_005));
    let at_a_price = one(b'C');
    assert_eq!((at_a_price.kind(), at_a_price.price, at_a_price.extra), (Kind::Fill, 150_000_500_000, 7_005));
    let cancel = one(b'X');
    assert_eq!((cancel.kind(), cancel.order_id, cancel.size), (Kind::Cancel, 1_005, 105_000_000_000));
    let delete = one(b'D');
    assert_eq!((delete.kind(), delete.order_id, delete.size), (Kind::Cancel, 1_005, UNDEFINED_SIZE));
    let replace = one(b'U');
    assert_eq!((replace.kind(), replace.order_id, replace.extra), (Kind::Modify, 1_005, 505));
    assert_eq!((replace.price, replace.size), (150_000_500_000, 105_000_000_000));
}

#[test]
fn each_trade_message_has_its_kind() {
    let trade = one(b'P');
    assert_eq!((trade.kind(), trade.side(), trade.order_id, trade.extra), (Kind::Trade, Side::Ask, 0, 7_005));
    assert_eq!((trade.price, trade.size), (150_000_500_000, 105_000_000_000));
    let cross = one(b'Q');
    assert_eq!((cross.kind(), cross.order_id, cross.extra), (Kind::Trade, 0, 7_005));
    assert_eq!((cross.price, cross.size), (150_000_500_000, 105_000_000_000));
    let broken = one(b'B');
    assert_eq!((broken.kind(), broken.extra, broken.price), (Kind::Other, 7_005, UNDEFINED_PRICE));
}

#[test]
fn everything_else_is_other() {
    for kind in *b"SRHYLVWKJhINO" {
        let other = one(kind);
        assert_eq!((other.kind(), other.price, other.size), (Kind::Other, UNDEFINED_PRICE, UNDEFINED_SIZE));
        assert_eq!((other.order_id, other.extra), (0, 0));
    }
}

#[test]
fn true_and_zero_prefixes_read_the_same() {
    let count = 10 * ITCH_TYPES.len() as u64;
    let (with, without) = (sample::itch(Prefix::True, count), sample::itch(Prefix::Zero, count));
    let expected = read_all(&with[..]);
    assert_eq!(expected.len() as u64, count);
    assert_same(&read_all(&without[..]), &expected, "zero prefixes");
    assert_same(&read_all(sample::gzip(&with)), &expected, "gzip");
    assert_same(&read_all(sample::gzip(&without)), &expected, "zero prefixes, gzip");
    // Two consecutive gzip members are one file.
    let (half, rest) = with.split_at(with.len() / 2);
    assert_same(&read_all([sample::gzip(half), sample::gzip(rest)].concat()), &expected, "two members");
    assert_same(&read_in_drops(with).0, &expected, "in drops");
}

#[test]
fn a_wrong_prefix_is_an_error() {
    let mut bytes = file(&[sample::itch_message(b'S', 0), sample::itch_message(b'D', 1)]);
    bytes[15] = 20;
    let line = "sample: record 2 (byte 14): length prefix is 20, but a message of type D has 19 bytes";
    assert_eq!(failure(bytes), (1, line.to_owned()));
}

#[test]
fn an_unknown_type_behind_a_true_prefix_is_passed_over() {
    let [first, last] = [0, 1].map(|n| sample::itch_message(b'D', n));
    let unknown = |letter: u8, length: usize| [&[letter][..], &vec![0xee; length - 1]].concat();
    let expected = read_all(file(&[first.clone(), last.clone()]));
    for length in [1, 2, 13, 50, 51, 1024] {
        let bytes = file(&[first.clone(), unknown(b'Z', length), unknown(b'z', 5), unknown(b'Z', 7), last.clone()]);
        let (messages, passed) = read_passing(&*bytes);
        assert_same(&messages, &expected, "passed over");
        assert_eq!(passed, [("unknown ITCH type 'Z'".to_owned(), 2), ("unknown ITCH type 'z'".to_owned(), 1)]);
        assert_eq!(strict_failure(bytes), (1, "sample: record 2 (byte 21): is of unknown ITCH type 'Z'".to_owned()));
    }
    // Nothing behind it, and the end of the session.
    for end in [&[][..], &[0, 0]] {
        let (messages, passed) = read_passing([&file(&[first.clone(), unknown(0x7f, 9)])[..], end].concat());
        assert_eq!((messages.len(), passed), (1, vec![("unknown ITCH type 0x7f".to_owned(), 1)]));
    }
}

#[test]
fn an_unknown_type_of_which_nothing_says_where_it_ends_is_an_error() {
    let [begin, end] = [0, 1].map(|n| file(&[sample::itch_message(b'D', n)]));
    let place = "sample: record 2 (byte 21): message type 0x7a is not in ITCH 5.0 and its length prefix is";
    let with = |prefix: u16, between: &[u8]| {
        let unknown = [&prefix.to_be_bytes()[..], b"z", between].concat();
        [begin.clone(), unknown, end.clone()].concat()
    };
    for prefix in [0, 1025, 0x4100] {
        let line = format!("{place} {prefix}, so the rest cannot be told apart");
        assert_eq!(failure(with(prefix, &[1; 11])), (1, line));
    }
    // Its prefix leads to no message: the error stands where the unknown type does.
    for (prefix, between, why) in [
        (13, &[1; 13][..], "the input ends 22 bytes into this message of 258 (its length included)"),
        (3, &[1, 1, 0, 5, b'D'], "length prefix is 5, but a message of type D has 19 bytes"),
    ] {
        let (messages, error) = read(with(prefix, between));
        assert_eq!(messages.len(), 1);
        let line = format!("{place} {prefix}, and no message follows where it ends: {why}");
        assert_eq!(error.unwrap().to_string(), line);
    }
    let line = "sample: record 2 (byte 21): the input ends 37 bytes into this message of 902 (its length included)";
    assert_eq!(failure(with(900, &[1; 13])), (1, line.to_owned()));
    // Files of another kind behind it.
    let (before, line) = failure([begin.clone(), sample::gzip(&end)].concat());
    assert!(before == 1 && line.contains("(here begins what looks like data compressed with gzip: files"), "{line}");
}

#[test]
fn a_message_whose_value_cannot_be_is_passed_over() {
    let mut add = sample::itch_message(b'A', 0);
    add[19] = b'A';
    let bytes = file(&[sample::itch_message(b'S', 0), add, sample::itch_message(b'S', 0)]);
    let (messages, passed) = read_passing(&*bytes);
    assert_eq!((messages.len(), passed), (2, vec![("ITCH message with unknown side 'A'".to_owned(), 1)]));
    let line = "sample: record 2 (byte 14): side is 0x41: expected B or S";
    assert_eq!(strict_failure(bytes), (1, line.to_owned()));
}

#[test]
fn a_cross_of_too_many_shares_does_not_fit() {
    let mut cross = sample::itch_message(b'Q', 0);
    cross[11..19].copy_from_slice(&18_446_744_073u64.to_be_bytes());
    assert_eq!(read_all(file(&[cross.clone()]))[0].size, 18_446_744_073_000_000_000);
    cross[11..19].copy_from_slice(&18_446_744_074u64.to_be_bytes());
    let line = "sample: record 1 (byte 0): shares of a cross trade 18446744074 does not fit: the message holds at \
                most 18446744073";
    let bytes = file(&[cross, sample::itch_message(b'S', 0)]);
    let (messages, passed) = read_passing(&*bytes);
    let kind = "ITCH cross trade of more shares than the message holds".to_owned();
    assert_eq!((messages.len(), passed), (1, vec![(kind, 1)]));
    assert_eq!(strict_failure(bytes), (0, line.to_owned()));
}

#[test]
fn sessions_that_were_joined_are_read_on() {
    for prefix in [Prefix::True, Prefix::Zero] {
        for next in [Prefix::True, Prefix::Zero] {
            let (one, other) = (sample::itch(prefix, 30), sample::itch(next, 23));
            let expected = [read_all(&*one), read_all(&*other)].concat();
            for between in [&[][..], &[0, 0]] {
                let bytes = [&one[..], between, &other, &[0, 0]].concat();
                assert_same(&read_all(&*bytes), &expected, "joined");
                assert_same(&read_in_drops(bytes).0, &expected, "joined, in drops");
            }
            // Padding behind each.
            for zeros in [3, 4, 5, 511, 512] {
                let padding = vec![0; zeros];
                let bytes = [&one[..], &padding, &other, &padding].concat();
                if zeros == 3 {
                    // The end of the session, and a byte of the next prefix.
                    let (messages, error) = read(bytes);
                    assert_eq!(messages.len(), 53);
                    let line = error.unwrap().to_string();
                    assert!(line.ends_with("ends 1 bytes into this message of 3 (its length included)"), "{line}");
                    continue;
                }
                let (messages, passed) = read_passing(bytes);
                assert_same(&messages, &expected, "padded");
                assert!(passed.len() == 1 && passed[0].0 == "zero byte of padding", "{passed:?}");
            }
        }
    }
}

#[test]
fn a_time_of_another_day_is_warned_of() {
    let at = |time: u64| {
        let mut message = sample::itch_message(b'D', 0);
        message[5..11].copy_from_slice(&time.to_be_bytes()[2..]);
        message
    };
    let day = 86_400_000_000_000;
    assert_eq!(read_times(file(&[at(0), at(day - 1)])), (vec![Some(0), Some(day - 1)], None));
    let (times, warning) = read_times(file(&[at(5), at(2 * day), at(3 * day), at(6)]));
    assert_eq!(times, [Some(5), None, None, Some(6)]);
    let says = "record 2 (byte 21): timestamp 172800000000000 is 48 hours after midnight: expected less than 24";
    assert_eq!(warning.unwrap(), says);
}

#[test]
fn an_input_that_ends_anywhere_but_between_messages_is_an_error() {
    let bodies: Vec<Vec<u8>> = b"SAD".iter().map(|&kind| sample::itch_message(kind, 1)).collect();
    let mut starts = vec![0];
    bodies.iter().for_each(|body| starts.push(starts.last().unwrap() + 2 + body.len()));
    for zero_prefixes in [false, true] {
        let mut whole = file(&bodies);
        if zero_prefixes {
            starts[..bodies.len()].iter().for_each(|&start| whole[start..start + 2].fill(0));
        }
        for end in 3..whole.len() {
            let (messages, error) = read(&whole[..end]);
            let complete = starts[1..].iter().filter(|&&start| start <= end).count();
            assert_eq!(messages.len(), complete, "{end}");
            let got = end - starts[complete];
            match error {
                // After a zero prefix it looks like the end of a session.
                None => assert!(got == 0 || zero_prefixes && got == 2, "{end}"),
                Some(error) => {
                    assert!(got > 0 && !(zero_prefixes && got == 2), "{end}: {error}");
                    let place = format!("sample: record {} (byte {}): ", complete + 1, starts[complete]);
                    let line = error.to_string();
                    assert!(
                        line.starts_with(&format!("{place}the input ends {got} bytes into this message")),
                        "{line}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_zero_length_and_nothing_behind_it_is_the_end_of_the_session() {
    let count = ITCH_TYPES.len() as u64;
    for prefix in [Prefix::True, Prefix::Zero] {
        let plain = sample::itch(prefix, count);
        let expected = read_all(&plain[..]);
        let with = |tail: &[u8]| [&plain[..], tail].concat();
        let ended = with(&[0, 0]);
        for file in [ended.clone(), sample::gzip(&ended), sample::zstd(&ended)] {
            assert_same(&read_all(&file[..]), &expected, "ended");
            assert_same(&read_in_drops(file).0, &expected, "ended, in drops");
        }
        // Half a length, or another length, is an error.
        for (tail, begin, says) in [
            (&[0][..], 0, "the input ends 1 bytes into this message of 3"),
            (&[0, 12], 0, "the input ends 2 bytes into this message of 3"),
            (&[1, 0], 0, "the input ends 2 bytes into this message of 3"),
            (&[0, 0, 0], 2, "the input ends 1 bytes into this message of 3"),
        ] {
            let (before, line) = failure(with(tail));
            assert_eq!(before as u64, count, "{tail:?}");
            let place = format!("sample: record {} (byte {}): {says}", count + 1, plain.len() + begin);
            assert!(line.starts_with(&place), "{line}");
        }
    }
    // A session without messages.
    let (messages, error) = read_as([0, 0], Some(Format::Itch));
    assert!(messages.is_empty() && error.is_none());
}
