//! Tests of the explorer: it tells a violated oracle from everything else, and never takes a short run for a complete
//! one. Loom must also find the incident. Needs `--cfg loom` (`make loom`); empty otherwise.
#![cfg(loom)]

use std::io::Write;

use feed_ring::sync::model;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use loom_tests::explore::{Bound, End, LIMIT, explore, struck, violated};
use loom_tests::incident::{AFTER, BEFORE, search};
use loom_tests::{models, mutants};

const ALL: Bound = Bound { preemptions: None, executions: LIMIT };

#[test]
fn loom_finds_the_torn_word_at_1022() {
    let found = search(1022, 64);
    let (execution, value) = found.first.expect("loom must find the torn value");
    // Written to the stream, because the test harness captures what macros print.
    let _ = writeln!(std::io::stderr(), "offset {}: torn at execution {execution}: {value:#018x}", found.offset);
    assert_eq!(found.pieces, 2);
    assert!(value != BEFORE && value != AFTER);
    // The two lowest bytes of the value lie in the first line, so one part is new and the other old.
    assert!([0x2222_2222_2222_1111, 0x1111_1111_1111_2222].contains(&value), "{value:#018x}");
    assert!(found.torn > 0 && found.torn < found.executions, "{found:?}");
}

#[test]
fn words_beside_1022_within_a_line_are_never_torn() {
    for offset in [1016, 1024] {
        let found = search(offset, 64);
        assert_eq!((found.pieces, found.torn, found.first), (1, 0, None), "{offset}");
        assert!(found.executions > 2, "all orders of one store and one load: {found:?}");
    }
}

#[test]
fn the_cut_follows_the_address() {
    assert_eq!(model::cut(1016, 64), [u64::MAX]);
    assert_eq!(model::cut(1022, 64), [0xffff, !0xffff]);
    assert_eq!(model::cut(1012, 64), [u64::MAX]);
    assert_eq!(model::cut(1012, 8), [0xffff_ffff, !0xffff_ffff], "a processor that promises aligned words only");
    assert_eq!(model::cut(3, 4).len(), 3);
    for offset in 0..64 {
        let masks = model::cut(offset, 64);
        assert_eq!(masks.iter().fold(0, |all, mask| all | mask), u64::MAX);
        assert_eq!(masks.iter().map(|mask| mask.count_ones()).sum::<u32>(), 64);
    }
}

/// A relaxed store and a relaxed load at the same time.
fn race(_: usize) {
    let word = std::sync::Arc::new(AtomicU64::new(0));
    let other = word.clone();
    let thread = thread::spawn(move || other.store(1, Ordering::Relaxed));
    if word.load(Ordering::Relaxed) == 1 {
        struck();
    }
    thread.join().unwrap();
}

#[test]
fn a_short_run_is_a_failure() {
    let complete = explore(ALL, false, race);
    assert_eq!(complete.end, End::Complete);
    assert!(complete.executions > 2);
    let short = explore(Bound { executions: complete.executions - 1, ..ALL }, false, race);
    assert!(matches!(&short.end, End::Broken(why) if why.starts_with("cut short")), "{:?}", short.end);
    let enough = explore(Bound { executions: complete.executions, ..ALL }, false, race);
    assert_eq!(enough.end, End::Complete);
}

#[test]
fn only_a_violated_oracle_counts_as_violated() {
    let panic = explore(ALL, false, |_| panic!("not an oracle"));
    assert_eq!(panic.end, End::Broken("not an oracle".to_owned()));
    let deadlock = explore(ALL, false, |_| {
        let lock = loom::sync::Mutex::new(());
        let _held = lock.lock();
        let _again = lock.lock();
    });
    assert!(matches!(&deadlock.end, End::Broken(why) if why.starts_with("deadlock")), "{:?}", deadlock.end);
    let endless = explore(ALL, false, |_| {
        let word = AtomicU64::new(0);
        while word.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
    });
    assert!(matches!(&endless.end, End::Broken(why) if why.contains("branches")), "{:?}", endless.end);
    let oracle = explore(ALL, false, |_| violated("torn", "seen".to_owned()));
    assert!(matches!(&oracle.end, End::Violated(violation) if violation.oracle == "torn"), "{:?}", oracle.end);
}

#[test]
fn models_and_mutants_name_each_other() {
    for (index, model) in models::ALL.iter().enumerate() {
        assert!(models::ALL[..index].iter().all(|other| other.name != model.name), "{} twice", model.name);
    }
    for mutant in mutants::ALL {
        let model = models::named(mutant.caught.0).unwrap_or_else(|| panic!("{} names no model", mutant.site));
        assert!(!model.deep, "{}: `make loom` does not run {}", mutant.site, model.name);
    }
}
