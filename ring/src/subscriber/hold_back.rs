//! A stream at full speed: a subscriber that is faster than its publisher follows on its heels, and whichever line the one
//! is about to write, the other has just taken. Both then go at the pace of that quarrel. A subscriber that lets the
//! publisher get a few hundred messages ahead reads lines that are done with, and neither waits for the other.
//!
//! It must not cost anybody else anything: so only a subscriber that found 64 messages in a row without waiting, and in no
//! time, holds back; not while its publisher stands still, and for [`MOST`] at the most.

use std::time::{Duration, Instant};

use super::Subscriber;
use crate::payload::Payload;
use crate::slot;
use crate::sync::spin_loop;

/// Messages between two looks at how far ahead the publisher is.
const EVERY: u64 = 64;

/// How far ahead it is to be. On Zen 4 less than 200 gained little.
const DISTANCE: u64 = 256;

/// Messages that came slower than this are no stream at full speed.
const AT_FULL_SPEED: Duration = Duration::from_nanos(64 * EVERY);

/// In a smaller ring the slots never leave the subscriber's cache, and holding back gains nothing.
const MIN_BYTES: u64 = 1 << 20;

/// And one that is so far behind is to be far from being lapped.
const MIN_CAPACITY: u64 = 8 * DISTANCE;

/// For so long it holds back.
const MOST: Duration = Duration::from_nanos(1_500);

/// Pauses before it first looks whether the publisher moves, and between two looks at how far ahead it is.
const FIRST_PAUSES: u32 = 4;
const PAUSES: u32 = 16;

/// What a subscriber remembers to know whether to hold back.
pub(super) struct HoldBack {
    wanted: bool,
    /// Whether it can gain anything in this ring.
    pays: bool,
    /// The sequence number of the last message that was not there at once when it was waited for.
    caught_up: u64,
    /// When it last looked and the publisher was not far ahead.
    near: Instant,
    /// How often it held back.
    pub(super) times: u64,
}

impl HoldBack {
    /// For a ring of so many slots of so many words.
    pub(super) fn new(capacity: u64, words: usize) -> Self {
        let pays = capacity >= MIN_CAPACITY && capacity.saturating_mul(8 * words as u64) >= MIN_BYTES;
        HoldBack { wanted: true, pays, caught_up: 0, near: Instant::now(), times: 0 }
    }
}

impl<T: Payload> Subscriber<T> {
    /// Whether it lets the publisher get ahead in a stream at full speed, as it does until told otherwise, if the ring is of
    /// 2,048 slots and 1 MiB at least.
    ///
    /// On some processors a subscriber that is faster than its publisher follows on its heels and takes from it each line
    /// that it is about to write: both go at a fraction of their speed (docs/performance.md has the measurements). So
    /// [`recv`](Self::recv), [`recv_into`](Self::recv_into) and [`recv_timeout`](Self::recv_timeout) pause for 1.5
    /// microseconds at most when they found 64 messages in a row without waiting for one, in less than four microseconds,
    /// the publisher goes on publishing and is not 256 messages ahead. Whatever is slower than that is never held back, nor
    /// are [`try_recv`](Self::try_recv) and [`recv_batch`](Self::recv_batch), which do not wait.
    /// [`held_back`](Self::held_back) counts how often it happened.
    ///
    /// `false` if a message in the middle of such a stream must not wait so long, whatever it costs the publisher.
    pub fn set_hold_back(&mut self, hold_back: bool) {
        self.hold_back.wanted = hold_back;
    }

    /// How often it let the publisher get ahead: see [`set_hold_back`](Self::set_hold_back).
    pub fn held_back(&self) -> u64 {
        self.hold_back.times
    }

    /// The next message was not there at once.
    pub(super) fn caught_up(&mut self) {
        self.hold_back.caught_up = self.next;
    }

    /// Before a message; `waits` tells whether it would be waited for. Returns at which sequence number to ask again.
    pub(super) fn hold_back(&mut self, waits: bool) -> u64 {
        if !self.hold_back.pays {
            return u64::MAX;
        }
        if waits && self.hold_back.wanted && self.is_on_its_heels() {
            self.let_it_get_ahead();
        }
        self.next.saturating_add(EVERY)
    }

