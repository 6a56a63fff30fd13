//! The tests that are written in C and C++: each function, each type, and calls in random order. Under valgrind too, where it is
//! installed.

mod common;

use std::process::Command;

use common::{Linked, compiled, compilers_words, succeeds, under_valgrind};
use feed_testing::PrivateRoot;

/// Runs a program with these arguments behind a directory of its own, which must be as empty at the end.
#[track_caller]
fn runs(mut command: Command, arguments: &[&str]) -> String {
    let root = PrivateRoot::new();
    let said = succeeds(command.arg(root.path()).args(arguments));
    assert_eq!(root.names(), [""; 0], "what it made it removed");
    said
}

#[test]
fn every_function_returns_what_it_should() {
    for linked in [Linked::Shared, Linked::Static] {
        let Some(program) = compiled("tests/c/api.c", linked) else { return };
        assert!(runs(Command::new(&program), &[]).contains("every function"));
    }
}

#[test]
fn every_function_is_clean_under_valgrind() {
    let Some(program) = compiled("tests/c/api.c", Linked::Shared) else { return };
    let Some(command) = under_valgrind(&program) else { return };
    runs(command, &[]);
}

#[test]
fn every_type_does_what_it_should() {
    let Some(program) = compiled("tests/c/typed.cpp", Linked::Shared) else { return };
    assert!(runs(Command::new(&program), &[]).contains("every type"));
    let Some(command) = under_valgrind(&program) else { return };
    runs(command, &[]);
}

/// A description that does not fit its struct is refused by the compiler, and says why.
#[test]
fn a_description_that_is_wrong_does_not_compile() {
    const STRUCTS: &str = "#include \"feed_ring.hpp\"\n
        struct Leg { std::uint8_t side; std::uint64_t price; }; FEED_RING_FIELDS(Leg, side, price)
        struct Spread { std::uint64_t time; std::array<Leg, 2> legs; };
        struct Tick { std::uint64_t time; std::int64_t price; };";
    let why = "the struct, or one within it, has padding, or FEED_RING_FIELDS has not every member once";
    let described = [
        ("Leg", "", Some(why)),
        ("Spread", "FEED_RING_FIELDS(Spread, time, legs)", Some(why)),
        ("Tick", "FEED_RING_FIELDS(Tick, price, time)", Some(why)),
        ("Tick", "FEED_RING_FIELDS(Tick, time, time)", Some(why)),
        ("Tick", "FEED_RING_FIELDS(Tick, time)", Some(why)),
        ("Tick", "FEED_RING_FIELDS(Tick, time, size)", Some("size")),
        ("Tick", "FEED_RING_FIELDS(Tick, time, price)", None),
    ];
    for (name, description, expected) in described {
        let text = format!(
            "{STRUCTS}\n{description}\nint main() {{ return (int)feed_ring::schema_text<{name}>().size(); }}\n"
        );
        let Some(said) = compilers_words(&text) else { return };
        match expected {
            Some(expected) => assert!(said.contains(expected), "{description}: {said}"),
            None => assert_eq!(said, "", "{description}"),
        }
    }
}

/// The seeds are printed by the program. `FUZZ_SEED` tries others.
#[test]
fn a_hundred_thousand_calls_in_random_order_crash_nothing() {
    let Some(program) = compiled("tests/c/fuzz.c", Linked::Shared) else { return };
    let seed = std::env::var("FUZZ_SEED").unwrap_or_else(|_| "1".into());
    let root = PrivateRoot::new(); // with `keep`, some of its rings stay
    println!("{}", succeeds(Command::new(&program).arg(root.path()).args(["100000", &seed])));
    let Some(mut command) = under_valgrind(&program) else { return };
    let root = PrivateRoot::new();
    println!("{}", succeeds(command.arg(root.path()).args(["3000", &seed])));
}
