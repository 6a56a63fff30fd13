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
    mutant("P6", "a slot owned ahead becomes empty", "ahead", "gap"),
    mutant("P7", "a slot owned ahead says what never was there", "base-ahead", "torn"),
    mutant("R1", "no acquire fence after the first look", "stream", "torn"),
    mutant("R2", "no acquire fence before the second look", "stream", "torn"),
    mutant("R3", "no second look", "stream", "torn"),
    mutant("R4", "any newer message accepted", "stream", "number"),
    mutant("R5", "a number of another slot believed", "forged", "foreign"),
    mutant("R6", "an older lap taken for a newer", "stream", "loss"),
    mutant("S1", "sequence words without the number", "stream", "number"),
    mutant("L1", "what is passed over not counted", "stream", "conservation"),
    mutant("L2", "a count that cannot be believed", "forged-count", "loss"),
    mutant("L3", "no margin after a loss", "wrap", "margin"),
    mutant("L4", "a margin where the ring begins", "base", "loss"),
    mutant("L5", "a message from before the ring waited for", "base", "gap"),
    mutant("L6", "a loss on the way to the newest not told", "latest", "conservation"),
    mutant("C1", "closed relaxed", "close", "end"),
    mutant("C2", "dead relaxed", "unwind", "end"),
    mutant("E1", "no acquire fence after the state", "close", "end"),
    mutant("E2", "no acquire fence after the death", "unwind", "end"),
    mutant("E3", "no look after the end was seen", "close", "end"),
    mutant("E4", "the state not looked at again after the death", "close", "end"),
    mutant("J1", "the count believed at a join", "death", "join"),
    mutant("J3", "a join at messages from before the ring", "base", "join"),
    mutant("E5", "an epoch without a message not told before its end", "end-takeover", "restart"),
    mutant("J4", "no acquire fence between a join's count and its epoch", "join-takeover", "restart"),
    mutant("T1", "no acquire fence before the takeover looks", "handover", "end"),
    mutant("T2", "the epoch stored relaxed", "epoch", "restart"),
    mutant("T3", "a takeover does not mark its slot", "takeover", "torn"),
    mutant("T4", "a takeover counts a marked slot as published", "takeover", "next"),
    mutant("T5", "a takeover trusts the count", "takeover", "next"),
    mutant("T6", "a takeover believes a number of another slot", "forged-next", "next"),
    mutant("T7", "a takeover believes a number beyond all", "forged-next", "next"),
    mutant("T8", "the epoch's beginning stored relaxed", "restarts-overwritten", "restart"),
    mutant("W1", "no full fence after a message", "park", "wake"),
    mutant("W2", "the event changed relaxed", "park-close", "wake"),
    mutant("W3", "the flag cleared after the wake", "park", "wake"),
    mutant("B1", "no acquire fence after the event", "park", "wake"),
    mutant("B2", "no full fence after the flag", "park", "wake"),
    mutant("B3", "no look after the flag", "park", "wake"),
    mutant("B4", "the event read again after that look", "park", "wake"),
    mutant("B5", "no acquire fence after the event of a ring without a publisher", "absence", "wake"),
    mutant("B6", "the slot not looked at after the flag", "park", "wake"),
    mutant("B7", "the state not looked at after the flag", "park-close", "wake"),
    mutant("B8", "the epoch not looked at after the flag", "park-takeover", "wake"),
    mutant("V1", "no acquire fence after the epoch", "epoch", "restart"),
    mutant("V2", "the epoch not looked at after a message", "takeover", "restart"),
    mutant("V3", "the epoch not looked at in the last look", "takeover", "restart"),
    mutant("V4", "the newest asked for, past an epoch's start", "latest-takeover", "restart"),
    mutant("V5", "an epoch that begins later told of now", "takeover", "restart"),
    mutant("V6", "the newest epoch taken for the message's", "takeover", "restart"),
    mutant("V7", "no acquire fence before the epoch of the newest", "latest-takeover", "restart"),
    mutant("V8", "no acquire fence before the epoch is looked at again", "restarts-overwritten", "restart"),
    mutant("V9", "beginnings believed that may be overwritten", "restarts-overwritten", "restart"),
    mutant("V10", "unknown epochs passed over", "restarts", "restart"),
];

/// A site that no model can tell from a weaker one.
#[derive(Clone, Copy, Debug)]
pub struct Unmodelled {
    /// The site's name in the source.
    pub site: &'static str,
    /// Why not.
    pub why: &'static str,
    /// What covers it instead: litmus tests, or for a check `FILE::TEST` of the ring.
    pub covered: &'static [&'static str],
}

