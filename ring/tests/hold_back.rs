//! A subscriber holds back in a stream at full speed, and only then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use feed_ring::{Join, Subscriber, TryRecvError, WaitStrategy, in_process};
use feed_testing::alone;

type Message<const W: usize> = [u64; W];
type Received<const W: usize> = Result<Message<W>, TryRecvError>;

/// A publisher that publishes some messages at once and then goes on slowly, and a subscriber that receives them, again
/// and again. By default every condition for holding back is met.
struct Stream<const W: usize> {
    capacity: usize,
    wanted: bool,
    at_once: u64,
    goes_on: bool,
    receive: fn(&mut Subscriber<Message<W>>) -> Received<W>,
    /// What the subscriber does after each 32 messages.
    between: fn(),
}

/// In a ring of at least 4 MiB.
const fn stream<const W: usize>() -> Stream<W> {
    Stream { capacity: 65_536, wanted: true, at_once: 192, goes_on: true, receive: recv, between: || {} }
}

fn recv<const W: usize>(subscriber: &mut Subscriber<Message<W>>) -> Received<W> {
    subscriber.recv().map_err(TryRecvError::from)
}

fn recv_into<const W: usize>(subscriber: &mut Subscriber<Message<W>>) -> Received<W> {
    let mut message = [0; W];
    subscriber.recv_into(&mut message).map(|()| message).map_err(TryRecvError::from)
}

fn recv_timeout<const W: usize>(subscriber: &mut Subscriber<Message<W>>) -> Received<W> {
    subscriber.recv_timeout(Duration::MAX)
}

fn recv_now<const W: usize>(subscriber: &mut Subscriber<Message<W>>) -> Received<W> {
    subscriber.recv_timeout(Duration::ZERO)
}

impl<const W: usize> Stream<W> {
    /// Whether the subscriber ever holds back. It gets many attempts, because a machine that pauses in the middle makes
    /// the stream a slow one. On a machine that is busy with other work it may be true because nothing could be seen.
    fn holds_back(self) -> bool {
        self.held_back(2_000_000).is_none_or(|times| times > 0)
    }

    /// How many messages ahead the publisher goes at most.
    fn at_most(&self) -> u64 {
        (10 * self.at_once).min(self.capacity as u64 / 2 + 100)
    }

    fn never_holds_back(self) -> bool {
        self.held_back(2_000).is_none_or(|times| times == 0)
    }

    /// How often the subscriber held back. `None`, and a line on standard error, if it never did and the machine is too
    /// busy to try as often as wanted.
    fn held_back(self, rounds: u32) -> Option<u64> {
        let _alone = alone(); // the two threads need a processor each
        let (mut publisher, ring) = in_process::<Message<W>>(self.capacity).unwrap();
        let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Spin);
        subscriber.set_hold_back(self.wanted);
        let (begun, ran, mut busy) = (Instant::now(), thread_time(), false);
        let (published, received, over) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|threads| {
            threads.spawn(|| {
                while !over.load(Relaxed) {
                    let (next, received) = (publisher.published(), received.load(Relaxed));
                    if next < received + self.at_once {
                        for number in next..received + self.at_once {
                            publisher.publish(&[number; W]);
                        }
                    } else if self.goes_on && next < received + self.at_most() {
                        publisher.publish(&[next; W]);
                        (0..3).for_each(|_| std::hint::spin_loop());
                    } else {
                        std::thread::yield_now();
                    }
                    published.store(publisher.published(), Relaxed);
                }
            });
            for _ in 0..rounds {
                // This thread never sleeps: what it did not run, others did.
                busy = begun.elapsed() > Duration::from_secs(3) && thread_time() - ran < begun.elapsed() / 2;
                if subscriber.held_back() > 0 || busy {
                    break;
                }
                let first = subscriber.sequence();
                received.store(first, Relaxed);
                while published.load(Relaxed) < first + self.at_once {
                    std::thread::yield_now();
                }
                for sequence in first..first + self.at_once {
                    if sequence % 32 == 0 {
                        (self.between)();
                    }
                    assert_eq!((self.receive)(&mut subscriber), Ok([sequence; W]));
                }
            }
            over.store(true, Relaxed);
        });
        assert_eq!((subscriber.sequence(), subscriber.lost()), (subscriber.received(), 0));
        let times = subscriber.held_back();
        if times == 0 && busy {
            feed_testing::skipped("other work leaves the two threads too little of the processors");
            return None;
        }
        Some(times)
    }
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Whether publisher and subscriber can run at the same time; prints if not.
fn two_run_at_once() -> bool {
    let two = std::thread::available_parallelism().is_ok_and(|processors| processors.get() > 1);
    if !two {
        feed_testing::skipped("on one processor a subscriber is never right behind its publisher");
    }
    two
}

#[test]
fn it_holds_back_in_a_stream_at_full_speed() {
    if two_run_at_once() {
        assert!(stream::<1>().holds_back());
        assert!(stream::<15>().holds_back(), "messages of two lines");
        assert!(Stream { receive: recv_into, ..stream::<1>() }.holds_back());
        assert!(Stream { receive: recv_timeout, ..stream::<1>() }.holds_back());
    }
}

#[test]
fn it_does_not_hold_back_when_switched_off() {
    assert!(Stream { wanted: false, ..stream::<1>() }.never_holds_back());
}

#[test]
fn it_does_not_hold_back_in_a_small_ring() {
    assert!(Stream { capacity: 8_192, ..stream::<1>() }.never_holds_back(), "half a MiB");
    assert!(Stream { capacity: 1_024, at_once: 500, ..stream::<127>() }.never_holds_back(), "a MiB, but 1,024 slots");
}

#[test]
fn it_does_not_hold_back_in_calls_that_do_not_wait() {
    assert!(Stream { receive: Subscriber::try_recv, ..stream::<1>() }.never_holds_back());
    assert!(Stream { receive: recv_now, ..stream::<1>() }.never_holds_back());
}

#[test]
fn it_does_not_hold_back_when_the_publisher_stands_still() {
    assert!(Stream { goes_on: false, ..stream::<1>() }.never_holds_back());
}

#[test]
fn it_does_not_hold_back_when_messages_are_received_slowly() {
    let between = || {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_nanos(2_500) {}
    };
    assert!(Stream { between, at_once: 100, ..stream::<1>() }.never_holds_back());
}
