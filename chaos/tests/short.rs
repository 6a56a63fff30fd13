//! Runs a few seconds of chaos and judges them as `make chaos` judges two minutes.

use std::process::Command;

#[test]
fn a_few_seconds_of_chaos() {
    let output = Command::new(env!("CARGO_BIN_EXE_feed-chaos")).args(["--seconds", "6"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let outcome: serde_json::Value = serde_json::from_str(last).unwrap();
    for count in ["torn", "duplicated", "out_of_order", "unaccounted", "state_differences", "table_torn", "table_back"]
    {
        assert_eq!(outcome[count], 0, "{last}");
    }
    let of_ring = ["kills", "takeovers", "messages", "half_written_found"];
    let of_tables =
        ["keyed_kills", "table_kills", "late_joins", "positions_compared", "table_reads", "half_stored_found"];
    for count in of_ring.into_iter().chain(of_tables) {
        assert!(outcome[count].as_u64() > Some(0), "{last}");
    }
}
