//! The attacks, the rings and tables they are made on, and whether docs/reliability.md says that they can delay a publisher.

use std::path::Path;

use feed_ring::table::Table;
use feed_ring::{Publisher, PublisherOptions, Subscriber, SubscriberOptions, TableReader, TableWriter, WaitStrategy};

/// The messages, and the values of rows: of 56 bytes, as in the report.
pub type Message = [u64; 7];

/// The name of the ring or the table.
const NAME: &str = "hostile";

/// The key of the row that is stored and read.
pub const KEY: u64 = 7;

/// What is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A ring: a publish is measured.
    Ring,
    /// A table: a store into a row is measured.
    Table,
}

/// Where a ring or a table is, and whom it admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On disk, for its own user.
    Own,
    /// On disk, readable for everybody.
    Admitting,
    /// Behind a socket.
    Sealed,
}

/// What is done beside the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attack {
    /// No attack: a process that does not know of the ring keeps the other core busy. What it costs, the ring cannot spare.
    Counting,
    /// No attack: a subscriber that spins, or a reader.
    Spinning,
    /// No attack: a subscriber or a reader that sleeps after each message.
    Sleeping,
    /// The sleepers' flag is set again as soon as it is cleared.
    Flag,
    /// Holes are punched into the control file.
    Holes,
    /// The control file is cut short and made longer again.
    Truncate,
    /// A hundred subscribers or readers fall asleep after each message.
    Sleepers,
    /// The entries of all subscribers or readers are locked and unlocked.
    Locks,
    /// Subscribers or readers join and leave.
    Joins,
    /// `membarrier` in a loop. It needs no permission.
    Membarrier,
}

impl Attack {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Attack::Counting => "a process that counts",
            Attack::Spinning => "a reader that spins",
            Attack::Sleeping => "a reader that sleeps",
            Attack::Flag => "sets the sleepers' flag",
            Attack::Holes => "punches holes into control",
            Attack::Truncate => "cuts control short",
            Attack::Sleepers => "100 readers that sleep",
            Attack::Locks => "locks all entries",
            Attack::Joins => "joins and leaves",
            Attack::Membarrier => "calls membarrier",
        }
    }
}

/// An attack on a ring or a table.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What is published to.
    pub target: Target,
    /// Where that is.
    pub place: Place,
    /// The attack.
    pub attack: Attack,
    /// Whether the documentation says that it cannot delay the publisher.
    pub harmless: bool,
}

impl Case {
    /// Whether a publisher that nobody reads does the same on the other: on a ring or table that other users may read, a thread wakes.
    pub fn is_like(&self, other: &Case) -> bool {
        (self.target, self.place == Place::Own) == (other.target, other.place == Place::Own)
    }
}

const fn harmless(place: Place, attack: Attack) -> Case {
    Case { target: Target::Ring, place, attack, harmless: true }
}

const fn harmful(place: Place, attack: Attack) -> Case {
    Case { target: Target::Ring, place, attack, harmless: false }
}

const fn on_table(case: Case) -> Case {
    Case { target: Target::Table, ..case }
}

/// All cases.
pub const ALL: &[Case] = &[
    harmless(Place::Sealed, Attack::Counting),
    harmless(Place::Sealed, Attack::Spinning),
    harmless(Place::Sealed, Attack::Flag),
    harmless(Place::Sealed, Attack::Holes),
    harmless(Place::Sealed, Attack::Sleepers),
    harmless(Place::Sealed, Attack::Locks),
    harmless(Place::Sealed, Attack::Joins),
    harmless(Place::Sealed, Attack::Membarrier),
    harmless(Place::Admitting, Attack::Counting),
    harmless(Place::Admitting, Attack::Spinning),
    harmless(Place::Admitting, Attack::Flag),
    harmless(Place::Admitting, Attack::Holes),
    harmless(Place::Admitting, Attack::Truncate),
    harmless(Place::Admitting, Attack::Sleepers),
    harmless(Place::Admitting, Attack::Locks),
    harmless(Place::Admitting, Attack::Joins),
    harmless(Place::Admitting, Attack::Membarrier),
    harmless(Place::Own, Attack::Counting),
    harmless(Place::Own, Attack::Spinning),
    harmful(Place::Own, Attack::Sleeping),
    harmful(Place::Own, Attack::Sleepers),
    harmful(Place::Own, Attack::Flag),
    harmful(Place::Own, Attack::Holes),
    harmful(Place::Own, Attack::Membarrier),
    on_table(harmless(Place::Sealed, Attack::Counting)),
    // Readers take the cache lines that a store needs.
    on_table(harmful(Place::Sealed, Attack::Spinning)),
    on_table(harmless(Place::Sealed, Attack::Flag)),
    on_table(harmful(Place::Sealed, Attack::Sleepers)),
    on_table(harmful(Place::Admitting, Attack::Spinning)),
    on_table(harmless(Place::Admitting, Attack::Flag)),
    on_table(harmless(Place::Admitting, Attack::Truncate)),
    on_table(harmful(Place::Admitting, Attack::Sleepers)),
    on_table(harmful(Place::Own, Attack::Spinning)),
    on_table(harmful(Place::Own, Attack::Flag)),
];

impl Target {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Target::Ring => "ring",
            Target::Table => "table",
        }
    }
}

impl Place {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Own => "on disk, 0600",
            Place::Admitting => "on disk, 0644",
            Place::Sealed => "sealed",
        }
    }

    /// A publisher with the defaults of such a ring.
    pub fn publisher(self, directory: &Path) -> PublisherOptions<Message> {
        self.made(Publisher::options(NAME).capacity(65_536), directory)
    }

    /// A writer with the defaults of such a table.
    pub fn writer(self, directory: &Path) -> PublisherOptions<Table<u64, Message>> {
        self.made(TableWriter::options(NAME), directory)
    }

    /// A subscriber.
    pub fn subscriber(self, directory: &Path, wait: WaitStrategy) -> SubscriberOptions<Message> {
        let options = match self {
            Place::Sealed => Subscriber::connect(directory.join(NAME)),
            Place::Own | Place::Admitting => Subscriber::options(NAME).root(directory),
        };
        options.wait(wait)
    }

    /// A reader.
    pub fn reader(self, directory: &Path, wait: WaitStrategy) -> SubscriberOptions<Table<u64, Message>> {
        let options = match self {
            Place::Sealed => TableReader::connect(directory.join(NAME)),
            Place::Own | Place::Admitting => TableReader::options(NAME).root(directory),
        };
        options.wait(wait)
    }

    fn made<T>(self, options: PublisherOptions<T>, directory: &Path) -> PublisherOptions<T> {
        match self {
            Place::Own => options.root(directory),
            Place::Admitting => options.root(directory).mode(0o644),
            Place::Sealed => options.serve(directory.join(NAME)),
        }
    }
}
