//! The mutants. Each weakens exactly one site of the ring's source, and names the model and the oracle that fail then.
//!
//! A site is an ordering or a check with a name in the source (`fence("P1", …)`, `on("R3")`). A mutant makes an
//! ordering relaxed, leaves out a fence or a store, or lets a check pass.

/// One weakened site.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// The site's name in the source.
    pub site: &'static str,
    /// What the mutant changes.
    pub what: &'static str,
    /// The model that fails, and the oracle that notices.
    pub caught: (&'static str, &'static str),
}

const fn mutant(site: &'static str, what: &'static str, model: &'static str, oracle: &'static str) -> Mutant {
    Mutant { site, what, caught: (model, oracle) }
}

/// All mutants. tests/sites.rs compares the list with the source.
pub const ALL: &[Mutant] = &[
    mutant("P1", "no release fence between marker and payload", "stream", "torn"),
    mutant("P2", "the sequence published relaxed", "stream", "torn"),
    mutant("P3", "the marker not stored", "stream", "torn"),
    mutant("P4", "no release fence before the further lines", "lines", "torn"),
    mutant("P5", "a line's present value stored again relaxed", "ahead", "torn"),
    mutant("P6", "a slot owned ahead says it is empty", "ahead", "gap"),
    mutant("P7", "a slot owned ahead says a message of no ring", "base-ahead", "torn"),
    mutant("R1", "no acquire fence after the first look", "stream", "torn"),
    mutant("R2", "no acquire fence before the second look", "stream", "torn"),
    mutant("R3", "no second look", "stream", "torn"),
    mutant("R4", "any newer message accepted", "stream", "number"),
    mutant("R5", "a number of another slot believed", "forged", "foreign"),
    mutant("R6", "an older lap taken for a newer", "stream", "loss"),
    mutant("S1", "sequence words without the number", "stream", "number"),
    mutant("L1", "messages passed over not counted as lost", "stream", "conservation"),
    mutant("L2", "a count that no publisher can reach believed", "forged-count", "loss"),
    mutant("L3", "no margin after a loss", "wrap", "margin"),
    mutant("L4", "a margin where the ring begins", "base", "loss"),
    mutant("L5", "a message from before the ring waited for", "base", "gap"),
    mutant("L6", "a loss on the way to the newest not told", "latest", "conservation"),
    mutant("C1", "the close stored relaxed", "close", "end"),
    mutant("C2", "the death stored relaxed", "unwind", "end"),
    mutant("E1", "no acquire fence after the state", "close", "end"),
    mutant("E2", "no acquire fence after the death", "close", "end"),
    mutant("E3", "no look after the end was seen", "close", "end"),
    mutant("E4", "the state not looked at again after the death", "close", "end"),
    mutant("J1", "the count believed at a join", "death", "join"),
    mutant("J3", "a join at messages from before the ring", "base", "join"),
    mutant("T1", "no acquire fence before a takeover reads", "handover", "end"),
    mutant("E5", "an epoch without a message not told before its end", "end-takeover", "restart"),
    mutant("T2", "the epoch stored relaxed", "epoch", "restart"),
    mutant("T3", "a takeover does not mark its slot", "takeover", "torn"),
    mutant("T4", "a takeover counts a marked slot as published", "takeover", "next"),
    mutant("T5", "a takeover trusts the count", "takeover", "next"),
    mutant("T6", "a takeover believes a number of another slot", "forged-next", "next"),
    mutant("T7", "a takeover believes an unreachable number", "forged-next", "next"),
    mutant("T8", "the epoch's beginning stored relaxed", "restarts-overwritten", "restart"),
    mutant("T9", "the last record named relaxed by a takeover", "records-idle", "foreign"),
    mutant("W1", "no full fence after a message", "park", "wake"),
    mutant("W2", "the event changed relaxed", "park-close", "wake"),
    mutant("W3", "the flag cleared after the wake", "park", "wake"),
    mutant("W6", "a message announced by the count alone", "park-thread", "wake"),
    mutant("B1", "no acquire fence after the event", "park", "wake"),
    mutant("B2", "no full fence after the flag", "park", "wake"),
    mutant("B3", "no second look after the flag", "park", "wake"),
    mutant("B4", "the event read again after that look", "park", "wake"),
    mutant("B5", "no acquire fence after the event of a ring without a publisher", "absence", "wake"),
    mutant("B6", "the slot not looked at after the flag", "park", "wake"),
    mutant("B7", "the state not looked at after the flag", "park-close", "wake"),
    mutant("B8", "the epoch not looked at after the flag", "park-takeover", "wake"),
    mutant("B10", "the thread that wakes not told of a sleeper", "park-thread", "wake"),
    mutant("K1", "a copy not marked", "cell-lines", "torn"),
    mutant("K2", "the newest copy overwritten", "cell-death", "back"),
    mutant("K3", "no acquire fence after the copies' words", "cell-turn", "back"),
    mutant("K4", "a copy taken for unused without a second look", "cell-turn", "back"),
    mutant("K5", "the count of stores stored relaxed", "table-count", "stale"),
    mutant("K6", "the number of keys stored relaxed", "table-keys", "stale"),
    mutant("K7", "no acquire fence after the number of keys", "table-keys", "stale"),
    mutant("K8", "an entry of the log's next lap believed", "table-log", "stale"),
    mutant("K9", "no acquire fence after the end", "cell-park-close", "end"),
    mutant("K10", "no acquire fence after a death", "cell-park-close", "end"),
    mutant("K11", "the message before the row", "keyed", "state"),
    mutant("K12", "a message that was only stored not published", "keyed-takeover", "state"),
    mutant("K13", "no acquire fence before the table is copied", "keyed-lapped", "state"),
    mutant("K14", "a message dropped that the copied row does not have", "keyed", "state"),
    mutant("Q1", "the words of slots without the position", "records", "foreign"),
    mutant("Q2", "further slots not marked", "records-mixed", "torn"),
    mutant("Q3", "no release fence between marker and bytes", "records-long", "torn"),
    mutant("Q4", "the record published relaxed", "records", "torn"),
    mutant("Q5", "the slot behind a record not marked", "records-long", "torn"),
    mutant("Q6", "no release fence before the further lines", "records-lines", "torn"),
    mutant("Q7", "any record that begins there accepted", "records", "foreign"),
    mutant("Q8", "no acquire fence after the first look", "records", "torn"),
    mutant("Q9", "no acquire fence before the second look", "records-long", "torn"),
    mutant("Q11", "no second look", "records-long", "torn"),
    mutant("Q12", "another number or length accepted", "records-forged", "foreign"),
    mutant("Q13", "a position of another slot believed", "records-forged", "foreign"),
    mutant("Q14", "a number that cannot be believed", "records-forged", "join"),
    mutant("Q15", "no acquire fence after the last position", "records", "foreign"),
    mutant("Q16", "the last position stored relaxed", "records", "foreign"),
    mutant("Q17", "the last position believed at a join", "records-death", "join"),
    mutant("Q18", "no margin after a loss", "records-stale", "margin"),
    mutant("Q19", "no acquire fence after a loss", "records-behind", "foreign"),
    mutant("N1", "numbers passed over up to one that none reaches", "gap-forged", "foreign"),
    mutant("N2", "a number that was passed over waited for", "gap", "gap"),
    mutant("N3", "a join before numbers that were passed over", "gap-death", "join"),
    mutant("N4", "the newest looked for among numbers that were passed over", "gap-latest", "gap"),
    mutant("N5", "a takeover at a number that was passed over", "gap-death", "next"),
    mutant("N6", "what a killed publisher began to pass over left half written", "gap-death-laps", "next"),
    mutant("N7", "records passed over up to one that none reaches", "record-gap-forged", "foreign"),
    mutant("N8", "a record that was passed over waited for", "record-gap", "gap"),
    mutant("N9", "a join before records that were passed over", "record-gap-death", "join"),
    mutant("N10", "the newest not looked for before records that were passed over", "record-gap-latest", "gap"),
    mutant("N11", "a takeover at a record that was passed over", "record-gap-death", "next"),
    mutant("N12", "the number of a relay's record from its position", "record-gap", "foreign"),
    mutant("N13", "records passed over not counted", "record-gap-join", "join"),
    mutant("V1", "no acquire fence after the epoch", "epoch", "restart"),
    mutant("V2", "the epoch not looked at after a message", "takeover", "restart"),
    mutant("V3", "the epoch not looked at in the last look", "takeover", "restart"),
    mutant("V4", "latest skips past the start of an epoch", "latest-takeover", "restart"),
    mutant("V5", "an epoch that begins later reported now", "takeover", "restart"),
    mutant("V6", "the newest epoch taken for the message's", "takeover", "restart"),
    mutant("V7", "no acquire fence before latest reads the epoch", "latest-takeover", "restart"),
    mutant("V8", "no acquire fence before the epoch is looked at again", "restarts-overwritten", "restart"),
    mutant("V9", "beginnings believed that may be overwritten", "restarts-overwritten", "restart"),
    mutant("V10", "unknown epochs passed over", "restarts", "restart"),
];

