//! The watcher thread: wakes a sleeping subscriber when its publisher dies, because the dead publisher cannot.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::time::Timespec;

use crate::memory::{Memory, OwnThread, Pinned};
use crate::presence::liveness::Liveness;
use crate::sync::{Word, WriteWord, nudges, spawn, wake};

/// Indices of the words in a sleeper's private memory. It sleeps on them as well as on the ring's event word.
pub(super) const DEAD: usize = 0;
pub(super) const INTERRUPTED: usize = 1;
pub(super) const NUDGED: usize = 2;
pub(super) const OWN_WORDS: usize = 3;

/// How often the watcher checks that its sleeper can still be woken.
pub(super) const WATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A sleeper without a watcher sleeps this long before it asks the kernel itself whether the publisher lives.
pub(super) const MAX_UNWATCHED_SLEEP: Duration = Duration::from_millis(20);

/// What a watcher reads.
pub(super) struct Watched {
    pub(super) event: Pinned<Word>,
    /// Words that never change for long without the event: the published count and the state.
    pub(super) announced: [Pinned<Word>; 2],
    /// The sleeper's private words.
    pub(super) own: Memory<WriteWord>,
}

/// A thread that polls the publisher's FIFO and wakes the sleeper when the FIFO closes.
///
/// Every [`WATCH_INTERVAL`] it also checks whether its sleeper can still be woken. Two faults prevent that: a flag that the
/// publisher does not see, and a segment that was cut short. Whoever may write to `control` can clear the flag, or cut
/// the file short, so that publisher and subscriber look at different flags. The watcher therefore looks only at words
/// that nobody else can write: if there were messages or an end and the event did not change, it nudges the sleeper. A
/// subscriber that is awake does not notice. No ordinary wake-up depends on this.
pub(super) struct Watcher {
    stop: OwnedFd,
    thread: OwnThread,
}

impl Watcher {
    pub(super) fn start(fifo: &OwnedFd, watched: Watched) -> std::io::Result<Self> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let (fifo, stopped) = (fifo.try_clone()?, stop.try_clone()?);
        let Watched { event, announced, own } = watched;
        let look =
            move || (event.load(), announced.each_ref().map(|word| word.load()), event.memory().look_if_cut_short());
        // Before the sleeper's last look: what is published after that shows as a change.
        let (mut before, mut woken_before) = (look(), false);
        let thread = spawn("feed-ring watch", move || {
            let liveness = Liveness::Fifo(fifo);
            let Liveness::Fifo(fifo) = &liveness else { return };
            let vigilance = Timespec { tv_sec: 0, tv_nsec: i64::from(WATCH_INTERVAL.subsec_nanos()) };
            // A FIFO that was opened after the death never hangs up, so the loop asks first.
            while !liveness.is_dead() {
                let mut fds = [PollFd::new(fifo, PollFlags::empty()), PollFd::new(&stopped, PollFlags::IN)];
                let polled = poll(&mut fds, Some(&vigilance));
                if !fds[1].revents().is_empty() {
                    return;
                }
                if polled.is_err_and(|errno| errno != rustix::io::Errno::INTR) {
                    // The watcher cannot watch, so nobody may rely on it. It wakes the sleeper, which asks the kernel
                    // itself and starts another watcher. The pause keeps that from becoming a busy loop.
                    std::thread::sleep(MAX_UNWATCHED_SLEEP);
                    break;
                }
                let now = look();
                // What came before the event changed woke its sleeper. What came after it, in the same interval, may not
                // have: hence one look more.
                let woken = now.0 != before.0;
                let unwoken = !woken && (now.1 != before.1 || woken_before) && nudges();
                woken_before = woken;
                if unwoken || now.2 {
                    own[NUDGED].store(own[NUDGED].load().wrapping_add(1) & u64::from(u32::MAX));
                    wake(&own[NUDGED]);
                }
                before = now;
            }
            own[DEAD].store(1);
            wake(&own[DEAD]);
        })?;
        Ok(Watcher { stop, thread: OwnThread::new(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let Watcher { stop, thread } = self;
        thread.end(|| _ = rustix::io::write(stop.as_fd(), &1u64.to_ne_bytes()));
    }
}
