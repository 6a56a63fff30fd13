//! Holding back: in a stream at full speed, a subscriber pauses so that its publisher gets ahead.
//!
//! A subscriber that is faster than its publisher stays right behind it and takes each cache line that the publisher is
//! about to write. Both then wait for that line again and again. If the publisher is a few hundred messages ahead, the
//! subscriber reads lines that the publisher has finished with, and neither waits for the other.
//!
//! Other streams must not be delayed. So a subscriber pauses only after 64 messages in a row that came at full speed
//! and without waiting, only while its publisher goes on publishing, and for at most [`LONGEST`].

use std::time::{Duration, Instant};

use crate::protocol::view::View;
use crate::sync::spin_loop;

/// Messages between two checks of how far ahead the publisher is.
const EVERY: u64 = 64;

/// How many slots the publisher gets ahead. On Zen 4, less than 200 gained little.
const DISTANCE: u64 = 256;

/// A stream is at full speed if [`EVERY`] messages come within this time.
const AT_FULL_SPEED: Duration = Duration::from_nanos(64 * EVERY);

/// In a smaller ring the slots never leave the subscriber's cache, and holding back gains nothing.
const MIN_BYTES: u64 = 1 << 20;

/// `DISTANCE` is at most an eighth of the ring, so holding back cannot cause a loss.
const MIN_CAPACITY: u64 = 8 * DISTANCE;

/// The longest pause.
const LONGEST: Duration = Duration::from_nanos(1_500);

/// Spin-loop hints before the first check that the publisher moves, and between two checks of how far ahead it is.
const FIRST_PAUSES: u32 = 4;
const PAUSES: u32 = 16;

/// What a subscriber remembers in order to decide whether to hold back.
pub(crate) struct HoldBack {
    pub(crate) wanted: bool,
    /// Whether this ring is large enough to gain from it.
    pays: bool,
    /// The sequence number of the last message that the subscriber had to wait for.
    caught_up: u64,
    /// Time of the last check that found the publisher not far ahead.
    last_near: Instant,
    /// How often it held back.
    pub(super) times: u64,
}

impl HoldBack {
    /// For a ring of `capacity` slots of `words` words.
    pub(super) fn new(capacity: u64, words: usize) -> Self {
        let pays = capacity >= MIN_CAPACITY && capacity.saturating_mul(8 * words as u64) >= MIN_BYTES;
        HoldBack { wanted: true, pays, caught_up: 0, last_near: Instant::now(), times: 0 }
    }

    /// Notes that message `next` was not there at once.
    pub(super) fn caught_up(&mut self, next: u64) {
        self.caught_up = next;
    }

    /// Holds back before message `next` if that is worth it. `waits` tells whether the caller would wait for the
    /// message. Returns the sequence number at which to call again.
    /// `is_published` tells whether the slot so many after the next message's was published.
    pub(super) fn hold_back_before(
        &mut self,
        view: &View,
        next: u64,
        waits: bool,
        is_published: impl Fn(u64) -> bool,
    ) -> u64 {
        if !self.pays {
            return u64::MAX;
        }
        if waits && self.wanted && self.is_right_behind(next, &is_published) {
            self.let_publisher_get_ahead(view, &is_published);
        }
        next.saturating_add(EVERY)
    }

    /// Whether message `next` and the [`EVERY`] before it were there at once, and the publisher is not far ahead.
    fn is_right_behind(&mut self, next: u64, is_published: impl Fn(u64) -> bool) -> bool {
        if !is_published(0) {
            self.caught_up(next);
        }
        next.saturating_sub(self.caught_up) > EVERY && !is_far_ahead(is_published)
    }