/// A site whose mutants no model can catch.
#[derive(Clone, Copy, Debug)]
pub struct Unmodelled {
    /// The site's name in the source.
    pub site: &'static str,
    /// The reason.
    pub why: &'static str,
    /// What covers it instead: litmus tests, or `FILE::TEST` of the ring.
    pub covered: &'static [&'static str],
}

const GUARD: &str = "it uses std's atomics, mappings and a signal handler: loom has none of these";

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

/// All sites without a model.
pub const UNMODELLED: &[Unmodelled] = &[
    Unmodelled {
        site: "J2",
        why: "without it a count near 2^64 overflows, which is a panic or an empty search but no wrong answer",
        covered: &["ring/tests/hostile.rs::damaged_segments_end_in_a_value_or_an_error"],
    },
    Unmodelled {
        site: "Q10",
        why: "a length that is not bounded makes a copy of up to 16 MiB, which the check of the length then throws away (Q12)",
        covered: &["ring/tests/hostile_records.rs::a_forged_length_is_not_copied"],
    },
    Unmodelled {
        site: "B9",
        why: "a subscriber counts such a message as lost before it would sleep (L5), so only a notifier can wait for \
              one: loom does not see its thread, which is of the standard library",
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
        why: "tools inspect rings on disk only, and ask the kernel whether the publisher lives",
        covered: &["c11/death.litmus", "c11/death-E2-none.litmus", "aarch64/death.litmus"],
    },
    Unmodelled {
        site: "W0",
        why: "it is a fence for the compiler only, which loom cannot see; litmus tests check the same pattern as for W1",
        covered: &["c11/sleep.litmus", "c11/sleep-W1-none.litmus", "aarch64/sleep.litmus"],
    },
    Unmodelled {
        site: "W4",
        why: "as C3, for a subscriber that sleeps on the superseded ring",
        covered: &["c11/wake.litmus", "c11/wake-W4-relaxed.litmus", "aarch64/wake.litmus"],
    },
    Unmodelled {
        site: "W5",
        why: "loom lets the sleeper's acquire fence B1 stand for loads of the thread that come before it",
        covered: &["c11/announce.litmus", "c11/announce-W5-none.litmus", "aarch64/announce.litmus"],
    },
];
