//! The models: small programs that use the ring's production source. Loom explores each of them completely.
//!
//! A model with two slots, messages of two words and one reader catches every mutant of the slot protocol. More of
//! anything multiplies the executions. Each other model adds one more guarantee. To add a model, write the function and
//! name it in [`ALL`]; the runner, the mutants and the table use that list.

use crate::explore::{Bound, LIMIT};

mod bases;
mod ending;
mod faults;
mod gaps;
mod joins;
mod keyed;
mod parking;
mod record_gaps;
mod records;
mod rows;
mod shapes;
mod stream;

/// A model and how to run it.
pub struct Model {
    /// The name that mutants and the command line use.
    pub name: &'static str,
    /// What it does, in a few words.
    pub about: &'static str,
    /// The bound on preemptions. `None` for no bound.
    pub preemptions: Option<usize>,
    /// What its subscribers must meet in some execution, or else the model proves nothing: `M`essage, `e`mpty,
    /// `L`agged, `C`losed, `D`ead, `R`estarted, restarts `U`nknown, `O`vertaken, `z` for having slept.
    pub meets: &'static str,
    /// Whether only `make loom-deep` runs it.
    pub deep: bool,
    /// Whether it runs once for each store, with a fault at that store.
    pub every_store: bool,
    /// The model. Its argument is the store at which its fault occurs, if it has one.
    pub run: fn(usize),
}

impl Model {
    const fn new(name: &'static str, meets: &'static str, about: &'static str, run: fn(usize)) -> Self {
        Model { name, about, preemptions: None, meets, deep: false, every_store: false, run }
    }

    const fn preemptions(self, preemptions: usize) -> Self {
        Model { preemptions: Some(preemptions), ..self }
    }

    const fn deep(self) -> Self {
        Model { deep: true, ..self }
    }

    const fn every_store(self) -> Self {
        Model { every_store: true, ..self }
    }

    /// How far it is explored.
    pub fn bound(&self) -> Bound {
        Bound { preemptions: self.preemptions, executions: LIMIT }
    }
}

