//! Summary of a run, in numbers that can be compared between programs: counts, exact sums, a digest.

use std::collections::BTreeMap;

use serde::Serialize;
use xxhash_rust::xxh3::Xxh3Default;
use zerocopy::IntoBytes;

use crate::board::Digest;
use crate::message::{Kind, Message, UNDEFINED_TIME};
use crate::reception::Latency;
use crate::records;

/// Counts, sums and a digest of messages, in their order.
///
/// Sums are in units of 1e-9. A quote counts its bid; an undefined price or size counts as 0. A quote has no order id
/// and so does not change the xor. The sums cannot overflow: 128 bits hold the sum of 2^64 values of 64 bits.
#[derive(Clone, Default)]
pub struct Tally {
    messages: u64,
    by_kind: [u64; Kind::ALL.len()],
    price_sum: i128,
    size_sum: u128,
    order_id_xor: u64,
    first_ts: Option<u64>,
    last_ts: Option<u64>,
    digest: Xxh3Default,
}

impl Tally {
    /// Adds a message, as it was published.
    pub fn add(&mut self, message: &Message) {
        self.messages += 1;
        self.by_kind[message.kind().index()] += 1;
        self.price_sum += i128::from(message.price().unwrap_or(0));
        self.size_sum += u128::from(message.size().unwrap_or(0));
        self.order_id_xor ^= message.order_id().unwrap_or(0);
        if message.ts_event != UNDEFINED_TIME {
            self.first_ts.get_or_insert(message.ts_event);
            self.last_ts = Some(message.ts_event);
        }
        self.digest.update(message.as_bytes());
    }

    /// The number of messages added.
    pub fn messages(&self) -> u64 {
        self.messages
    }

    /// The 64-bit xxh3 of all messages' bytes in their order, as 16 hexadecimal digits.
    pub fn digest(&self) -> String {
        format!("{:016x}", self.digest.digest())
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("messages", &self.messages)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

/// The sequences that a program went through, over all rings that it followed: `first + messages + lost + skipped =
/// next`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sequences {
    /// The sequence of the first message to publish or receive.
    pub first: u64,
    /// The sequence after the last message.
    pub next: u64,
    /// Messages that were overwritten before they were read.
    pub lost: u64,
    /// Messages that were skipped on request.
    pub skipped: u64,
}

/// The summary of a run, as text or JSON. JSON has the fields in this order.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Messages published or received.
    pub messages: u64,
    /// Messages that were overwritten before they were read; 0 for a publisher.
    pub lost: u64,
    /// Messages that were skipped on request; 0 for a publisher.
    pub skipped: u64,
    /// The sequence of the first message to publish or receive.
    pub first_sequence: u64,
    /// The sequence after the last message.
    pub next_sequence: u64,
    /// Seconds from the first message to the last.
    pub seconds: f64,
    /// Messages per second; 0 if `seconds` is 0.
    pub per_second: f64,
    /// The fields of messages.
    #[serde(flatten)]
    pub sums: Option<Sums>,
    /// The fields of records.
    #[serde(flatten)]
    pub records: Option<Records>,
    /// The event time of the first message that has one, in ns.
    pub first_ts: Option<u64>,
    /// The event time of the last message that has one, in ns.
    pub last_ts: Option<u64>,
    /// The 64-bit xxh3 of all messages' bytes in their order, as 16 hexadecimal digits.
    pub digest: String,
    /// The fields of a run with a table.
    #[serde(flatten)]
    pub board: Option<Board>,
    /// The fields of a publisher's summary.
    #[serde(flatten)]
    pub published: Option<Published>,
    /// The fields of a subscriber's summary.
    #[serde(flatten)]
    pub received: Option<Received>,
}

/// The fields of a summary that only messages have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Messages of each kind.
    pub by_kind: ByKind,
    /// The sum of the prices in units of 1e-9, in decimal digits.
    pub price_sum: String,
    /// The sum of the sizes in units of 1e-9, in decimal digits.
    pub size_sum: String,
    /// The exclusive or of the order ids, in decimal digits.
    pub order_id_xor: String,
}

/// The fields of a summary that only [records] have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Records {
    /// Records of each type that there was, by its name.
    pub by_type: BTreeMap<String, u64>,
    /// The sum of their lengths.
    pub bytes: u64,
}

/// The fields of a summary that only a run with a table has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Board {
    /// Rows of the table that have a symbol.
    pub symbols: u64,
    /// Messages of instruments for which the table had no row left.
    pub without_row: u64,
    /// The digest of all rows: see [`Digest`]. `None` if the rows were not followed.
    pub table_digest: Option<String>,
}

impl Board {
    /// The fields of a table with this digest.
    pub fn new(digest: Digest, without_row: u64) -> Self {
        Board { symbols: digest.symbols(), without_row, table_digest: Some(digest.to_string()) }
    }
}

