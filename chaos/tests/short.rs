//! Runs a few seconds of chaos and judges them as `make chaos` judges two minutes.

use std::process::Command;

#[test]
fn a_few_seconds_of_chaos() {
    let output = Command::new(env!("CARGO_BIN_EXE_feed-chaos")).args(["--seconds", "9"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let outcome: serde_json::Value = serde_json::from_str(last).unwrap();
    let bad_of_messages = ["torn", "duplicated", "out_of_order", "unaccounted"];
    let bad_of_tables = ["state_differences", "table_torn", "table_back"];
    let bad_of_records = ["records_torn", "records_duplicated", "records_out_of_order", "records_unaccounted"];
    for count in bad_of_messages.iter().chain(&bad_of_tables).chain(&bad_of_records) {
        assert_eq!(outcome[count], 0, "{last}");
    }
    let of_ring = ["kills", "takeovers", "messages", "half_written_found"];
    let of_tables =
        ["keyed_kills", "table_kills", "late_joins", "positions_compared", "table_reads", "half_stored_found"];
    let of_records = ["record_kills", "half_written_records_found", "records_received", "records_lost", "record_joins"];
    for count in of_ring.into_iter().chain(of_tables).chain(of_records) {
        assert!(outcome[count].as_u64() > Some(0), "{last}");
    }
}
