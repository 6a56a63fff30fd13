//! What the tests of the subscriber share: both programs in a private root.
#![allow(dead_code, reason = "each test file uses its part")]

use std::collections::HashMap;
use std::process::{Command, Stdio};

use feed::decimal::{parse_price, parse_size};
use feed::summary::Tally;
use feed::{Kind, Message, Side, UNDEFINED_PRICE, UNDEFINED_SIZE, UNDEFINED_TIME};
use feed_testing::{Finished, PrivateRoot, Program, program};
use serde_json::Value;

/// `feed-publisher` with its ring in this root and a JSON summary.
pub(crate) fn publisher(root: &PrivateRoot) -> Command {
    let mut command = Command::new(program("feed-publisher"));
    command.arg("--root").arg(root.path()).args(["--summary", "json"]).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// `feed-subscriber` for a ring in this root, with a JSON summary.
pub(crate) fn subscriber(root: &PrivateRoot) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feed-subscriber"));
    command.arg("--root").arg(root.path()).args(["--summary", "json"]).env_remove("RUST_LOG").stdin(Stdio::null());
    command
}

/// Starts a subscriber for each list of arguments, and a publisher that waits for all of them.
pub(crate) fn start(root: &PrivateRoot, publishes: &[&str], subscribers: &[&[&str]]) -> (Program, Vec<Program>) {
    let follow = |arguments: &&[&str]| {
        let mut command = subscriber(root);
        Program::start(command.args(["--from", "oldest", "--open-timeout", "inf"]).args(*arguments))
    };
    let subscribers: Vec<Program> = subscribers.iter().map(follow).collect();
    let wait = subscribers.len().to_string();
    let publisher = Program::start(publisher(root).args(["--wait-for-subscribers", &wait]).args(publishes));
    (publisher, subscribers)
}

/// The summary: the last line of standard output.
pub(crate) fn summary(finished: &Finished) -> Value {
    serde_json::from_str(finished.last_line()).unwrap_or_else(|error| panic!("{error}: {}", finished.tail()))
}

/// Waits for a program's end and returns its summary. Fails unless it ended with exit code 0 and wrote nothing to standard
/// error.
#[track_caller]
pub(crate) fn success(program: Program) -> Value {
    let finished = program.finish();
    finished.assert_quiet_success();
    summary(&finished)
}

/// A number from a summary.
#[track_caller]
pub(crate) fn number(summary: &Value, field: &str) -> u64 {
    summary[field].as_u64().unwrap_or_else(|| panic!("{field} in {summary}"))
}

/// Fails unless every message is accounted for.
#[track_caller]
pub(crate) fn assert_conserved(summary: &Value) {
    let [first, messages, lost, skipped, next] =
        ["first_sequence", "messages", "lost", "skipped", "next_sequence"].map(|field| number(summary, field));
    assert_eq!(first + messages + lost + skipped, next, "{summary}");
}

/// Fails unless the subscriber ended with this exit code and one line on standard error that contains these texts.
#[track_caller]
pub(crate) fn assert_one_line(finished: &Finished, code: i32, contains: &[&str]) {
    finished.assert_one_line("feed-subscriber", code, contains);
}

/// A row of the subscriber's CSV.
pub(crate) struct Row {
    pub(crate) sequence: u64,
    pub(crate) message: Message,
}

impl Row {
    /// Parses a row by the names of the header.
    fn parse(fields: &HashMap<&str, &str>) -> Self {
        let number = |column: &str| fields[column].parse::<u64>().unwrap_or_else(|_| panic!("{column} in {fields:?}"));
        let or = |column: &str, otherwise: u64| if fields[column].is_empty() { otherwise } else { number(column) };
        let price = |column: &str| parse_price(fields[column].as_bytes()).unwrap_or(UNDEFINED_PRICE);
        let size = |column: &str| parse_size(fields[column].as_bytes()).unwrap_or(UNDEFINED_SIZE);
        let kind = Kind::ALL.into_iter().find(|kind| kind.name() == fields["kind"]).unwrap();
        let side = [Side::Bid, Side::Ask, Side::None].into_iter().find(|side| side.name() == fields["side"]).unwrap();
        let message = Message {
            ts_publish: number("ts_publish"),
            instrument: number("instrument") as u32,
            side: side as u8,
            flags: number("flags") as u8,
            price: price("price"),
            size: size("size"),
            order_id: or("order_id", 0),
            extra: or("extra", 0),
            ..Message::new(kind, or("ts_event", UNDEFINED_TIME))
        };
        let quote = |message: Message| {
            message.with_quote((message.price, message.size), (price("ask_price"), size("ask_size")))
        };
        Row { sequence: number("sequence"), message: if kind == Kind::Quote { quote(message) } else { message } }
    }

    /// Fails unless it is this message, apart from the publish time.
    #[track_caller]
    pub(crate) fn assert_is(&self, expected: &Message) {
        assert!(self.message.ts_publish > 0, "{}", self.sequence);
        assert_eq!(Message { ts_publish: 0, ..self.message }, *expected, "at sequence {}", self.sequence);
    }
}

/// Every row that a subscriber with `--output csv` printed.
pub(crate) fn rows(finished: &Finished) -> Vec<Row> {
    let mut lines = finished.stdout.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let rows = lines.filter(|line| !line.starts_with('{'));
    rows.map(|line| Row::parse(&header.iter().copied().zip(line.split(',')).collect())).collect()
}

/// The digest of these messages in their order.
pub(crate) fn digest<'a>(rows: impl IntoIterator<Item = &'a Row>) -> String {
    let mut tally = Tally::default();
    rows.into_iter().for_each(|row| tally.add(&row.message));
    tally.digest()
}
