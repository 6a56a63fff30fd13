//! Every message is accounted for: random sequences of operations on a ring, checked against a plain list of what was
//! published.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use feed_ring::{Join, Received, Subscriber, TryRecvError, WaitStrategy, in_process};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Step {
    Publish(u8),
    Receive(u8),
    Batch(u8),
    Into(u8),
    Numbered(u8),
    Timeout,
    Latest,
    Join(Join),
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..40u8).prop_map(Step::Publish),
        3 => (0..20u8).prop_map(Step::Receive),
        2 => (1..20u8).prop_map(Step::Batch),
        1 => (1..10u8).prop_map(Step::Into),
        2 => (1..20u8).prop_map(Step::Numbered),
        1 => Just(Step::Timeout),
        1 => Just(Step::Latest),
        1 => Just(Step::Restart),
        1 => prop_oneof![Just(Join::Oldest), Just(Join::Latest), (0..300u64).prop_map(Join::Sequence)].prop_map(Step::Join),
    ]
}

/// The content of message `sequence`.
fn content(sequence: u64) -> [u64; 3] {
    [sequence, !sequence, sequence.wrapping_mul(0x9e37_79b9_7f4a_7c15)]
}

/// The messages that an error tells to be lost.
fn told(error: TryRecvError) -> u64 {
    match error {
        TryRecvError::Lagged { missed } => missed,
        _ => 0,
    }
}

fn is_conserved(subscriber: &Subscriber<[u64; 3]>) -> bool {
    let s = subscriber;
    s.first() + s.received() + s.lost() + s.skipped() == s.sequence()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_is_torn_repeated_or_unaccounted_and_every_loss_is_told(exponent in 1..6u32, steps in prop::collection::vec(step(), 1..60)) {
        let capacity = 1u64 << exponent;
        let (mut publisher, ring) = in_process::<[u64; 3]>(capacity as usize).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        let mut lost = 0; // as told, by whatever call
        let mut epochs = Vec::new(); // of each message
        for step in steps {
            let (at, published) = (subscriber.sequence(), publisher.published());
            let oldest = published.saturating_sub(capacity - 1);
            match step {
                Step::Publish(count) => {
                    for sequence in published..published + u64::from(count) {
                        prop_assert_eq!(publisher.publish(&content(sequence)), sequence);
                        epochs.push(publisher.epoch());
                    }
                }
                Step::Receive(count) => for _ in 0..count {
                    let at = subscriber.sequence();
                    match subscriber.try_recv() {
                        Ok(message) => prop_assert_eq!(message, content(at)),
                        Err(TryRecvError::Empty) => prop_assert!(at >= published),
                        Err(TryRecvError::Lagged { missed }) => {
                            prop_assert!(at < oldest);
                            prop_assert_eq!(at + missed, oldest + (capacity - 1) / 8);
                            lost += missed;
                        }
                        Err(TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => {}
                        Err(error) => prop_assert!(false, "{}", error),
                    }
                },
                Step::Into(count) => for _ in 0..count {
                    let (at, mut message) = (subscriber.sequence(), [0; 3]);
                    match subscriber.try_recv_into(&mut message) {
                        Ok(()) => prop_assert_eq!(message, content(at)),
                        Err(error) => lost += told(error),
                    }
                },
                Step::Numbered(count) => for call in 0..count {
                    let at = subscriber.sequence();
                    let received = match call % 3 {
                        0 => subscriber.try_recv_numbered(),
                        1 => subscriber.recv_timeout_numbered(Duration::ZERO),
                        _ => subscriber.latest_numbered(),
                    };
                    match received {
                        Ok(Received { number, epoch, message }) => {
                            prop_assert!(number == at || call % 3 == 2 && number > at);
                            prop_assert_eq!(number + 1, subscriber.sequence());
                            prop_assert_eq!(message, content(number));
                            // The ring tells of the last seven.
                            let is_unknown = epoch == 0 && publisher.epoch() > 8;
                            prop_assert!(epoch == epochs[number as usize] || is_unknown, "{} of {:?}", epoch, epochs);
                        }
                        Err(error) => lost += told(error),
                    }
                },
                Step::Timeout => match subscriber.recv_timeout(Duration::ZERO) {
                    Ok(message) => prop_assert_eq!(message, content(at)),
                    Err(error) => lost += told(error),
                },
                Step::Restart => {
                    publisher.close().unwrap();
                    publisher = ring.take_over().unwrap();
                }
                Step::Batch(count) => {
                    let mut batch = vec![[0; 3]; usize::from(count)];
                    match subscriber.recv_batch(&mut batch) {
                        Ok(got) => {
                            // A batch ends where an epoch does.
                            let most = u64::from(count).min(published - at);
                            prop_assert!(got as u64 == most || publisher.epoch() > 1 && got as u64 <= most);
                            for (sequence, message) in (at..).zip(&batch[..got]) {
                                prop_assert_eq!(message, &content(sequence));
                            }
                        }
                        Err(TryRecvError::Empty) => prop_assert!(at >= published),
                        Err(TryRecvError::Lagged { missed }) => {
                            prop_assert!(at < oldest);
                            lost += missed;
                        }
                        Err(TryRecvError::Restarted { .. } | TryRecvError::RestartsUnknown { .. }) => {}
                        Err(error) => prop_assert!(false, "{}", error),
                    }
                }
                Step::Latest => match subscriber.latest() {
                    Ok(message) => prop_assert_eq!(message, content(published - 1)),
                    Err(TryRecvError::Empty) => prop_assert!(at >= published),
                    Err(error) => lost += told(error),
                },
                Step::Join(join) => {
                    subscriber = ring.subscribe(join);
                    lost = 0;
                    let first = match join {
                        Join::Oldest => oldest,
                        Join::Latest => published,
                        Join::Sequence(sequence) => sequence,
                    };
                    prop_assert_eq!(subscriber.first(), first);
                }
            }
            prop_assert!(is_conserved(&subscriber), "{:?}", subscriber);
            prop_assert_eq!(lost, subscriber.lost(), "told is lost");
            prop_assert_eq!(subscriber.lag(), publisher.published().saturating_sub(subscriber.sequence()));
        }
    }
}

/// What `latest` loses on its way to the newest message, only a publisher that runs meanwhile can show.
#[test]
fn every_loss_is_told_beside_a_running_publisher() {
    let (mut publisher, ring) = in_process::<[u64; 3]>(8).unwrap();
    let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Yield);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for sequence in (0..).take_while(|_| !stop.load(Ordering::Relaxed)) {
                publisher.publish(&content(sequence));
            }
        });
        let (mut lost, mut random) = (0, 1_u64);
        let mut batch = [[0; 3]; 5];
        for _ in 0..50_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let received = match random >> 61 {
                0 | 1 => subscriber.latest().map(|_| ()),
                2 => subscriber.recv_batch(&mut batch).map(|_| ()),
                3 => subscriber.try_recv_into(&mut batch[0]),
                4 => subscriber.recv_timeout(Duration::ZERO).map(|_| ()),
                5 => subscriber.recv().map(|_| ()).map_err(TryRecvError::from),
                _ => subscriber.try_recv().map(|_| ()),
            };
            lost += received.err().map_or(0, told);
            if lost != subscriber.lost() || !is_conserved(&subscriber) {
                stop.store(true, Ordering::Relaxed);
                panic!("told {lost}, {subscriber:?}");
            }
        }
        stop.store(true, Ordering::Relaxed);
        assert!(lost > 0 && subscriber.skipped() > 0, "nothing was lost: the test shows nothing");
    });
}
