//! What is received through: a ring of messages, one with its table, or a ring of records, each followed under its name.

use std::time::Duration;

use feed::Message;
use feed::board::{self, Row};
use feed::records::Encoding;
use feed_ring::follow::{Event, Follow, FollowError, Followed, Next, Overall};
use feed_ring::{Interrupter, KeyedSubscriber, RecordSubscriber, Subscriber, SubscriberOptions, TryRecvError};

use crate::options::{OnLoss, Options};

/// A subscriber of a ring and its table.
pub(crate) type TableSubscriber = KeyedSubscriber<u32, Row, Message>;

/// A ring that is followed.
#[expect(clippy::large_enum_variant, reason = "there is one of it, and a box would be one more step for each message")]
pub(crate) enum Reader {
    Ring(Follow<Subscriber<Message>>),
    Table(Box<Follow<TableSubscriber>>),
    Records(Box<Follow<RecordSubscriber>>),
}

/// What was received.
#[derive(Debug)]
pub(crate) enum Taken {
    /// So many messages, or records.
    Messages(usize),
    Event(Event),
    Empty,
    /// Nothing comes any more.
    End,
}

/// Asks the follower, whatever it follows with.
macro_rules! each {
    ($reader:expr, $follow:ident => $asked:expr) => {
        match $reader {
            Reader::Ring($follow) => $asked,
            Reader::Table($follow) => $asked,
            Reader::Records($follow) => $asked,
        }
    };
}

/// Asks the subscriber of the ring that is open, or was left last.
macro_rules! ring {
    ($reader:expr, $ring:ident => $asked:expr) => {
        match $reader {
            Reader::Ring(follow) => {
                let $ring = opened(follow);
                $asked
            }
            Reader::Table(follow) => {
                let $ring = opened(follow).ring();
                $asked
            }
            Reader::Records(follow) => {
                let $ring = opened(follow);
                $asked
            }
        }
    };
}

pub(crate) use ring;

/// The subscriber of a reader that has opened a ring.
#[inline]
pub(crate) fn opened<S: Followed>(follow: &Follow<S>) -> &S {
    follow.ring().expect("a ring is followed once it is open")
}

impl Reader {
    /// Follows a ring of messages, with its table if the options ask for one. Opens nothing yet.
    pub(crate) fn of_messages(options: &Options) -> Self {
        if options.needs_table() {
            let both = match &options.connect {
                Some(path) => TableSubscriber::connect(path),
                None => TableSubscriber::options(&options.ring).root(&options.root),
            };
            return Reader::Table(Box::new(policy(options, configure(options, both).follow_keyed(board::key))));
        }
        let ring = match &options.connect {
            Some(path) => Subscriber::<Message>::connect(path),
            None => Subscriber::<Message>::options(&options.ring).root(&options.root),
        };
        Reader::Ring(policy(options, configure(options, ring).follow()))
    }

    /// Follows a ring of records. Opens nothing yet.
    pub(crate) fn of_records(options: &Options) -> Self {
        let ring = match &options.connect {
            Some(path) => RecordSubscriber::connect(path),
            None => RecordSubscriber::options(&options.ring).root(&options.root),
        };
        Reader::Records(Box::new(policy(options, configure(options, ring).follow_records())))
    }

    /// Looks for the ring and opens it if it is there.
    pub(crate) fn open(&mut self) -> Result<Taken, FollowError> {
        each!(self, follow => without_ring(follow))
    }

    /// Receives messages into the beginning of `batch`. With a table it is one that is not in the snapshot.
    #[inline]
    pub(crate) fn recv_batch(&mut self, batch: &mut [Message]) -> Result<Taken, FollowError> {
        match self {
            Reader::Ring(follow) => match follow.ring_mut() {
                Some(ring) => match ring.recv_batch(batch) {
                    Ok(count) => Ok(Taken::Messages(count)),
                    Err(error) => handled(follow, error),
                },
                None => without_ring(follow),
            },
            Reader::Table(follow) => put(follow.try_next()?, batch),
            Reader::Records(_) => unreachable!("records are received as records"),
        }
    }

