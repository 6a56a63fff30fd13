//! A ring and its table: one that joins late knows at each position what one knows that was there from the start.
//!
//! | oracle | fails when |
//! |---|---|
//! | `state` | the state of a late joiner differs, at a position from which on its snapshot is complete |
//! | `reuse` | a message comes under a number that a reader of the table has seen with another |
//! | `kept` | a table is said not to be kept that is |

use std::collections::BTreeMap;

use feed_ring::keyed::SnapshotError;
use feed_ring::sync::model;
use feed_ring::{InProcessKeyed, KeyedPublisher, KeyedSubscriber, TryRecvError, in_process_keyed};
use loom::thread;

use crate::explore::{met, struck, violated};

/// A message: its key, and which store of which publisher it is.
type Message = [u64; 2];

type Feed = KeyedPublisher<u64, Message>;
type Both = InProcessKeyed<u64, Message>;
type Late = KeyedSubscriber<u64, Message>;

/// For each key, the number and the content of its last message.
type State = BTreeMap<u64, (u64, u64)>;

fn both(slots: usize) -> (Feed, Both) {
    in_process_keyed(slots, 2).expect("sizes that can be")
}

fn join(both: &Both) -> Late {
    both.join(|message| Some(message[0]))
}

/// Publishes a message of a key.
fn publish(feed: &mut Feed, key: u64, publisher: u64) {
    let row = feed.row(&key).expect("it has room");
    let number = feed.table().stores();
    feed.publish(row, &[key, publisher << 8 | number]);
}

/// What a late joiner knows, and the position from which on it is complete.
fn snapshot(late: &mut Late) -> Option<(State, u64)> {
    match late.snapshot() {
        Ok(snapshot) => {
            let rows = snapshot.rows.iter().map(|(key, stored)| (*key, (stored.number, stored.value[1])));
            Some((rows.collect(), snapshot.complete_at))
        }
        Err(SnapshotError::Read(_)) => {
            met('O');
            None
        }
        Err(error) => violated("kept", format!("{error}")),
    }
}

/// Receives what there is, up to `most` messages.
fn receive(late: &mut Late, state: &mut State, most: usize) {
    for _ in 0..most {
        match late.try_recv() {
            Ok(numbered) => {
                met('M');
                state.insert(numbered.message[0], (numbered.number, numbered.message[1]));
            }
            Err(TryRecvError::Empty | TryRecvError::PublisherDead) => return,
            Err(TryRecvError::Restarted { .. }) => met('R'),
            Err(error) => violated("state", format!("{error}")),
        }
    }
}

/// The state after all messages, of one that reads the ring from the start.
fn from_the_start(both: &Both) -> (State, u64) {
    let mut first = both.join_oldest();
    let (mut state, mut position) = (State::new(), 0);
    loop {
        match first.try_recv() {
            Ok(message) => {
                state.insert(message[0], (position, message[1]));
                position += 1;
            }
            Err(TryRecvError::Restarted { .. }) => {}
            Err(_) => return (state, position),
        }
    }
}

/// Compares a late joiner's state, once it has received all, with that of one from the start.
fn compare(late: &mut Late, (mut state, complete_at): (State, u64), both: &Both) {
    receive(late, &mut state, usize::MAX);
    let (expected, position) = from_the_start(both);
    if position < complete_at {
        violated("reuse", format!("complete at {complete_at}, and the ring ends at {position}"));
    }
    if state != expected {
        violated("state", format!("{state:?} where one from the start has {expected:?}"));
    }
}

/// One joins while messages are published, and copies the table beside them.
pub(super) fn joins(_: usize) {
    let (mut feed, all) = both(8);
    publish(&mut feed, 7, 1);
    publish(&mut feed, 9, 1);
    let joining = all.clone();
    let reader = thread::spawn(move || {
        let mut late = join(&joining);
        let copied = snapshot(&mut late);
        (late, copied)
    });
    publish(&mut feed, 7, 1);
    publish(&mut feed, 9, 1);
    let (mut late, copied) = reader.join().unwrap();
    if let Some(copied) = copied {
        compare(&mut late, copied, &all);
    }
    std::mem::forget(feed);
}

/// One that was lapped copies the table: it knows of all messages that it lost.
pub(super) fn lapped(_: usize) {
    let (mut feed, all) = both(2);
    let mut late = join(&all);
    let reader = thread::spawn(move || {
        let lagged = matches!(late.try_recv(), Err(TryRecvError::Lagged { .. }));
        if lagged {
            met('L');
        }
        let copied = lagged.then(|| snapshot(&mut late)).flatten();
        (late, copied)
    });
    publish(&mut feed, 7, 1);
    publish(&mut feed, 9, 1);
    let (mut late, copied) = reader.join().unwrap();
    if let Some((mut state, _)) = copied {
        receive(&mut late, &mut state, usize::MAX);
        if state != State::from([(7, (0, 1 << 8)), (9, (1, 1 << 8 | 1))]) {
            violated("state", format!("{state:?} after two messages"));
        }
    }
    std::mem::forget(feed);
}

/// A publisher is killed after `stores` stores of words, and another takes over. One has joined before, one beside it.
pub(super) fn takeover(stores: usize) {
    let (mut feed, all) = both(8);
    publish(&mut feed, 7, 1);
    let joining = all.clone();
    let reader = thread::spawn(move || {
        let mut late = join(&joining);
        let copied = snapshot(&mut late);
        (late, copied)
    });
    model::die_after(stores);
    publish(&mut feed, 7, 1);
    if model::died() {
        struck();
    }
    model::behave();
    // One that sees the table as the dead publisher left it.
    let mut before = join(&all);
    let copied_before = snapshot(&mut before);
    model::unwind(|| drop(feed));
    let mut feed = all.take_over().expect("its publisher ended");
    publish(&mut feed, 9, 2);
    let (mut late, copied) = reader.join().unwrap();
    for (late, copied) in [(&mut late, copied), (&mut before, copied_before)] {
        if let Some(copied) = copied {
            compare(late, copied, &all);
        }
    }
    std::mem::forget(feed);
}
