//! The short form of `make torn-read`: nothing is torn at an aligned offset, or through the ring. It prints whether
//! this processor tears a word at 1022 within that time, and does not require it.
#![cfg(not(loom))]

use std::io::Write;
use std::process::Command;

use loom_tests::torn::HERE;

#[test]
fn aligned_words_and_messages_are_whole() {
    let output = Command::new(env!("CARGO_BIN_EXE_torn-read")).args(["50", "1016", "1022", "1024"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    if !HERE {
        feed_testing::skipped(text.lines().next().unwrap_or_default());
        return;
    }
    // From the back, because the place is of one word or of several.
    let row = |offset: &str| -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start().starts_with(offset)).expect("a row for each offset");
        line.split_whitespace().rev().map(str::to_owned).collect()
    };
    for offset in ["1016", "1024"] {
        let row = row(offset);
        assert_ne!(row[3], "0", "nothing was read: {text}");
        assert_eq!(row[2], "0", "an aligned word was torn: {text}");
    }
    // Written to the stream, because the test harness captures what macros print.
    let _ = writeln!(std::io::stderr(), "offset 1022: {} of {} loads torn here", row("1022")[2], row("1022")[3]);
    let ring = text.lines().find(|line| line.contains(" messages received, ")).expect("what the ring did");
    assert!(ring.ends_with(" 0 torn") && !ring.starts_with("0 messages"), "{ring}");
    // How many messages come through depends on the machine's other work, and so does which verdict it is.
    let last = text.lines().last().expect("a verdict");
    assert!(last.starts_with("Verdict: ") && last.contains(" messages through the ring was torn"), "{text}");
}

#[test]
fn wrong_arguments_print_the_usage() {
    for wrong in [&["soon"][..], &["50", "8185"], &["50", "-1"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_torn-read")).args(wrong).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{wrong:?}");
        assert!(String::from_utf8_lossy(&output.stderr).starts_with("torn-read: usage"), "{wrong:?}");
    }
}