    fn let_publisher_get_ahead(&mut self, view: &View, is_published: impl Fn(u64) -> bool) {
        let begun = Instant::now();
        if begun.saturating_duration_since(self.last_near) < AT_FULL_SPEED {
            let pause = |times: u32| (0..times).for_each(|_| spin_loop());
            let published = view.published_count();
            pause(FIRST_PAUSES);
            // A publisher that stands still gets no further ahead, so waiting for it gains nothing.
            if view.published_count() != published {
                self.times += 1;
                while begun.elapsed() < LONGEST && !is_far_ahead(&is_published) {
                    pause(PAUSES);
                }
            }
        }
        self.last_near = Instant::now();
    }
}

/// Whether the publisher is [`DISTANCE`] slots ahead of a subscriber.
fn is_far_ahead(is_published: impl Fn(u64) -> bool) -> bool {
    is_published(DISTANCE - 1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::time::Duration;

    use super::HoldBack;
    use crate::protocol::slot;
    use crate::{Join, Subscriber, WaitStrategy, in_process};

    #[test]
    fn only_a_large_ring_gains_from_holding_back() {
        let pays = |capacity, words| HoldBack::new(capacity, words).pays;
        assert!(pays(16_384, 8) && pays(2_048, 64));
        assert!(!pays(8_192, 8), "half a MiB");
        assert!(!pays(1_024, 128), "1,024 slots");
    }

    #[test]
    fn a_subscriber_is_right_behind_only_after_64_messages_without_waiting() {
        let (mut publisher, ring) = in_process::<u64>(1_024).unwrap();
        let mut subscriber = ring.subscribe(Join::Oldest);
        let mut go_on = |subscriber: &mut Subscriber<u64>, publish: u64, receive: u64| {
            (0..publish).for_each(|_| _ = publisher.publish(&0));
            (0..receive).for_each(|_| _ = subscriber.recv().unwrap());
            let (view, next) = (subscriber.receiver.cursor().view().clone(), subscriber.sequence());
            let is_published = |ahead| view.first_word(next + ahead) >= slot::published(next + ahead);
            subscriber.receiver.hold_back.is_right_behind(next, is_published)
        };
        assert!(!go_on(&mut subscriber, 100, 64), "only 64 in a row");
        assert!(go_on(&mut subscriber, 0, 1));
        assert!(!go_on(&mut subscriber, 221, 0), "256 ahead");
        assert!(go_on(&mut subscriber, 0, 1));
        assert!(!go_on(&mut subscriber, 0, 255), "the next message is not there");
        assert!(!go_on(&mut subscriber, 100, 64), "only 64 since then");
        assert!(go_on(&mut subscriber, 0, 1));
    }

    /// A message that had to be waited for does not belong to a stream at full speed, however the subscriber waited.
    #[test]
    fn a_message_that_was_waited_for_is_remembered() {
        fn waited<const W: usize>(receive: impl Fn(&mut Subscriber<[u64; W]>) -> [u64; W]) {
            let (mut publisher, ring) = in_process::<[u64; W]>(4).unwrap();
            let mut subscriber = ring.subscribe_with(Join::Oldest, WaitStrategy::Spin);
            publisher.publish(&[0; W]);
            receive(&mut subscriber);
            publisher.publish(&[1; W]);
            receive(&mut subscriber);
            assert_eq!(subscriber.receiver.hold_back.caught_up, 0, "both messages were there at once");
            std::thread::scope(|threads| {
                threads.spawn(|| {
                    std::thread::sleep(Duration::from_millis(5));
                    publisher.publish(&[2; W]);
                });
                assert_eq!(receive(&mut subscriber), [2; W]);
            });
            assert_eq!(subscriber.receiver.hold_back.caught_up, 2);
        }
        waited::<1>(|subscriber| subscriber.recv().unwrap());
        waited::<15>(|subscriber| subscriber.recv().unwrap());
        waited::<1>(|subscriber| subscriber.recv_timeout(Duration::MAX).unwrap());
        let (_publisher, ring) = in_process::<u64>(4).unwrap();
        let mut subscriber = ring.subscribe(Join::Sequence(3));
        subscriber.receiver.hold_back.caught_up = 0;
        subscriber.recv_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(subscriber.receiver.hold_back.caught_up, 3);
    }
}
