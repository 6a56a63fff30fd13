//! What must not compile as a message, and with which words. That it does not compile is shown on every compiler by the
//! documentation of `Payload`; the words are the compiler's, so they are compared on the version they were taken from.

use std::process::Command;

const WORDS_OF: &str = "rustc 1.95.";

#[test]
fn what_cannot_be_shared_does_not_compile() {
    let version = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into())).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with(WORDS_OF) {
        feed_testing::skipped(&format!("the compiler's words were taken from {WORDS_OF}, this is {}", version.trim()));
        return;
    }
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/compile-fail/*.rs");
}
