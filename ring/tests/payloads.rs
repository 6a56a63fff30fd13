//! Types that must not compile as a message, and the compiler's error messages. The documentation of `Payload` shows on
//! every compiler that they do not compile. The error texts are compared only with the compiler version they were taken
//! from.

use std::process::Command;

const TEXTS_FROM: &str = "rustc 1.95.";

#[test]
fn types_that_cannot_be_shared_do_not_compile() {
    let version = Command::new(std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into())).arg("--version").output();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    if !version.starts_with(TEXTS_FROM) {
        feed_testing::skipped(&format!(
            "the compiler's error texts were taken from {TEXTS_FROM}, this is {}",
            version.trim()
        ));
        return;
    }
    let tests = trybuild::TestCases::new();
    tests.compile_fail("tests/compile-fail/*.rs");
}