/// Messages of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as the kinds are")]
pub struct ByKind {
    pub add: u64,
    pub cancel: u64,
    pub modify: u64,
    pub clear: u64,
    pub trade: u64,
    pub fill: u64,
    pub quote: u64,
    pub level: u64,
    pub other: u64,
}

/// The fields that only a publisher's summary has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Published {
    /// The epoch in which it published: 1 in a new ring, one more with each takeover, 0 if it was stopped before it had
    /// a ring.
    pub epoch: u64,
    /// Records, rows and bytes of the input that became no message, by kind. At most 33 kinds are told apart.
    pub passed_over: BTreeMap<String, u64>,
    /// Gaps between capture times that were longer than it waited for.
    pub gaps_cut: u64,
    /// The seconds of capture time that were not waited for.
    pub seconds_cut: f64,
}

/// The fields that only a subscriber's summary has.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    /// Latency from publish time to receipt, of messages published after it joined; `None` if it received none of them.
    pub latency_ns: Option<Latency>,
    /// Messages received that were published before it joined.
    pub backlog: u64,
    /// The age that the oldest of them had when it joined, in ns; `None` if there was none.
    pub backlog_age_ns: Option<u64>,
    /// The largest lag observed, in messages.
    pub lag_max: u64,
    /// Why it ended, as one word.
    pub ended: String,
    /// Messages received before the last one was published: a lower bound, see
    /// [`Reception`](crate::reception::Reception).
    pub received_live: u64,
    /// Epochs of which it received messages, over all rings; 1 if its publisher was never restarted.
    pub epochs: u64,
    /// Takeovers of the ring while it was followed. After each takeover and each reopening, state built from earlier
    /// messages, such as an order book, must be rebuilt.
    pub restarts: u64,
    /// Times that it left a ring that was superseded or had vanished and opened the one that took its name.
    pub reopened: u64,
    /// Reopened rings whose sequences began again. [`Summary::next_sequence`] counts them on from where the ring before
    /// was left.
    pub renumbered: u64,
    /// Messages lost between two rings; [`Summary::lost`] includes them.
    pub gaps: u64,
}

impl Summary {
    /// The summary of a tally. `seconds` is the time from the first message to the last.
    pub fn new(tally: &Tally, sequences: Sequences, seconds: f64) -> Self {
        let [add, cancel, modify, clear, trade, fill, quote, level, other] = tally.by_kind;
        let sums = Sums {
            by_kind: ByKind { add, cancel, modify, clear, trade, fill, quote, level, other },
            price_sum: tally.price_sum.to_string(),
            size_sum: tally.size_sum.to_string(),
            order_id_xor: tally.order_id_xor.to_string(),
        };
        Summary {
            sums: Some(sums),
            first_ts: tally.first_ts,
            last_ts: tally.last_ts,
            ..Self::of(tally.messages, tally.digest(), sequences, seconds)
        }
    }

    /// The summary of records.
    pub fn of_records(tally: &records::tally::Tally, sequences: Sequences, seconds: f64) -> Self {
        Summary {
            records: Some(Records { by_type: tally.by_type(), bytes: tally.bytes() }),
            first_ts: tally.first_ts,
            last_ts: tally.last_ts,
            ..Self::of(tally.records(), tally.digest(), sequences, seconds)
        }
    }

    fn of(messages: u64, digest: String, sequences: Sequences, seconds: f64) -> Self {
        Summary {
            messages,
            lost: sequences.lost,
            skipped: sequences.skipped,
            first_sequence: sequences.first,
            next_sequence: sequences.next,
            seconds,
            per_second: if seconds > 0.0 { messages as f64 / seconds } else { 0.0 },
            sums: None,
            records: None,
            first_ts: None,
            last_ts: None,
            digest,
            board: None,
            published: None,
            received: None,
        }
    }

