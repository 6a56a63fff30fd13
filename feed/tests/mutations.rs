//! Tests of damaged inputs: twenty thousand for each format.
//!
//! Each is a valid input with bytes changed, moved, cut off or inserted. Each ends in messages or in an error with its
//! position. Messages before the damage are read unchanged, and `strict` reads a beginning of what is read otherwise.
//! Nothing panics, loops for ever, or allocates what the input claims.
#![allow(unsafe_code, reason = "an allocator that counts can only be written with unsafe")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use feed::Message;
use feed::sample::{self, Prefix, exhaust};
use feed::source::Format;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

const CASES: u32 = 20_000;

/// The most that reading a small input may have allocated at a time: buffers, and the largest DBN metadata that an
/// input may claim, twice while a buffer grows. zstd's own memory is not counted; its window is at most 128 MiB.
const MEMORY: usize = 130 << 20;

/// The same for most inputs: buffers only.
const USUAL: usize = 4 << 20;

/// An allocator that counts what the calling thread has allocated, and the peak.
struct Counting;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static MOST: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    // A thread that is ending has no counter.
    let _ = NOW.try_with(|now| {
        now.set(now.get() + bytes);
        MOST.with(|most| most.set(most.get().max(now.get())));
    });
}

// SAFETY: every call is passed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        // SAFETY: the caller's contract is the same.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's contract is the same.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The peak of what this thread allocated during `work`, above what it had before.
fn memory_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = NOW.get();
    MOST.set(before);
    let result = work();
    (result, usize::try_from(MOST.get() - before).unwrap_or(0))
}

/// One change. Places are fractions of the input's length in 1/65536.
#[derive(Clone, Debug)]
enum Damage {
    Flip(u16, u8),
    Set(u16, u8),
    Number(u16, u8, u64),
    Insert(u16, Vec<u8>),
    Delete(u16, u8),
    Repeat(u16, u8),
    Swap(u16, u16),
    Cut(u16),
}

impl Damage {
    /// Applies the change; returns the first place that changed.
    fn apply(&self, bytes: &mut Vec<u8>) -> usize {
        let length = bytes.len();
        let at = |place: u16| (usize::from(place) * length) >> 16;
        if length == 0 {
            return 0;
        }
        match self {
            Damage::Flip(place, bit) => {
                bytes[at(*place)] ^= 1 << (bit % 8);
                at(*place)
            }
            Damage::Set(place, byte) => {
                bytes[at(*place)] = *byte;
                at(*place)
            }
            Damage::Number(place, size, value) => {
                let (at, size) = (at(*place), 1 << (size % 4));
                let end = (at + size).min(length);
                // Both byte orders: DBN has one, ITCH the other.
                let number = if size % 3 == 0 { value.to_be_bytes() } else { value.to_le_bytes() };
                bytes[at..end].copy_from_slice(&number[..end - at]);
                at
            }
            Damage::Insert(place, new) => {
                bytes.splice(at(*place)..at(*place), new.iter().copied());
                at(*place)
            }
            Damage::Delete(place, count) => {
                let at = at(*place);
                bytes.drain(at..(at + usize::from(*count)).min(length));
                at
            }
            Damage::Repeat(place, count) => {
                let at = at(*place);
                let end = (at + usize::from(*count)).min(length);
                let again = bytes[at..end].to_vec();
                bytes.splice(end..end, again);
                end
            }
            Damage::Swap(one, other) => {
                bytes.swap(at(*one), at(*other));
                at(*one).min(at(*other))
            }
            Damage::Cut(place) => {
                bytes.truncate(at(*place));
                at(*place)
            }
        }
    }
}

/// Numbers at the limits of integer types, and others.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        (0..64u32).prop_map(|bit| 1 << bit),
        (0..64u32).prop_map(|bit| (1u64 << bit).wrapping_sub(1)),
        0..300u64,
        any::<u64>(),
    ]
}

/// Bytes; characters with a meaning in CSV are more frequent.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![any::<u8>(), prop::sample::select(&b"\n\r,.-+\"0919TQDBS\0\xff"[..])]
}

/// A place anywhere; places at the front, where headers are, are more frequent.
fn place() -> impl Strategy<Value = u16> {
    prop_oneof![4 => any::<u16>(), 1 => 0..2_000u16]
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        4 => (place(), any::<u8>()).prop_map(|(place, bit)| Damage::Flip(place, bit)),
        4 => (place(), byte()).prop_map(|(place, byte)| Damage::Set(place, byte)),
        3 => (place(), any::<u8>(), number()).prop_map(|(place, size, value)| Damage::Number(place, size, value)),
        2 => (place(), prop::collection::vec(byte(), 1..40)).prop_map(|(place, new)| Damage::Insert(place, new)),
        2 => (place(), any::<u8>()).prop_map(|(place, count)| Damage::Delete(place, count)),
        2 => (place(), any::<u8>()).prop_map(|(place, count)| Damage::Repeat(place, count)),
        1 => (place(), place()).prop_map(|(one, other)| Damage::Swap(one, other)),
        1 => place().prop_map(Damage::Cut),
    ]
}

/// How an input was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Whole,
    /// To its end, with something passed over.
    PassedOver,
    Broken,
}

fn read(bytes: Vec<u8>, format: Option<Format>, strict: bool) -> (Vec<Message>, End) {
    let mut messages = Vec::new();
    let end = match exhaust(bytes, format, strict, |message| messages.push(message)) {
        Ok((_, 0)) => End::Whole,
        Ok(_) => End::PassedOver,
        Err(_) => End::Broken,
    };
    (messages, end)
}

