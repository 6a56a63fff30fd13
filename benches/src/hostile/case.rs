//! The attacks, the rings they are made on, and whether docs/reliability.md says that they can delay a publisher.

use std::path::Path;

use feed_ring::{Publisher, PublisherOptions, Subscriber, SubscriberOptions, WaitStrategy};

/// The messages: of 56 bytes, as in the report.
pub type Message = [u64; 7];

/// Where a ring is, and whom it admits.
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
    /// No attack: a subscriber that spins.
    Spinning,
    /// No attack: a subscriber that sleeps after each message.
    Sleeping,
    /// The sleepers' flag is set again as soon as it is cleared.
    Flag,
    /// Holes are punched into the control file.
    Holes,
    /// The control file is cut short and made longer again.
    Truncate,
    /// A hundred subscribers fall asleep after each message.
    Sleepers,
    /// The entries of all subscribers are locked and unlocked.
    Locks,
    /// Subscribers join and leave.
    Joins,
    /// `membarrier` in a loop. It needs no permission.
    Membarrier,
}

impl Attack {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Attack::Spinning => "a subscriber that spins",
            Attack::Sleeping => "a subscriber that sleeps",
            Attack::Flag => "sets the sleepers' flag",
            Attack::Holes => "punches holes into control",
            Attack::Truncate => "cuts control short",
            Attack::Sleepers => "100 subscribers that sleep",
            Attack::Locks => "locks all entries",
            Attack::Joins => "joins and leaves",
            Attack::Membarrier => "calls membarrier",
        }
    }
}

/// An attack on a ring.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// The ring.
    pub place: Place,
    /// The attack.
    pub attack: Attack,
    /// Whether the documentation says that it cannot delay the publisher.
    pub harmless: bool,
}

const fn harmless(place: Place, attack: Attack) -> Case {
    Case { place, attack, harmless: true }
}

const fn harmful(place: Place, attack: Attack) -> Case {
    Case { place, attack, harmless: false }
}

/// All cases.
pub const ALL: &[Case] = &[
    harmless(Place::Sealed, Attack::Spinning),
    harmless(Place::Sealed, Attack::Flag),
    harmless(Place::Sealed, Attack::Holes),
    harmless(Place::Sealed, Attack::Sleepers),
    harmless(Place::Sealed, Attack::Locks),
    harmless(Place::Sealed, Attack::Joins),
    harmless(Place::Sealed, Attack::Membarrier),
    harmless(Place::Admitting, Attack::Spinning),
    harmless(Place::Admitting, Attack::Flag),
    harmless(Place::Admitting, Attack::Holes),
    harmless(Place::Admitting, Attack::Truncate),
    harmless(Place::Admitting, Attack::Sleepers),
    harmless(Place::Admitting, Attack::Locks),
    harmless(Place::Admitting, Attack::Joins),
    harmless(Place::Admitting, Attack::Membarrier),
    harmless(Place::Own, Attack::Spinning),
    harmful(Place::Own, Attack::Sleeping),
    harmful(Place::Own, Attack::Sleepers),
    harmful(Place::Own, Attack::Flag),
    harmful(Place::Own, Attack::Holes),
    harmful(Place::Own, Attack::Membarrier),
];

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
        let options = Publisher::options("hostile").capacity(65_536);
        match self {
            Place::Own => options.root(directory),
            Place::Admitting => options.root(directory).mode(0o644),
            Place::Sealed => options.serve(directory.join("hostile")),
        }
    }

    /// A subscriber.
    pub fn subscriber(self, directory: &Path, wait: WaitStrategy) -> SubscriberOptions<Message> {
        let options = match self {
            Place::Sealed => Subscriber::connect(directory.join("hostile")),
            Place::Own | Place::Admitting => Subscriber::options("hostile").root(directory),
        };
        options.wait(wait)
    }
}