    /// One line of JSON, without the line feed.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers and strings under string keys are JSON")
    }

    /// A table with a name and a value on each line. Kinds that did not occur are left out.
    pub fn to_text(&self) -> String {
        let or_dash = |ts: Option<u64>| ts.map_or_else(|| "-".to_owned(), |ts| ts.to_string());
        let mut rows: Vec<(String, String)> = Vec::new();
        let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
        row("messages", self.messages.to_string());
        row("lost", self.lost.to_string());
        row("skipped", self.skipped.to_string());
        row("first_sequence", self.first_sequence.to_string());
        row("next_sequence", self.next_sequence.to_string());
        row("seconds", format!("{:.6}", self.seconds));
        row("per_second", format!("{:.0}", self.per_second));
        if let Some(Sums { by_kind, price_sum, size_sum, order_id_xor }) = &self.sums {
            let ByKind { add, cancel, modify, clear, trade, fill, quote, level, other } = *by_kind;
            let counts = [add, cancel, modify, clear, trade, fill, quote, level, other];
            for (kind, count) in Kind::ALL.into_iter().zip(counts).filter(|(_, count)| *count > 0) {
                row(&format!("by_kind {kind}"), count.to_string());
            }
            row("price_sum", price_sum.clone());
            row("size_sum", size_sum.clone());
            row("order_id_xor", order_id_xor.clone());
        }
        if let Some(Records { by_type, bytes }) = &self.records {
            for (name, count) in by_type {
                row(&format!("by_type {name}"), count.to_string());
            }
            row("bytes", bytes.to_string());
        }
        row("first_ts", or_dash(self.first_ts));
        row("last_ts", or_dash(self.last_ts));
        row("digest", self.digest.clone());
        if let Some(board) = &self.board {
            row("symbols", board.symbols.to_string());
            row("without_row", board.without_row.to_string());
            row("table_digest", board.table_digest.clone().unwrap_or_else(|| "-".to_owned()));
        }
        if let Some(published) = &self.published {
            row("epoch", published.epoch.to_string());
            for (kind, count) in &published.passed_over {
                row(&format!("passed_over {kind}"), count.to_string());
            }
            if published.gaps_cut > 0 {
                row("gaps_cut", published.gaps_cut.to_string());
                row("seconds_cut", format!("{:.6}", published.seconds_cut));
            }
        }
        if let Some(received) = &self.received {
            let latency = |of: fn(Latency) -> u64| or_dash(received.latency_ns.map(of));
            row("latency_ns p50", latency(|latency| latency.p50));
            row("latency_ns p90", latency(|latency| latency.p90));
            row("latency_ns p99", latency(|latency| latency.p99));
            row("latency_ns p99.9", latency(|latency| latency.p99_9));
            row("latency_ns max", latency(|latency| latency.max));
            row("backlog", received.backlog.to_string());
            row("backlog_age_ns", or_dash(received.backlog_age_ns));
            row("lag_max", received.lag_max.to_string());
            row("ended", received.ended.clone());
            row("received_live", received.received_live.to_string());
            row("epochs", received.epochs.to_string());
            row("restarts", received.restarts.to_string());
            row("reopened", received.reopened.to_string());
            row("renumbered", received.renumbered.to_string());
            row("gaps", received.gaps.to_string());
        }
        let names = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let values = rows.iter().map(|(_, value)| value.len()).max().unwrap_or(0);
        rows.iter().map(|(name, value)| format!("{name:<names$}  {value:>values$}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{UNDEFINED_PRICE, UNDEFINED_SIZE};

    fn message(kind: Kind, price: i64, size: u64, order_id: u64) -> Message {
        Message { price, size, order_id, ..Message::new(kind, 5) }
    }

    fn summary(messages: &[Message]) -> Summary {
        let mut tally = Tally::default();
        messages.iter().for_each(|message| tally.add(message));
        Summary::new(&tally, Sequences { next: messages.len() as u64, ..Sequences::default() }, 2.0)
    }

    fn sums(summary: &Summary) -> &Sums {
        summary.sums.as_ref().unwrap()
    }

    #[test]
    fn sums_are_exact_beyond_64_bits() {
        let large = message(Kind::Add, i64::MAX - 1, u64::MAX - 1, 1);
        let summary = summary(&[large; 4]);
        assert_eq!(sums(&summary).price_sum, (4 * (i128::from(i64::MAX) - 1)).to_string());
        assert_eq!(sums(&summary).size_sum, (4 * (u128::from(u64::MAX) - 1)).to_string());
        assert_eq!((sums(&summary).order_id_xor.as_str(), summary.per_second), ("0", 2.0));
        let negative = self::summary(&[message(Kind::Add, i64::MIN, 0, 3); 3]);
        assert_eq!(sums(&negative).price_sum, (3 * i128::from(i64::MIN)).to_string());
        assert_eq!(sums(&negative).order_id_xor, "3");
    }

    #[test]
    fn undefined_values_count_nothing_and_a_quote_counts_its_bid() {
        let quote = Message::new(Kind::Quote, UNDEFINED_TIME).with_quote((10, 20), (30, 40));
        let summary = summary(&[message(Kind::Clear, UNDEFINED_PRICE, UNDEFINED_SIZE, 7), quote]);
        assert_eq!((sums(&summary).price_sum.as_str(), sums(&summary).size_sum.as_str()), ("10", "20"));
        assert_eq!(sums(&summary).order_id_xor, "7");
        assert_eq!((summary.first_ts, summary.last_ts), (Some(5), Some(5)));
        assert_eq!(
            (sums(&summary).by_kind.clear, sums(&summary).by_kind.quote, sums(&summary).by_kind.other),
            (1, 1, 0)
        );
    }

    #[test]
    fn the_digest_is_of_every_bit_in_order() {
        let (one, two) = (message(Kind::Add, 1, 1, 1), message(Kind::Add, 2, 2, 2));
        assert_eq!(summary(&[one, two]).digest, summary(&[one, two]).digest);
        assert_ne!(summary(&[one, two]).digest, summary(&[two, one]).digest);
        assert_ne!(summary(&[one]).digest, summary(&[Message { ts_publish: 1, ..one }]).digest);
        // The same as xxh3 over all bytes at once.
        let bytes = [one.as_bytes(), two.as_bytes()].concat();
        assert_eq!(summary(&[one, two]).digest, format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes)));
    }

    #[test]
    fn json_has_every_field_in_order_and_text_is_aligned() {
        let mut summary = summary(&[message(Kind::Add, 1, 1, 1)]);
        let publisher = summary.to_json();
        assert_eq!(
            publisher,
            format!(
                "{{\"messages\":1,\"lost\":0,\"skipped\":0,\"first_sequence\":0,\"next_sequence\":1,\"seconds\":2.0,\
                 \"per_second\":0.5,\"by_kind\":{{\"add\":1,\"cancel\":0,\"modify\":0,\"clear\":0,\"trade\":0,\
                 \"fill\":0,\"quote\":0,\"level\":0,\"other\":0}},\"price_sum\":\"1\",\"size_sum\":\"1\",\
                 \"order_id_xor\":\"1\",\"first_ts\":5,\"last_ts\":5,\"digest\":\"{}\"}}",
                summary.digest
            )
        );
        summary.received = Some(Received {
            latency_ns: Some(Latency { p50: 1, p90: 2, p99: 3, p99_9: 4, max: 5 }),
            backlog: 14,
            backlog_age_ns: Some(15),
            lag_max: 6,
            ended: "closed".to_owned(),
            received_live: 7,
            epochs: 8,
            restarts: 9,
            reopened: 10,
            renumbered: 11,
            gaps: 12,
        });
        let received = "\"latency_ns\":{\"p50\":1,\"p90\":2,\"p99\":3,\"p99.9\":4,\"max\":5},\"backlog\":14,\
                        \"backlog_age_ns\":15,\"lag_max\":6,\"ended\":\"closed\",\"received_live\":7,\"epochs\":8,\"restarts\":9,\"reopened\":10,\
                        \"renumbered\":11,\"gaps\":12}";
        assert_eq!(summary.to_json(), format!("{},{received}", publisher.trim_end_matches('}').to_owned()));
        let passed_over = [("unknown ITCH type 'Z'".to_owned(), 14)].into();
        summary.published = Some(Published { epoch: 13, passed_over, gaps_cut: 15, seconds_cut: 16.5 });
        let published =
            "\"epoch\":13,\"passed_over\":{\"unknown ITCH type 'Z'\":14},\"gaps_cut\":15,\"seconds_cut\":16.5";
        assert!(summary.to_json().contains(&format!(",{published},\"latency_ns\":")), "{}", summary.to_json());
        let text = summary.to_text();
        let widths: Vec<usize> = text.lines().map(str::len).collect();
        assert!(widths.iter().all(|&width| width == widths[0]), "{text}");
        assert!(text.contains("by_kind add") && !text.contains("by_kind cancel"), "{text}");
        assert!(text.contains("passed_over unknown ITCH type 'Z'  ") && text.contains("gaps_cut  "), "{text}");
        // What was not measured is no 0.
        summary.received =
            summary.received.map(|received| Received { latency_ns: None, backlog_age_ns: None, ..received });
        assert!(summary.to_json().contains("\"latency_ns\":null,\"backlog\":14,\"backlog_age_ns\":null,"));
        let text = summary.to_text();
        let dashes = text.lines().filter(|line| line.ends_with(" -")).count();
        assert_eq!(dashes, 6, "five percentiles and an age: {text}");
    }

    #[test]
    fn a_summary_of_records_counts_types_and_has_no_sums() {
        let mut tally = records::tally::Tally::new(records::Encoding::Bytes);
        tally.add(7, b"abc");
        let summary = Summary::of_records(&tally, Sequences { next: 1, ..Sequences::default() }, 0.0);
        let digest = tally.digest();
        let says = format!(
            "{{\"messages\":1,\"lost\":0,\"skipped\":0,\"first_sequence\":0,\"next_sequence\":1,\"seconds\":0.0,\
             \"per_second\":0.0,\"by_type\":{{\"7\":1}},\"bytes\":3,\"first_ts\":null,\"last_ts\":null,\
             \"digest\":\"{digest}\"}}"
        );
        assert_eq!(summary.to_json(), says);
        let text = summary.to_text();
        assert!(text.contains("by_type 7 ") && text.contains("bytes  ") && !text.contains("price_sum"), "{text}");
    }
}
