//! What each field of a summary is, for the programs' `--help`.

use std::fmt::Write as _;

/// A field by its name in JSON, and what it is.
pub type Field = (&'static str, &'static str);

/// The fields that the summaries of both programs have. Only messages have `by_kind`, sums and `order_id_xor`.
pub const BOTH: [Field; 16] = [
    ("messages", "messages published, or received"),
    ("lost", "messages overwritten before they were read; publisher: 0"),
    ("skipped", "messages left out on purpose; publisher: 0"),
    ("first_sequence", "of the first message; first + messages + lost + skipped = next"),
    ("next_sequence", "of the message after the last"),
    ("seconds", "time from the first message to the last"),
    ("per_second", "messages / seconds; 0 if seconds is 0"),
    ("by_kind", "messages of each kind; the table leaves out kinds with none"),
    ("price_sum", "sum of all prices in 1e-9; of a quote the bid's"),
    ("size_sum", "sum of all sizes in 1e-9; of a quote the bid's"),
    ("order_id_xor", "exclusive or of all order ids"),
    ("by_type", "records of each type: DBN's name, ITCH's letter"),
    ("bytes", "sum of the records' lengths"),
    ("first_ts", "event time of the first message with one, ns (null: none)"),
    ("last_ts", "event time of the last message with one, ns (null: none)"),
    ("digest", "xxh3 of all messages in order; equal: the same was received"),
];

/// The fields that a summary has only with a table (`--table`, `--snapshot`, `--symbol`).
pub const BOARD: [Field; 3] = [
    ("symbols", "with a table: its rows that have a symbol"),
    ("without_row", "with a table: messages for which it had no row left"),
    ("table_digest", "with a table: of all rows; equal: the same state"),
];

/// The fields that only a publisher's summary has.
pub const PUBLISHED: [Field; 4] = [
    ("epoch", "1 in a new ring, one more after each takeover; 0: no ring"),
    ("passed_over", "records of the input that became no message, by kind"),
    ("gaps_cut", "gaps in the capture longer than --max-gap"),
    ("seconds_cut", "seconds of the capture that were not waited for"),
];

/// The fields that only a subscriber's summary has.
pub const RECEIVED: [Field; 11] = [
    ("latency_ns", "ns from publish to receipt, without the backlog (null: none)"),
    ("backlog", "messages received that were published before it joined"),
    ("backlog_age_ns", "age of the oldest of them when it joined, ns (null: none)"),
    ("lag_max", "the most messages that it was behind, a backlog included"),
    ("ended", "closed, max, signal, publisher_dead, superseded, corrupt, ..."),
    ("received_live", "messages received before the last was published, at least"),
    ("epochs", "lives of publishers of which it received messages"),
    ("restarts", "takeovers of the ring while it was followed"),
    ("reopened", "times that it left a ring for the one that took its name"),
    ("renumbered", "reopened rings with sequence numbers of their own"),
    ("gaps", "messages lost between two rings; lost includes them"),
];

/// A paragraph of `--help`: the fields of a summary, one a line.
pub fn help(own: &[Field]) -> String {
    let fields = || BOTH.iter().chain(&BOARD).chain(own);
    let width = fields().map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = "The summary (null in JSON is a dash in the table):\n".to_owned();
    for (name, what) in fields() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {name:<width$}  {what}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reception::Reception;
    use crate::summary::{Board, Published, Received, Records, Sequences, Summary, Tally};

    fn names(fields: &[Field]) -> Vec<String> {
        BOTH.iter().chain(&BOARD).chain(fields).map(|(name, _)| (*name).to_owned()).collect()
    }

    /// The names in a summary's JSON, in their order.
    fn keys(summary: &Summary) -> Vec<String> {
        let json = summary.to_json();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort_by_key(|key| json.find(&format!("\"{key}\":")));
        keys
    }

    #[test]
    fn every_field_is_explained_in_its_order() {
        let empty = || Summary {
            board: Some(Board::default()),
            records: Some(Records { by_type: Default::default(), bytes: 0 }),
            ..Summary::new(&Tally::default(), Sequences::default(), 0.0)
        };
        assert_eq!(keys(&Summary { published: Some(Published::default()), ..empty() }), names(&PUBLISHED));
        let reception = Reception::default();
        let received = Received {
            latency_ns: reception.latency(),
            backlog: 0,
            backlog_age_ns: None,
            lag_max: 0,
            ended: "closed".to_owned(),
            received_live: 0,
            epochs: 0,
            restarts: 0,
            reopened: 0,
            renumbered: 0,
            gaps: 0,
        };
        assert_eq!(keys(&Summary { received: Some(received), ..empty() }), names(&RECEIVED));
    }

    #[test]
    fn the_help_fits_into_80_columns() {
        for fields in [&PUBLISHED[..], &RECEIVED] {
            let text = help(fields);
            assert!(text.lines().all(|line| line.len() <= 80), "{text}");
        }
    }

    #[test]
    fn the_documents_explain_every_field() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
        let text = std::fs::read_to_string(path).unwrap();
        for (name, _) in BOTH.iter().chain(&BOARD).chain(&PUBLISHED).chain(&RECEIVED) {
            let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.split_once(" |"));
            let found = rows.into_iter().any(|(names, _)| names.split(", ").any(|one| one == format!("`{name}`")));
            assert!(found, "{name} has no row in docs/operations.md");
        }
    }
}
