//! The incident in a model: a word that lies across two cache lines, as the ring's shim models it.
//!
//! The shim only cuts the word where its address says. Loom then finds the execution in which a reader gets one piece
//! of one value and one piece of the other.

use std::sync::Arc;
use std::sync::Mutex;

use feed_ring::sync::{PlacedWord, model::cut};
use loom::thread;

/// The value before.
pub const BEFORE: u64 = 0x1111_1111_1111_1111;
/// The value after.
pub const AFTER: u64 = 0x2222_2222_2222_2222;

/// What a reader found at one offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Bytes from the start of the segment.
    pub offset: usize,
    /// Number of pieces that the word is loaded and stored in.
    pub pieces: usize,
    /// Number of executions explored, which is all of them.
    pub executions: u64,
    /// Number of executions in which the reader got a value that nobody wrote.
    pub torn: u64,
    /// The first such execution, counted from 1, and the value.
    pub first: Option<(u64, u64)>,
}

/// Explores all executions of one writer that stores [`AFTER`] over [`BEFORE`] at `offset`, and one reader that loads.
/// The modelled processor loads and stores in one piece what lies within `grain` aligned bytes.
pub fn search(offset: usize, grain: usize) -> Found {
    let pieces = cut(offset, grain).len();
    let found = Arc::new(Mutex::new(Found { offset, pieces, executions: 0, torn: 0, first: None }));
    let record = Arc::clone(&found);
    let mut builder = loom::model::Builder::new();
    (builder.max_permutations, builder.max_duration, builder.preemption_bound) = (None, None, None);
    builder.check(move || {
        let word = Arc::new(PlacedWord::at(offset, grain, BEFORE));
        let reader = thread::spawn({
            let word = Arc::clone(&word);
            move || word.load()
        });
        word.store(AFTER);
        let value = reader.join().unwrap();
        let mut found = record.lock().expect("no panic holds it");
        found.executions += 1;
        if value != BEFORE && value != AFTER {
            found.torn += 1;
            let execution = found.executions;
            found.first.get_or_insert((execution, value));
        }
    });
    let found = found.lock().expect("no panic holds it");
    found.clone()
}

/// A table for people: one row for each offset from 1008 to 1032, with cache lines of 64 bytes.
pub fn table() -> String {
    let mut table = String::from("offset  pieces  executions  torn  first torn\n");
    for offset in 1008..=1032 {
        let Found { pieces, executions, torn, first, .. } = search(offset, 64);
        let first = first.map_or("-".to_owned(), |(execution, value)| format!("execution {execution}: {value:#018x}"));
        table += &format!("{offset:>6}  {pieces:>6}  {executions:>10}  {torn:>4}  {first}\n");
    }
    table
}
