//! Runs a model under loom and returns how it ended: complete, with a violated oracle, or with a fault of the harness.
//!
//! If loom has a limit on permutations or duration, it stops there silently, as if successful. So it is given neither
//! limit: executions are counted here, and a model that is longer than its limit fails.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use feed_ring::sync::model;

/// Something the ring did and must not do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The oracle that failed.
    pub oracle: &'static str,
    /// What it saw.
    pub text: String,
}

/// How a model ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// Every execution within the bound was explored, and no oracle failed.
    Complete,
    /// An oracle failed.
    Violated(Violation),
    /// Anything else: another panic, a deadlock, too many branches, or more executions than the limit. Such a run
    /// proves nothing.
    Broken(String),
}

/// What an exploration found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Number of executions explored, including a failing one.
    pub executions: u64,
    /// How long they took.
    pub time: Duration,
    /// How it ended.
    pub end: End,
    /// What its subscribers met while the publisher ran, in any execution: one letter each, see [`met`].
    pub met: String,
}

/// How far a model is explored.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bound {
    /// Highest number of preemptions in an execution. `None` for no bound.
    pub preemptions: Option<usize>,
    /// A model with more executions than this fails.
    pub executions: u64,
}

/// The limit for every model: 20,000,000 executions.
pub const LIMIT: u64 = 20_000_000;

thread_local! {
    static VIOLATION: RefCell<Option<Violation>> = const { RefCell::new(None) };
    static QUIET: Cell<bool> = const { Cell::new(false) };
    static MET: RefCell<BTreeSet<char>> = const { RefCell::new(BTreeSet::new()) };
    static STRUCK: Cell<bool> = const { Cell::new(false) };
}

/// Ends the model because an oracle failed.
pub fn violated(oracle: &'static str, text: String) -> ! {
    let violation = Violation { oracle, text };
    VIOLATION.set(Some(violation.clone()));
    std::panic::panic_any(violation);
}

/// Notes what a subscriber met while its publisher ran. A model whose subscribers never meet its subject proves nothing
/// about that.
pub fn met(what: char) {
    MET.with_borrow_mut(|met| met.insert(what));
}

/// A model that was given a store to fail at calls this when the fault occurred.
pub fn struck() {
    STRUCK.set(true);
}

/// Explores `model` once. With `every_store`, explores it for each store in turn, with a fault at that store, until the
/// model finishes without meeting the fault. The model is given the number of the store.
pub fn explore(bound: Bound, every_store: bool, model: fn(usize)) -> Report {
    let begun = Instant::now();
    let mut executions = 0;
    MET.take();
    for store in 0.. {
        STRUCK.set(false);
        let (count, end) = one(bound, executions, move || model(store));
        executions += count;
        if end != End::Complete || !every_store || !STRUCK.get() {
            let met = MET.take().into_iter().collect();
            return Report { executions, time: begun.elapsed(), end, met };
        }
    }
    unreachable!("a model has finitely many stores")
}

fn one(bound: Bound, before: u64, model: impl Fn() + Send + Sync + 'static) -> (u64, End) {
    be_quiet();
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    let mut builder = loom::model::Builder::new();
    builder.max_permutations = None;
    builder.max_duration = None;
    builder.checkpoint_file = None;
    builder.expect_explicit_explore = false;
    builder.max_branches = 10_000;
    builder.max_threads = 4;
    builder.preemption_bound = bound.preemptions;
    VIOLATION.set(None);
    QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(|| {
        builder.check(move || {
            let count = counted.fetch_add(1, Ordering::Relaxed) + 1;
            assert!(before + count <= bound.executions, "cut short: more than {} executions", bound.executions);
            model::behave();
            model();
        });
    }));
    QUIET.set(false);
    let (_, asleep) = model::sleeps();
    model::behave();
    let end = match (VIOLATION.take(), result) {
        (None, Ok(())) => End::Complete,
        (Some(violation), Err(_)) => End::Violated(violation),
        (Some(violation), Ok(())) => End::Broken(format!("loom swallowed a violation: {}", violation.text)),
        (None, Err(panic)) => match said(&*panic) {
            // No thread is left that could wake it. Loom calls that a deadlock.
            text if asleep > 0 && text.starts_with("deadlock") => {
                let text = format!("{asleep} asleep, and nobody will wake it");
                End::Violated(Violation { oracle: "wake", text })
            }
            text => End::Broken(text),
        },
    };
    (count.load(Ordering::Relaxed), end)
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without a message").to_owned()
}

/// A mutant's panic is expected, so it is not printed.
fn be_quiet() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !QUIET.get() || std::env::var_os("LOUD").is_some() {
                loud(info);
            }
        }));
    });
}