    /// Waits for a message for this long.
    pub(crate) fn recv_timeout(&mut self, timeout: Duration, batch: &mut [Message]) -> Result<Taken, FollowError> {
        match self {
            Reader::Ring(follow) => put(follow.next_timeout(timeout)?, batch),
            Reader::Table(follow) => put(follow.next_timeout(timeout)?, batch),
            Reader::Records(_) => unreachable!("records are received as records"),
        }
    }

    /// The ring with its table, if it was opened with it.
    pub(crate) fn table(&mut self) -> Option<&mut TableSubscriber> {
        match self {
            Reader::Table(follow) => follow.ring_mut(),
            Reader::Ring(_) | Reader::Records(_) => None,
        }
    }

    /// What its records are; `None` of messages.
    pub(crate) fn encoding(&self) -> Option<Encoding> {
        match self {
            Reader::Ring(_) | Reader::Table(_) => None,
            Reader::Records(follow) => Some(Encoding::of(opened(follow).format())),
        }
    }

    /// What became of every message, over all rings.
    pub(crate) fn overall(&self) -> Overall {
        each!(self, follow => follow.overall())
    }

    /// The overall number of message `number` of the present ring.
    #[inline]
    pub(crate) fn overall_number(&self, number: u64) -> u64 {
        each!(self, follow => follow.overall_number(number))
    }

    /// What was received from the present ring.
    #[inline]
    pub(crate) fn received(&self) -> u64 {
        match self {
            Reader::Ring(follow) => opened(follow).received(),
            Reader::Table(follow) => opened(follow).ring().received(),
            Reader::Records(follow) => opened(follow).account().received,
        }
    }

    /// The sequence of the next message in the present ring.
    #[inline]
    pub(crate) fn sequence(&self) -> u64 {
        ring!(self, ring => ring.sequence())
    }

    /// How many messages of the present ring were lost.
    pub(crate) fn lost(&self) -> u64 {
        match self {
            Reader::Ring(follow) => opened(follow).lost(),
            Reader::Table(follow) => opened(follow).ring().lost(),
            Reader::Records(follow) => opened(follow).account().lost,
        }
    }

    pub(crate) fn lag(&self) -> u64 {
        ring!(self, ring => ring.lag())
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        each!(self, follow => follow.interrupter())
    }
}

/// Takes note of what a receive returned instead of messages.
#[cold]
pub(crate) fn handled<S: Followed>(follow: &mut Follow<S>, error: TryRecvError) -> Result<Taken, FollowError> {
    Ok(follow.handle(error)?.map_or(Taken::Empty, Taken::Event))
}

/// What comes while there is no ring to receive from.
#[cold]
pub(crate) fn without_ring<S: Followed>(follow: &mut Follow<S>) -> Result<Taken, FollowError> {
    Ok(match follow.try_next()? {
        Next::Event(event) => Taken::Event(event),
        Next::End => Taken::End,
        Next::Message(_) | Next::Empty => Taken::Empty,
    })
}

/// Puts a message where a batch begins.
fn put(next: Next<Message>, batch: &mut [Message]) -> Result<Taken, FollowError> {
    Ok(match next {
        Next::Message(received) => {
            batch[0] = received.message;
            Taken::Messages(1)
        }
        Next::Event(event) => Taken::Event(event),
        Next::Empty => Taken::Empty,
        Next::End => Taken::End,
    })
}

fn configure<T>(options: &Options, ring: SubscriberOptions<T>) -> SubscriberOptions<T> {
    let ring = ring.join(options.from).wait(options.wait()).map(options.mapping());
    let ring = ring.huge_pages(options.placement.huge_pages).open_timeout(options.open_timeout);
    options.trust_uid.iter().fold(ring, |ring, &uid| ring.trust_uid(uid))
}

fn policy<S: Followed>(options: &Options, follow: Follow<S>) -> Follow<S> {
    follow.publisher_timeout(match options.on_publisher_loss {
        OnLoss::Wait => Duration::MAX,
        OnLoss::Exit => Duration::ZERO,
    })
}