    /// Whether the next message is there, as were the 64 before it, and the publisher not far ahead.
    fn is_on_its_heels(&mut self) -> bool {
        if !self.is_published(self.next) {
            self.caught_up();
        }
        self.next.saturating_sub(self.hold_back.caught_up) > EVERY && !self.is_far_behind()
    }

    fn is_far_behind(&self) -> bool {
        self.is_published(self.next.saturating_add(DISTANCE - 1))
    }

    /// Whether this message was published, or a later one in its slot.
    fn is_published(&self, sequence: u64) -> bool {
        self.slots.at(sequence)[0].load() >= slot::published(sequence)
    }

    fn let_it_get_ahead(&mut self) {
        let begun = Instant::now();
        if begun.saturating_duration_since(self.hold_back.near) < AT_FULL_SPEED {
            let pause = |times: u32| (0..times).for_each(|_| spin_loop());
            let count = || self.slots.memory()[self.layout.published].load();
            let published = count();
            pause(FIRST_PAUSES);
            // One that stands still gets no further ahead: what there is to receive is received.
            if count() != published {
                self.hold_back.times += 1;
                while begun.elapsed() < MOST && !self.is_far_behind() {
                    pause(PAUSES);
                }
            }
        }
        self.hold_back.near = Instant::now();
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::HoldBack;
    use crate::{Join, Subscriber, in_process};

    #[test]
    fn a_ring_is_large_enough_or_not() {
        let pays = |capacity, words| HoldBack::new(capacity, words).pays;
        assert!(pays(16_384, 8) && pays(2_048, 64));
        assert!(!pays(8_192, 8), "half a MiB");
        assert!(!pays(1_024, 128), "1,024 slots");
    }

    #[test]
    fn it_is_on_the_heels_of_a_publisher_or_not() {
        let (mut publisher, ring) = in_process::<u64>(1_024).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        let mut go_on = |subscriber: &mut Subscriber<u64>, publish: u64, receive: u64| {
            (0..publish).for_each(|_| _ = publisher.publish(&0));
            (0..receive).for_each(|_| _ = subscriber.recv().unwrap());
            subscriber.is_on_its_heels()
        };
        assert!(!go_on(&mut subscriber, 100, 64), "64 in a row are not yet more than 64");
        assert!(go_on(&mut subscriber, 0, 1));
        assert!(!go_on(&mut subscriber, 221, 0), "256 ahead");
        assert!(go_on(&mut subscriber, 0, 1));
        assert!(!go_on(&mut subscriber, 0, 255), "the next is not there");
        assert!(!go_on(&mut subscriber, 100, 64), "64 since then");
        assert!(go_on(&mut subscriber, 0, 1));
    }

    /// What is waited for is no stream at full speed, however it is waited for.
    #[test]
    fn a_message_that_was_waited_for_is_remembered() {
        fn waited<const W: usize>(receive: impl Fn(&mut Subscriber<[u64; W]>) -> [u64; W]) {
            let (mut publisher, ring) = in_process::<[u64; W]>(4).unwrap();
            let mut subscriber = ring.subscribe(Join::Oldest);
            publisher.publish(&[0; W]);
            receive(&mut subscriber);
            publisher.publish(&[1; W]);
            receive(&mut subscriber);
            assert_eq!(subscriber.hold_back.caught_up, 0, "they were there");
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    std::thread::sleep(Duration::from_millis(5));
                    publisher.publish(&[2; W]);
                });
                assert_eq!(receive(&mut subscriber), [2; W]);
            });
            assert_eq!(subscriber.hold_back.caught_up, 2);
        }
        waited::<1>(|subscriber| subscriber.recv().unwrap());
        waited::<15>(|subscriber| subscriber.recv().unwrap());
        waited::<1>(|subscriber| subscriber.recv_timeout(Duration::MAX).unwrap());
        let (_publisher, ring) = in_process::<u64>(4).unwrap();
        let mut subscriber = ring.subscribe(Join::Sequence(3));
        subscriber.hold_back.caught_up = 0;
        subscriber.recv_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(subscriber.hold_back.caught_up, 3);
    }
}
