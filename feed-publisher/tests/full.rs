//! No write error is lost: standard output on a full disk.

mod common;

use common::publisher;
use feed_testing::{PrivateRoot, on_a_full_disk};

#[test]
fn a_full_disk_is_an_error() {
    let root = PrivateRoot::new();
    let full = "No space left on device (os error 28): make room, or send it elsewhere";
    for (arguments, says) in [
        (&["--help"][..], "cannot write to standard output"),
        (&["-h"], "cannot write to standard output"),
        (&["--version"], "cannot write to standard output"),
        (&["--count", "5", "--summary", "text"], "cannot print the summary"),
        (&["--count", "5", "--summary", "json"], "cannot print the summary"),
    ] {
        let finished = on_a_full_disk(publisher(&root).args(arguments));
        finished.assert_one_line("feed-publisher", 1, &[&format!("feed-publisher: {says}: {full}")]);
    }
    assert!(!root.path().join("feed.ring").exists(), "the ring is closed all the same");
}
