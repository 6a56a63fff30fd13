//! The near ring, of messages or of records, as its sender reads it.

use std::path::Path;
use std::time::Duration;

use feed_ring::follow::{Event, Follow, FollowError, Next, OnClose};
use feed_ring::{Join, RecordSubscriber, TryRecvError, WaitStrategy, raw};

use crate::outgoing::Outgoing;

/// Records that are received before anything else is looked at.
const RECORDS_AT_ONCE: usize = 64;

/// How long to wait for a ring that was seen a moment ago.
const SEEN: Duration = Duration::from_millis(200);

/// What came of one look into the ring.
pub(crate) enum Came {
    /// So many messages, which are in the frame.
    Messages(usize),
    Event(Event),
    Nothing,
    End,
}

/// A ring that is followed.
pub(crate) enum Source {
    Messages(Follow<raw::Subscriber>),
    Records(Follow<RecordSubscriber>, Option<TryRecvError>),
}

impl Source {
    /// Follows a ring of messages, or of records.
    pub(crate) fn new(records: bool, root: &Path, name: &str, join: Join, wait: WaitStrategy) -> Self {
        if records {
            let options = RecordSubscriber::options(name).root(root).join(join).wait(wait).open_timeout(SEEN);
            Source::Records(options.follow_records().on_close(OnClose::Wait), None)
        } else {
            let options = raw::Subscriber::options(name).root(root).join(join).wait(wait).open_timeout(SEEN);
            Source::Messages(options.follow_raw().on_close(OnClose::Wait))
        }
    }

    /// Puts what is there into the frame. If nothing is, waits for it for `patience`.
    ///
    /// # Errors
    /// That of following.
    pub(crate) fn receive(&mut self, frame: &mut Outgoing, patience: Option<Duration>) -> Result<Came, FollowError> {
        let received = match self {
            Source::Messages(follow) => follow.ring_mut().map(|ring| {
                go_on_in(frame, ring.account().epoch);
                frame.fill(|room| ring.recv_batch_into(room))
            }),
            Source::Records(follow, left) => match left.take() {
                Some(error) => Some(Err(error)),
                None => follow.ring_mut().map(|ring| {
                    go_on_in(frame, ring.account().epoch);
                    receive_records(ring, frame, left)
                }),
            },
        };
        match received {
            Some(Ok(count)) => return Ok(Came::Messages(count)),
            Some(Err(TryRecvError::Empty)) | None => {}
            Some(Err(error)) => {
                if let Some(event) = self.handle(error)? {
                    return Ok(Came::Event(event));
                }
            }
        }
        let Some(patience) = patience else { return Ok(Came::Nothing) };
        match self {
            Source::Messages(follow) => {
                let next = follow.next_timeout(patience)?;
                Ok(came(next, |epoch, message| {
                    go_on_in(frame, epoch);
                    frame.push(0, message);
                }))
            }
            Source::Records(follow, _) => {
                let next = follow.next_timeout(patience)?;
                Ok(came(next, |epoch, record| {
                    go_on_in(frame, epoch);
                    frame.push(record.kind, record.bytes);
                }))
            }
        }
    }

    fn handle(&mut self, error: TryRecvError) -> Result<Option<Event>, FollowError> {
        match self {
            Source::Messages(follow) => follow.handle(error),
            Source::Records(follow, _) => follow.handle(error),
        }
    }

    /// The nonce of the ring that is open.
    pub(crate) fn nonce(&self) -> u64 {
        match self {
            Source::Messages(follow) => follow.ring().map_or(0, raw::Subscriber::nonce),
            Source::Records(follow, _) => follow.ring().and_then(RecordSubscriber::nonce).unwrap_or(0),
        }
    }

    /// Bytes of a message. `None` for records.
    pub(crate) fn size(&self) -> Option<usize> {
        match self {
            Source::Messages(follow) => follow.ring().map(|ring| ring.format().size()),
            Source::Records(..) => None,
        }
    }
}

/// Begins the epoch that the next message is in, if nothing told that before: its beginning is not known then.
fn go_on_in(frame: &mut Outgoing, epoch: u64) {
    if frame.is_empty() && frame.epoch() != epoch {
        frame.begin_epoch(epoch, crate::wire::UNKNOWN);
    }
}

fn receive_records(
    ring: &mut RecordSubscriber,
    frame: &mut Outgoing,
    left: &mut Option<TryRecvError>,
) -> Result<usize, TryRecvError> {
    let mut count = 0;
    while count < RECORDS_AT_ONCE && (frame.room() > 0 || frame.is_empty()) {
        match ring.try_recv() {
            Ok(record) => frame.push(record.kind, record.bytes),
            Err(error) if count == 0 => return Err(error),
            Err(error) => {
                *left = (error != TryRecvError::Empty).then_some(error);
                break;
            }
        }
        count += 1;
    }
    Ok(count)
}

fn came<M>(next: Next<M>, push: impl FnOnce(u64, M)) -> Came {
    match next {
        Next::Message(received) => {
            push(received.epoch, received.message);
            Came::Messages(1)
        }
        Next::Event(event) => Came::Event(event),
        Next::Empty => Came::Nothing,
        Next::End => Came::End,
    }
}
