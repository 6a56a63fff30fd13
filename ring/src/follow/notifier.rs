//! A descriptor that becomes readable when there is something to follow: it stays the same from one ring to the next.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::epoll;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use rustix::time::{timerfd_create, timerfd_settime};

use super::follow::Follow;
use super::followed::Followed;
use crate::subscriber::notify::Notifier;

/// A descriptor for an event loop or an asynchronous runtime: [`Follow::notifier`].
///
/// It becomes readable once after each [`arm`](Self::arm), when [`Follow::try_next`] has something to return or to look for. Call
/// `try_next` until it returns [`Next::Empty`](super::Next::Empty), then arm it again. While a ring is open, the publisher wakes it
/// with one system call, through a thread of its own: see [`Notifier`]. Without a ring or a publisher it becomes readable every
/// 2 ms, and after 10 s every 20 ms, because nobody tells that a ring has taken the name.
pub struct FollowNotifier {
    /// What the caller waits for: the timer and the ring's notifier together.
    both: OwnedFd,
    timer: OwnedFd,
    /// The notifier of the present ring, and how many rings there were with it.
    ring: Option<(u64, Notifier)>,
}

impl<S: Followed> Follow<S> {
    /// Makes a descriptor that becomes readable when there is something to return.
    ///
    /// # Errors
    /// If a descriptor cannot be made.
    pub fn notifier(&self) -> io::Result<FollowNotifier> {
        let both = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
        epoll::add(&both, &timer, epoll::EventData::new_u64(0), epoll::EventFlags::IN)?;
        Ok(FollowNotifier { both, timer, ring: None })
    }
}

impl FollowNotifier {
    /// Makes the descriptor readable once `follow` has something to return. Call it after
    /// [`Next::Empty`](super::Next::Empty), and with the `Follow` that made this notifier. With a ring that it was not armed for
    /// yet, it starts a thread, and ends the thread of the ring before.
    ///
    /// # Errors
    /// If the ring's notifier cannot be made. Nothing is armed then.
    pub fn arm<S: Followed>(&mut self, follow: &Follow<S>) -> io::Result<()> {
        match follow.wakes() {
            Some((ring, waits_for_publisher)) => {
                let notifier = self.notifier_of(ring, follow.rings())?;
                match waits_for_publisher {
                    false => ring.core().arm(notifier),
                    true => ring.core().arm_for_publisher(notifier),
                }
            }
            None => self.forget_ring(),
        }
        let after = follow.phase.look_again_at().map(|at| at.saturating_duration_since(Instant::now()));
        // Zero would disarm the timer.
        let after = after.map_or(Duration::ZERO, |after| after.max(Duration::from_nanos(1)));
        let it_value = Timespec { tv_sec: after.as_secs() as i64, tv_nsec: i64::from(after.subsec_nanos()) };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value })?;
        Ok(())
    }

    /// Makes the descriptor unreadable. It becomes readable again after the next [`arm`](Self::arm).
    pub fn clear(&self) {
        // An error means that it had not passed.
        let _ = rustix::io::read(&self.timer, &mut [0u8; 8]);
        if let Some((_, notifier)) = &self.ring {
            notifier.clear();
        }
    }

    fn notifier_of<S: Followed>(&mut self, ring: &S, rings: u64) -> io::Result<&Notifier> {
        if self.ring.as_ref().is_none_or(|(of, _)| *of != rings) {
            self.forget_ring();
            let notifier = ring.core().notifier()?;
            epoll::add(&self.both, &notifier, epoll::EventData::new_u64(1), epoll::EventFlags::IN)?;
            self.ring = Some((rings, notifier));
        }
        let (_, notifier) = self.ring.as_ref().expect("it was made a moment ago");
        Ok(notifier)
    }

    fn forget_ring(&mut self) {
        if let Some((_, notifier)) = self.ring.take() {
            let _ = epoll::delete(&self.both, &notifier);
        }
    }
}

impl AsFd for FollowNotifier {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.both.as_fd()
    }
}

impl std::fmt::Debug for FollowNotifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FollowNotifier").field("descriptor", &self.both).finish_non_exhaustive()
    }
}
