//! Verifying a table or a cell: its keys, every copy's sequence word, and the log of its stores.

use std::collections::HashMap;

use super::verdict::{Verdict, describe};
use crate::format::layout::{MAX_SEQUENCE, word};
use crate::format::rows::row_word;
use crate::inspect::segment::parse;
use crate::inspect::table::Table;

/// How often a row that seems wrong is read again. It may only seem so because the writer stores into it meanwhile.
const RECHECKS: u32 = 8;

impl Table {
    /// Compares the table with what a writer makes: the header words that change, the files beside the segment, the schemas,
    /// the keys, every copy's sequence word, and the log.
    ///
    /// It may be run on a live table. It reads the first line of every copy, and the writer must fetch that line back after
    /// each reading.
    pub fn verify(&self) -> Verdict {
        self.verdict(|verdict| self.verify_counts(verdict), |verdict| self.verify_rows(verdict))
    }

    fn verify_counts(&self, verdict: &mut Verdict) {
        if let Some(key) = &self.facts.key {
            verdict.note_align("the key's", key.align);
            if let Err(error) = parse(&key.schema, key.size) {
                verdict.note_schema("the key's schema", error);
            }
        }
        let (keys, most) = (self.word(row_word::KEYS), if self.is_cell() { 0 } else { self.facts.capacity });
        if keys > most {
            verdict.note("header, the number of keys", keys, format!("from 0 to {most}"));
        }
        let (count, base) = (self.word(word::PUBLISHED), self.facts.base);
        if !(base..=MAX_SEQUENCE).contains(&count) {
            verdict.note("header, the count of stores", count, format!("from {base} to 2^62"));
        }
    }

    fn verify_rows(&self, verdict: &mut Verdict) {
        let (mut known, mut key) = (HashMap::new(), Vec::new());
        for row in 0..self.facts.capacity {
            if self.key(row, &mut key)
                && let Some(first) = known.insert(key.clone(), row)
            {
                verdict.note(format!("row {row}, the key"), format!("that of row {first}"), "another key for each row");
            }
            self.verify_row(row as u32, verdict);
        }
        for number in self.stores().saturating_sub(self.rows.log_entries() as u64)..self.stores() {
            let found = self.rows.logged_row(number).filter(|row| u64::from(*row) >= self.keys());
            if let Some(row) = found {
                let expected = format!("a row below {}, or none", self.keys());
                verdict.note(format!("log, store {number}"), format!("row {row}"), expected);
            }
        }
        verdict.slots = self.facts.capacity;
    }

    /// Notes what is wrong with a row, if it is so at each look.
    fn verify_row(&self, row: u32, verdict: &mut Verdict) {
        let mut wrong = self.wrong_copy(row);
        for _ in 0..RECHECKS {
            if wrong.is_none() {
                return;
            }
            wrong = self.wrong_copy(row);
        }
        if let Some((copy, seen, expected)) = wrong {
            verdict.note(format!("row {row}, copy {copy}"), describe("store", seen), expected);
        }
    }

    /// A copy of a row whose sequence word cannot be: its index, the word, and what was expected.
    fn wrong_copy(&self, row: u32) -> Option<(usize, u64, String)> {
        let seen: Vec<u64> = (0..self.facts.copies).map(|copy| self.rows.sequence_word(row, copy)).collect();
        // Read after the copies. A store is complete before it is counted, so one more than the count is right.
        let (next, keys) = (self.stores(), self.keys());
        let first = |wrong: &dyn Fn(u64) -> bool| seen.iter().position(|&word| word != 0 && wrong(word));
        let number = |word: u64| (word - 1) / 2;
        if u64::from(row) >= keys {
            let copy = first(&|_| true)?;
            return Some((copy, seen[copy], "never written: the row has no key".to_owned()));
        }
        if let Some(copy) = first(&|word| !(self.facts.base..=next).contains(&number(word))) {
            return Some((copy, seen[copy], format!("from store {} to store {next}", self.facts.base)));
        }
        // The writer overwrites the oldest copy: the newest stays whole, and no two are of one store.
        if let Some(copy) = first(&|word| seen.iter().filter(|&&other| other == word).count() > 1) {
            return Some((copy, seen[copy], "another store in each copy".to_owned()));
        }
        let is_marked = |word: u64| word != 0 && !word.is_multiple_of(2);
        match seen.iter().all(|&word| is_marked(word)) {
            true => Some((0, seen[0], "one whole copy".to_owned())),
            false => None,
        }
    }
}