/// Damages valid inputs of a format, after `stored` compressed them or not, and reads them.
fn damaged(of: Format, valid: &[Vec<u8>], stored: fn(&[u8]) -> Vec<u8>) {
    let valid: Vec<Vec<u8>> = valid.iter().map(|plain| stored(plain)).collect();
    let plain = stored(b"x") == b"x";
    for input in &valid {
        assert_eq!(read(input.clone(), None, false).1, End::Whole, "it is valid before it is damaged");
    }
    let [whole, passed_over, broken, unusual] = [const { Cell::new(0u32) }; 4];
    let mut runner = TestRunner::new(Config { cases: CASES, failure_persistence: None, ..Config::default() });
    let cases = (0..valid.len(), prop::collection::vec(damage(), 1..4), any::<bool>());
    let result = runner.run(&cases, |(input, damages, named)| {
        let mut bytes = valid[input].clone();
        let first = damages.iter().map(|damage| damage.apply(&mut bytes)).min().unwrap_or(0);
        let format = named.then_some(of);
        let ((messages, end), memory) = memory_of(|| read(bytes.clone(), format, false));
        prop_assert!(memory < MEMORY, "{} bytes of memory", memory);
        unusual.set(unusual.get() + u32::from(memory > USUAL));
        let count = match end {
            End::Whole => &whole,
            End::PassedOver => &passed_over,
            End::Broken => &broken,
        };
        count.set(count.get() + 1);
        let (strictly, strict_end) = read(bytes, format, true);
        prop_assert!(strictly.len() <= messages.len());
        // What ended it decides whether the last row of a CSV ended its event.
        let kept = if end == End::Whole { strictly.len() } else { strictly.len().saturating_sub(1) };
        prop_assert_eq!(&strictly[..kept], &messages[..kept]);
        match end {
            End::Whole => prop_assert_eq!((strict_end, strictly.len()), (End::Whole, messages.len())),
            End::PassedOver | End::Broken => prop_assert_eq!(strict_end, End::Broken),
        }
        if plain && messages.len() > 2 {
            // Messages before the damage are unchanged, except the last two rows of a CSV: the damage may extend the
            // last row, and the one before may become one event with it.
            let (before, _) = read(valid[input][..first].to_vec(), Some(of), false);
            let kept = before.len().saturating_sub(2);
            prop_assert_eq!(&messages[..kept], &before[..kept]);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{of}: {error}"));
    let [whole, passed_over, broken] = [whole, passed_over, broken].map(|count| count.get());
    println!(
        "{of}: {whole} were read whole, {passed_over} with something passed over, {broken} ended in an error, {} took \
         more memory",
        unusual.get()
    );
    assert!(passed_over + broken > CASES / 20, "only {broken} of {CASES} were broken: the damage does too little");
    assert!(unusual.get() < CASES / 20, "{} of {CASES} took more than {USUAL} bytes", unusual.get());
}

fn as_it_is(plain: &[u8]) -> Vec<u8> {
    plain.to_vec()
}

fn dbn() -> Vec<Vec<u8>> {
    let schemas = sample::DBN_SCHEMAS.into_iter();
    schemas.flat_map(|schema| (1..=3).map(move |version| sample::dbn(version, schema, 12))).collect()
}

#[test]
fn damaged_dbn() {
    damaged(Format::Dbn, &dbn(), as_it_is);
}

#[test]
fn damaged_dbn_in_zstd() {
    damaged(Format::Dbn, &dbn(), sample::zstd);
}

#[test]
fn damaged_itch() {
    damaged(Format::Itch, &[sample::itch(Prefix::True, 30)], as_it_is);
}

#[test]
fn damaged_itch_with_zero_prefixes() {
    damaged(Format::Itch, &[sample::itch(Prefix::Zero, 30)], as_it_is);
}

#[test]
fn damaged_itch_in_gzip() {
    damaged(Format::Itch, &[sample::itch(Prefix::True, 30), sample::itch(Prefix::Zero, 30)], sample::gzip);
}

#[test]
fn damaged_csv() {
    damaged(Format::Csv, &[sample::csv(20)], as_it_is);
}

#[test]
fn damaged_csv_with_quotes_and_exponents() {
    let plain = String::from_utf8(sample::csv(20)).unwrap();
    let quoted = plain.replace("SYN1", "\"SYN\"\"1\"").replace("SYN2", "\"SYN\n2\"").replace(",0.000,", ",0e-05,");
    damaged(Format::Csv, &[quoted.into_bytes()], as_it_is);
}

/// Two files joined, with what stands between and behind them.
fn joined(one: &[u8], between: &[u8], other: &[u8], behind: &[u8]) -> Vec<u8> {
    [one, between, other, behind].concat()
}

#[test]
fn damaged_files_that_were_joined() {
    let (mbo, trades) = (sample::dbn(3, "mbo", 6), sample::dbn(1, "trades", 6));
    damaged(Format::Dbn, &[joined(&mbo, b"", &trades, b"")], as_it_is);
    let (itch, csv) = (sample::itch(Prefix::True, 15), sample::csv(9));
    damaged(Format::Itch, &[joined(&itch, &[0; 2], &sample::itch(Prefix::Zero, 15), &[0; 2])], as_it_is);
    damaged(Format::Csv, &[joined(&csv, b"", &csv, b"")], as_it_is);
    let skippable = [&[0x5e, 0x2a, 0x4d, 0x18, 5, 0, 0, 0][..], b"hello"].concat();
    let stored = joined(&sample::gzip(&csv), &skippable, &sample::zstd(&csv), &sample::gzip(b""));
    damaged(Format::Csv, &[stored], |stored| stored.to_vec());
}

#[test]
fn damaged_csv_in_gzip() {
    damaged(Format::Csv, &[sample::csv(20)], sample::gzip);
}