/// All models.
pub const ALL: &[Model] = &[
    Model::new("small", "MeL", "2 slots, 2 messages of 2 words in one line, 2 reads", stream::run::<2, 2, 2, 2>),
    Model::new("stream", "MeL", "the same with 3 messages", stream::run::<2, 2, 3, 2>).preemptions(3),
    Model::new("stream-3", "MeL", "and with 3 reads", stream::run::<2, 2, 3, 3>).preemptions(3),
    Model::new("lines", "MeL", "2 slots, 3 messages of 3 words in two lines, 2 reads", stream::run::<3, 2, 3, 2>)
        .preemptions(2),
    Model::new("ahead", "MeL", "2 slots, 3 messages, lines owned two ahead, 2 reads", stream::ahead::<2, 2, 3, 2>)
        .preemptions(2),
    Model::new("ahead-lines", "MeL", "2 slots, 3 messages in two lines, the same", stream::ahead::<3, 2, 3, 2>)
        .preemptions(1),
    Model::new("wrap", "MeL", "4 slots, 6 messages of 1 word, 2 reads", stream::run::<1, 4, 6, 2>).preemptions(2),
    Model::new("two", "MeL", "2 slots, 2 messages, 2 subscribers with 2 reads each", stream::two::<2, 2>)
        .preemptions(2),
    Model::new("batch", "MeL", "2 slots, a batch of 3 messages, 2 reads of 2", shapes::batch).preemptions(2),
    Model::new("latest", "Me", "2 slots, 3 messages, newest asked for twice", shapes::latest).preemptions(1),
    Model::new("wait", "MLC", "2 slots, 2 messages, blocking receive", shapes::wait).preemptions(3),
    Model::new("join-oldest", "MeL", "joins at the oldest of a running ring", joins::oldest).preemptions(2),
    Model::new("join-latest", "MeL", "joins behind the newest of a running ring", joins::latest).preemptions(2),
    Model::new("join-sequence", "MeL", "joins at sequence 1 of a running ring", joins::sequence).preemptions(2),
    Model::new("close", "MeLC", "2 messages, then a close; read to the end", ending::close).preemptions(3),
    Model::new("unwind", "MeLD", "2 messages, then a panic; read to the end", ending::unwind).preemptions(3),
    Model::new("death", "MeL", "killed at every store; one reads on, one joins", faults::death)
        .preemptions(2)
        .every_store(),
    Model::new("takeover", "MeLDR", "killed at every store, another goes on; 2 reads", faults::takeover::<2>)
        .preemptions(1)
        .every_store(),
    Model::new(
        "ahead-takeover",
        "MeLDR",
        "the same with lines owned two ahead; 1 read",
        faults::takeover_ahead::<2, 1>,
    )
    .preemptions(1)
    .every_store(),
    Model::new("lines-takeover", "MeLDR", "the same in two lines", faults::takeover_ahead::<3, 1>)
        .preemptions(1)
        .every_store(),
    Model::new("takeover-owns", "Me", "lines of the one before owned two ahead; 2 reads", faults::takeover_owns)
        .preemptions(2),
    Model::new("takeover-twice", "eLDR", "killed at every store of a takeover; 1 read", faults::takeover_twice::<1>)
        .preemptions(1)
        .every_store(),
    Model::new("batch-takeover", "MeDR", "killed at every store of a batch; 1 read of 3", faults::takeover_batch)
        .preemptions(2)
        .every_store(),
    Model::new("latest-takeover", "MeR", "a takeover by 2 messages, newest asked for", faults::takeover_latest)
        .preemptions(1),
    Model::new("join-takeover", "MeLDR", "joins during a takeover, in each way; 2 reads", faults::takeover_join)
        .preemptions(1)
        .every_store(),
    Model::new("epoch", "eDR", "a takeover that publishes nothing, 2 reads", faults::epoch).preemptions(3),
    Model::new(
        "restarts",
        "MeDRU",
        "4 publishers of a message each, as two are known; 2 reads",
        faults::restarts::<4, 2>,
    )
    .preemptions(1),
    Model::new("restarts-join", "MU", "the same for one that joins meanwhile", faults::restarts_join).preemptions(1),
    Model::new(
        "restarts-overwritten",
        "MRU",
        "5 publishers while the beginnings are read; 1 read",
        faults::restarts_overwritten,
    )
    .preemptions(1),
    Model::new(
        "end-takeover",
        "eCR",
        "a takeover that publishes nothing and closes, 2 reads",
        faults::end_takeover_unused,
    )
    .preemptions(2),
    Model::new("handover", "", "a close on one thread, a takeover on another", faults::handover).preemptions(3),
    Model::new("park", "MLz", "2 messages for a subscriber that sleeps", parking::message).preemptions(4),
    Model::new("park-thread", "Mz", "a message for a sleeper that a thread wakes", parking::message_by_thread)
        .preemptions(2),
    Model::new("park-thread-close", "Cz", "a close for a sleeper that a thread wakes", parking::close_by_thread)
        .preemptions(1),
    Model::new("park-thread-leave", "MDz", "a message, then a leave, for the same", parking::leave_by_thread)
        .preemptions(1),
    Model::new("park-close", "Cz", "a close for a subscriber that sleeps", parking::close).preemptions(2),
    Model::new("park-unwind", "Dz", "a panic for a subscriber that sleeps", parking::unwind).preemptions(2),
    Model::new("park-takeover", "DRz", "a takeover for a subscriber that sleeps", parking::takeover).preemptions(1),
    Model::new("park-handover", "MDRz", "a panic, and a takeover on another thread", parking::unwind_takeover)
        .preemptions(2),
    Model::new("absence", "Rz", "a takeover for one that waits for a publisher", parking::await_publisher)
        .preemptions(3),
    Model::new("cell", "Me", "a cell of 2 words, 2 stores, 2 reads", rows::cell::<2, 2, 2>).preemptions(3),
    Model::new("cell-turn", "MO", "the same with 3 stores of 1 word", rows::cell::<1, 3, 2>).preemptions(3),
    Model::new("cell-lines", "MeO", "a cell of 3 words in two lines, 3 stores, 2 reads", rows::cell::<3, 3, 2>)
        .preemptions(2),
    Model::new("cell-death", "M", "its writer killed at every store", rows::death).preemptions(2).every_store(),
    Model::new("cell-takeover", "M", "the same, and another goes on", rows::takeover).preemptions(2).every_store(),
    Model::new("cell-handover", "M", "a close on one thread, a takeover on another", rows::handover).preemptions(3),
    Model::new("table-count", "M", "2 rows, 2 stores; changes asked for", rows::count::<2>).preemptions(3),
    Model::new("table-log", "M", "2 rows, 4 stores over a log of 2; the same", rows::count::<4>).preemptions(2),
    Model::new("table-keys", "Me", "2 keys added while they are looked for", rows::keys).preemptions(3),
    Model::new("cell-park", "Mz", "a store for a reader that sleeps", rows::park_store).preemptions(3),
    Model::new("cell-park-thread", "Mz", "a store for a sleeper that a thread wakes", rows::park_thread).preemptions(2),
    Model::new("cell-park-close", "Mz", "a store and a close for a reader that sleeps", rows::park_close)
        .preemptions(2),
    Model::new("cell-park-unwind", "Mz", "a store and a panic for a reader that sleeps", rows::park_unwind)
        .preemptions(2),
    Model::new("keyed", "M", "2 messages beside one that joins late and copies the table", keyed::joins).preemptions(2),
    Model::new("keyed-lapped", "L", "2 slots, 2 messages; one that was lapped copies the table", keyed::lapped)
        .preemptions(3),
    Model::new("keyed-takeover", "MR", "killed at every store, another takes both over", keyed::takeover)
        .preemptions(1)
        .every_store(),
    Model::new("forged", "", "each store in turn says 8, which belongs into another slot", faults::forged)
        .every_store(),
    Model::new("forged-count", "L", "the count says 2^64 - 1", faults::forged_count),
    Model::new("forged-next", "", "a slot says 8, or 2^64 - 2, and another publisher goes on", faults::forged_takeover)
        .every_store(),
    Model::new("base", "MeL", "4 slots from message 3 on; joins at 1", bases::before).preemptions(3),
    Model::new("base-ahead", "MeL", "the same with lines owned two ahead", bases::ahead).preemptions(3),
    Model::new("gap", "MeL", "4 slots, a message, 2 numbers passed over, a message; 2 reads", gaps::pass_over::<4, 2>)
        .preemptions(2),
    Model::new("gap-lap", "MeL", "2 slots, the same with 3 numbers, more than a lap", gaps::pass_over::<2, 3>)
        .preemptions(2),
    Model::new("gap-over", "ML", "2 slots, a number passed over, 2 messages; 2 reads", gaps::overwritten)
        .preemptions(3),
    Model::new("gap-latest", "M", "2 numbers passed over while the newest is asked for", gaps::latest).preemptions(2),
    Model::new("gap-death", "MeL", "killed at every store of passing over 2; another goes on", gaps::death::<4, 2>)
        .preemptions(1)
        .every_store(),
    Model::new("gap-death-lap", "MeL", "the same with 3 numbers in 2 slots", gaps::death::<2, 3>)
        .preemptions(1)
        .every_store(),
    Model::new("gap-death-laps", "MeL", "the same with 4 numbers, two laps", gaps::death::<2, 4>)
        .preemptions(1)
        .every_store(),
    Model::new("relay", "MeL", "killed at every store, another goes on in the same epoch; 2 reads", gaps::goes_on)
        .preemptions(1)
        .every_store(),
    Model::new("relay-epochs", "MeR", "3 epochs begin while the publisher lives; 2 reads", gaps::epochs).preemptions(2),
    Model::new("gap-forged", "", "what was passed over ends before it began, or nowhere", gaps::forged).every_store(),
    Model::new("straddling", "MeL", "2 slots, 3 messages, one word in three across a boundary", faults::straddling)
        .preemptions(1)
        .every_store(),
    Model::new("records", "MeL", "2 slots, 3 records, 1 read", records::short).preemptions(2),
    Model::new("records-long", "ML", "4 slots, 3 records of two slots, 1 read", records::long).preemptions(1),
    Model::new("records-mixed", "ML", "4 slots, records of 1, 1, 1 and 2 slots, 1 read", records::mixed).preemptions(1),
    Model::new("records-stale", "ML", "the same behind one that was read", records::stale).preemptions(2),
    Model::new("records-behind", "ML", "the same of which it knows nothing", records::behind).preemptions(1),
    Model::new("records-lines", "Me", "2 slots of two lines, 2 records, 1 read", records::lines).preemptions(2),
    Model::new("records-latest", "M", "4 slots, 3 records, the newest asked for", records::latest).preemptions(1),
    Model::new("records-join", "MeL", "joins beside a record, in each way", records::join).preemptions(2).every_store(),
    Model::new("records-close", "MC", "2 records, then a close; read to the end", records::close).preemptions(1),
    Model::new("records-unwind", "MD", "2 records, then a panic; read to the end", records::unwind).preemptions(1),
    Model::new("records-death", "Me", "killed at every store; one reads on, one joins", records::death)
        .preemptions(2)
        .every_store(),
    Model::new("records-small", "Me", "the same with 2 slots", records::death_small).preemptions(1).every_store(),
    Model::new("records-takeover", "ML", "killed at every store, another goes on; 1 read", records::takeover)
        .preemptions(1)
        .every_store(),
    Model::new("records-twice", "M", "killed at every store of a takeover; 1 read", records::takeover_twice)
        .preemptions(1)
        .every_store(),
    Model::new("records-newest", "R", "a takeover by 2 records, newest asked for", records::takeover_latest)
        .preemptions(1),
    Model::new("records-idle", "MeR", "joins beside a takeover that publishes nothing", records::taken_idle)
        .preemptions(1),
    Model::new("records-rejoin", "ML", "joins during a takeover, in each way; 1 read", records::takeover_join::<1>)
        .preemptions(1)
        .every_store(),
    Model::new("records-park", "Mz", "a record for a subscriber that sleeps", records::park_next).preemptions(2),
    Model::new("records-later", "Mz", "a later record for one that sleeps", records::park_later).preemptions(1),
    Model::new("records-thread", "Mz", "a record for a sleeper that a thread wakes", records::park_thread)
        .preemptions(1),
    Model::new("records-forged", "", "a store says what no publisher stores", records::forged).every_store(),
    Model::new(
        "record-gap",
        "MeL",
        "4 slots, a record, 2 numbers passed over, a record; 2 reads",
        record_gaps::pass_over,
    )
    .preemptions(2),
    Model::new("record-gap-over", "ML", "2 slots, 2 numbers passed over, 2 records; 2 reads", record_gaps::overwritten)
        .preemptions(2),
    Model::new("record-gap-join", "MeL", "joins beside numbers passed over, in each way", record_gaps::join)
        .preemptions(2)
        .every_store(),
    Model::new("record-gap-latest", "M", "2 numbers passed over while the newest is asked for", record_gaps::latest)
        .preemptions(2),
    Model::new(
        "record-gap-death",
        "MeL",
        "killed at every store of passing over 2; another goes on",
        record_gaps::death::<4>,
    )
    .preemptions(1)
    .every_store(),
    Model::new("record-gap-small", "MeL", "the same with 2 slots", record_gaps::death::<2>)
        .preemptions(1)
        .every_store(),
    Model::new("record-relay", "MeL", "killed at every store behind a gap, another goes on", record_gaps::goes_on)
        .preemptions(1)
        .every_store(),
    Model::new("record-gap-park", "Lz", "2 numbers passed over for a subscriber that sleeps", record_gaps::park)
        .preemptions(2),
    Model::new("record-gap-thread", "Lz", "the same for one that a thread wakes", record_gaps::park_thread)
        .preemptions(1),
    Model::new("record-gap-forged", "", "what was passed over ends before it began, or nowhere", record_gaps::forged)
        .every_store(),
    Model::new("records-base", "ML", "a ring from record 3 on; joins at 1", records::base).preemptions(2),
    Model::new("deep-takeover", "MeLDR", "killed at every store, another goes on; 2 reads", faults::takeover::<2>)
        .preemptions(2)
        .every_store()
        .deep(),
    Model::new("deep-twice", "MeLDR", "killed at every store of a takeover; 2 reads", faults::takeover_twice::<2>)
        .preemptions(1)
        .every_store()
        .deep(),
    Model::new("deep-join", "MeLDR", "joins during a takeover, in each way; 2 reads", faults::takeover_join)
        .preemptions(2)
        .every_store()
        .deep(),
    Model::new("deep-4-3", "MeL", "2 slots, 4 messages, 3 reads", stream::run::<2, 2, 4, 3>).preemptions(3).deep(),
    Model::new("deep-3-2", "MeL", "2 slots, 3 messages, 2 reads, no bound", stream::run::<2, 2, 3, 2>).deep(),
    Model::new("deep-lines", "MeL", "2 slots, 3 messages in two lines, 3 reads", stream::run::<3, 2, 3, 3>)
        .preemptions(3)
        .deep(),
    Model::new(
        "deep-ahead",
        "MeL",
        "4 slots, 6 messages in two lines, two ahead, 2 reads",
        stream::ahead::<3, 4, 6, 2>,
    )
    .preemptions(2)
    .deep(),
    Model::new("deep-wrap", "MeL", "4 slots, 6 messages, 3 reads", stream::run::<2, 4, 6, 3>).preemptions(3).deep(),
    Model::new("deep-records", "MeL", "2 slots, 3 records, 2 reads", records::short_twice).preemptions(2).deep(),
    Model::new("deep-records-long", "ML", "4 slots, 3 records of two slots, 1 read", records::long)
        .preemptions(2)
        .deep(),
    Model::new("deep-records-rejoin", "MeLR", "joins during a takeover; 2 reads", records::takeover_join::<2>)
        .preemptions(1)
        .every_store()
        .deep(),
    Model::new("deep-two", "MeL", "2 slots, 2 messages, 2 subscribers", stream::two::<2, 2>).preemptions(3).deep(),
];

/// The model with this name.
pub fn named(name: &str) -> Option<&'static Model> {
    ALL.iter().find(|model| model.name == name)
}
