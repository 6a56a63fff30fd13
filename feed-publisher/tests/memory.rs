//! Tests that memory stays flat: large inputs of every format through standard input, and the publisher's peak memory.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{publisher, summary};
use feed::sample::{self, Prefix};
use feed_testing::{PrivateRoot, Program};

/// More than program, buffers and a ring of 1,024 slots take, and a fraction of each input.
const MOST_KB: u64 = 16 * 1024;

/// Publishes `first`, then `block` repeatedly until `megabytes` MB were read after decompression. A block has `plain`
/// bytes after decompression and `messages` messages.
#[track_caller]
fn publish(first: &[u8], block: &[u8], plain: usize, messages: u64, megabytes: usize) {
    let root = PrivateRoot::new();
    let mut command = publisher(&root);
    command.args(["--input", "-", "--capacity", "1024", "--speed", "max", "--summary", "json"]);
    let mut program = Program::start(command.stdin(Stdio::piped()));
    let mut stdin = program.stdin().unwrap();
    stdin.write_all(first).unwrap();
    let blocks = megabytes * 1_000_000 / plain;
    for _ in 0..blocks {
        stdin.write_all(block).unwrap();
    }
    // Everything but what fits into the pipe has been read.
    let peak: u64 = program.status("VmHWM:").strip_suffix(" kB").unwrap().parse().unwrap();
    drop(stdin);
    let finished = program.finish();
    finished.assert_quiet_success();
    assert_eq!(summary(&finished)["messages"], messages * blocks as u64);
    assert!(peak < MOST_KB, "{peak} kB for an input of {megabytes} MB");
}

const ROWS: u64 = 10_000;

#[test]
fn a_large_dbn_input() {
    let (none, some) = (sample::dbn(3, "mbo", 0), sample::dbn(3, "mbo", ROWS));
    let records = &some[none.len()..];
    publish(&none, records, records.len(), ROWS, 120);
}

#[test]
fn a_large_dbn_input_in_zstd() {
    let (none, some) = (sample::dbn(3, "mbo", 0), sample::dbn(3, "mbo", ROWS));
    let records = &some[none.len()..];
    // Consecutive frames are one file.
    publish(&sample::zstd(&none), &sample::zstd(records), records.len(), ROWS, 50);
}

#[test]
fn a_large_itch_input() {
    let records = sample::itch(Prefix::True, ROWS);
    publish(&[], &records, records.len(), ROWS, 50);
}

#[test]
fn a_large_itch_input_in_gzip() {
    let records = sample::itch(Prefix::Zero, ROWS);
    publish(&[], &sample::gzip(&records), records.len(), ROWS, 50);
}

#[test]
fn a_large_csv_input() {
    let (none, some) = (sample::csv(0), sample::csv(ROWS));
    let rows = &some[none.len()..];
    publish(&none, rows, rows.len(), ROWS, 50);
}

#[test]
fn a_large_csv_input_in_gzip() {
    let (none, some) = (sample::csv(0), sample::csv(ROWS));
    let rows = &some[none.len()..];
    publish(&sample::gzip(&none), &sample::gzip(rows), rows.len(), ROWS, 50);
}
