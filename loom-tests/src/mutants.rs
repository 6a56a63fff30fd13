//! The mutants: each weakens exactly one site of the ring's source, and names the model and the oracle that notice.
//!
//! A site is an ordering or a check that stands in the source with a name (`fence("P1", …)`, `on("R3")`). An ordering
//! becomes relaxed, a fence goes away, a check passes, a store is not made.

/// One weakened site.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The site's name in the source.
    pub site: &'static str,
    /// What is done to it.
    pub what: &'static str,
    /// The model that fails, and the oracle that says so.
    pub caught: (&'static str, &'static str),
}

const fn mutant(site: &'static str, what: &'static str, model: &'static str, oracle: &'static str) -> Mutant {
    Mutant { site, what, caught: (model, oracle) }
}

/// All of them. tests/sites.rs holds the list against the source.
pub const ALL: &[Mutant] = &[
    mutant("P1", "no release fence between marker and payload", "stream", "torn"),
    mutant("P2", "the sequence published relaxed", "stream", "torn"),
    mutant("P3", "the marker not stored", "stream", "torn"),
    mutant("P4", "no release fence before the further lines", "lines", "torn"),
    mutant("P5", "what is there stored again relaxed", "ahead", "torn"),
    mutant("R1", "no acquire fence after the first look", "stream", "torn"),
    mutant("R2", "no acquire fence before the second look", "stream", "torn"),
    mutant("R3", "no second look", "stream", "torn"),
    mutant("R4", "any newer message accepted", "stream", "number"),
    mutant("R5", "a number of another slot believed", "forged", "foreign"),
    mutant("R6", "an older lap taken for a newer", "stream", "loss"),
    mutant("S1", "sequence words without the number", "stream", "number"),
    mutant("L1", "what is passed over not counted", "stream", "conservation"),
    mutant("C1", "closed relaxed", "close", "end"),
    mutant("C2", "dead relaxed", "unwind", "end"),
    mutant("E1", "no acquire fence after the state", "close", "end"),
    mutant("E2", "no acquire fence after the death", "unwind", "end"),
    mutant("E3", "no look after the end was seen", "close", "end"),
    mutant("E4", "the state not looked at again after the death", "close", "end"),
    mutant("J1", "the count believed at a join", "death", "join"),
    mutant("T1", "no acquire fence before the takeover looks", "handover", "end"),
    mutant("T2", "the epoch stored relaxed", "epoch", "restart"),
    mutant("T3", "a takeover does not mark its slot", "takeover", "torn"),
    mutant("T4", "a takeover counts a marked slot as published", "takeover", "next"),
    mutant("T5", "a takeover trusts the count", "takeover", "next"),
    mutant("W1", "no full fence after a message", "park", "wake"),
    mutant("W2", "the event changed relaxed", "park-close", "wake"),
    mutant("W3", "the flag cleared after the wake", "park", "wake"),
    mutant("B1", "no acquire fence after the event", "park", "wake"),
    mutant("B2", "no full fence after the flag", "park", "wake"),
    mutant("B3", "no look after the flag", "park", "wake"),
    mutant("B4", "the event read again after that look", "park", "wake"),
    mutant("B5", "no acquire fence after the event of a ring without a publisher", "absence", "wake"),
    mutant("V1", "no acquire fence after the epoch", "epoch", "restart"),
    mutant("V2", "the epoch not looked at after a message", "takeover", "restart"),
    mutant("V3", "the epoch not looked at in the last look", "takeover", "restart"),
];

/// A site that no model can tell from a weaker one.
#[derive(Clone, Copy, Debug)]
pub struct Unmodelled {
    /// The site's name in the source.
    pub site: &'static str,
    /// Why not.
    pub why: &'static str,
    /// The litmus tests that cover it.
    pub litmus: &'static [&'static str],
}

/// All of them.
pub const UNMODELLED: &[Unmodelled] = &[
    Unmodelled {
        site: "C3",
        why: "only a ring on disk is superseded, by another process that holds the kernel's lock: loom has neither",
        litmus: &["c11/supersede.litmus", "c11/supersede-C3-relaxed.litmus", "aarch64/supersede.litmus"],
    },
    Unmodelled {
        site: "I1",
        why: "a tool's look at a ring on disk: the kernel says whether its publisher lives",
        litmus: &["c11/death.litmus", "c11/death-E2-none.litmus", "aarch64/death.litmus"],
    },
    Unmodelled {
        site: "I2",
        why: "a tool's look at a ring on disk, the same as V1",
        litmus: &["c11/epoch.litmus", "c11/epoch-V1-none.litmus", "aarch64/epoch.litmus"],
    },
    Unmodelled {
        site: "W0",
        why: "it binds the compiler, which loom's source has behind it already; what it is half of is W1's pattern",
        litmus: &["c11/sleep.litmus", "c11/sleep-W1-none.litmus", "aarch64/sleep.litmus"],
    },
    Unmodelled {
        site: "W4",
        why: "the same, for who sleeps on the ring that is superseded",
        litmus: &["c11/wake.litmus", "c11/wake-W4-relaxed.litmus", "aarch64/wake.litmus"],
    },
];