const GUARD: &str = "std's atomics, over mappings, read in a signal handler: loom has none of these";

const GUARD_FIND: &[&str] = &[
    "c11/guard-find.litmus",
    "c11/guard-find-G4-none.litmus",
    "c11/guard-find-G5-relaxed.litmus",
    "c11/guard-find-G8-relaxed.litmus",
    "c11/guard-find-G9-none.litmus",
    "aarch64/guard-find.litmus",
    "aarch64/guard-find-G4-none.litmus",
    "aarch64/guard-find-G5-relaxed.litmus",
    "aarch64/guard-find-G8-relaxed.litmus",
    "aarch64/guard-find-G9-none.litmus",
];

const GUARD_REUSE: &[&str] = &[
    "c11/guard-reuse.litmus",
    "c11/guard-reuse-G3-relaxed.litmus",
    "c11/guard-reuse-G6-G7-relaxed.litmus",
    "aarch64/guard-reuse.litmus",
    "aarch64/guard-reuse-G3-relaxed.litmus",
    "aarch64/guard-reuse-G6-G7-relaxed.litmus",
];

const GUARD_PREVIOUS: &[&str] = &[
    "c11/guard-previous.litmus",
    "c11/guard-previous-G1-relaxed.litmus",
    "c11/guard-previous-G2-relaxed.litmus",
    "aarch64/guard-previous.litmus",
    "aarch64/guard-previous-G1-relaxed.litmus",
    "aarch64/guard-previous-G2-relaxed.litmus",
];

/// All of them.
pub const UNMODELLED: &[Unmodelled] = &[
    Unmodelled {
        site: "J2",
        why: "without it a count near 2^64 overflows, which is a panic or an empty search but no wrong answer",
        covered: &["ring/tests/hostile.rs::damaged_segments_end_in_a_value_or_an_error"],
    },
    Unmodelled {
        site: "B9",
        why: "a subscriber counts such a message as lost before it would sleep (L5): only a notifier, whose thread is of the \
              standard library's, can wait for one",
        covered: &["ring/tests/notifier.rs::a_message_from_before_the_ring_makes_it_readable"],
    },
    Unmodelled { site: "G1", why: GUARD, covered: GUARD_PREVIOUS },
    Unmodelled { site: "G2", why: GUARD, covered: GUARD_PREVIOUS },
    Unmodelled { site: "G3", why: GUARD, covered: GUARD_REUSE },
    Unmodelled { site: "G4", why: GUARD, covered: GUARD_FIND },
    Unmodelled { site: "G5", why: GUARD, covered: GUARD_FIND },
    Unmodelled { site: "G6", why: GUARD, covered: GUARD_REUSE },
    Unmodelled { site: "G7", why: GUARD, covered: GUARD_REUSE },
    Unmodelled { site: "G8", why: GUARD, covered: GUARD_FIND },
    Unmodelled { site: "G9", why: GUARD, covered: GUARD_FIND },
    Unmodelled {
        site: "G10",
        why: "the kernel orders the mark and the zeros: see docs/protocol.md",
        covered: &["ring/tests/guard.rs::nothing_but_whole_messages_is_ever_read"],
    },
    Unmodelled {
        site: "G11",
        why: "as G10",
        covered: &["ring/tests/guard.rs::nothing_but_whole_messages_is_ever_read"],
    },
    Unmodelled {
        site: "C3",
        why: "only a ring on disk is superseded, by another process that holds the kernel's lock: loom has neither",
        covered: &["c11/supersede.litmus", "c11/supersede-C3-relaxed.litmus", "aarch64/supersede.litmus"],
    },
    Unmodelled {
        site: "I1",
        why: "a tool's look at a ring on disk: the kernel says whether its publisher lives",
        covered: &["c11/death.litmus", "c11/death-E2-none.litmus", "aarch64/death.litmus"],
    },
    Unmodelled {
        site: "W0",
        why: "it binds the compiler, which loom's source has behind it already; what it is half of is W1's pattern",
        covered: &["c11/sleep.litmus", "c11/sleep-W1-none.litmus", "aarch64/sleep.litmus"],
    },
    Unmodelled {
        site: "W4",
        why: "as C3, for who sleeps on the ring that is superseded",
        covered: &["c11/wake.litmus", "c11/wake-W4-relaxed.litmus", "aarch64/wake.litmus"],
    },
];
