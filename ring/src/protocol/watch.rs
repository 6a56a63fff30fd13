//! The watcher thread: wakes a sleeping subscriber when its publisher dies, because the dead publisher cannot.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use crate::memory::{Memory, OwnThread};
use crate::presence::liveness::Liveness;
use crate::sync::{WriteWord, spawn, wake};

/// The index of the one word in a sleeper's private memory. It sleeps on it as well as on the ring's event word.
pub(super) const DEAD: usize = 0;
pub(super) const OWN_WORDS: usize = 1;

/// A sleeper without a watcher sleeps this long before it asks the kernel itself whether the publisher lives.
pub(super) const MAX_UNWATCHED_SLEEP: Duration = Duration::from_millis(20);

/// A thread that polls the publisher's FIFO and wakes the sleeper when the FIFO closes.
pub(super) struct Watcher {
    stop: OwnedFd,
    thread: OwnThread,
}

impl Watcher {
    /// `own` is the sleeper's private memory.
    pub(super) fn start(fifo: &OwnedFd, own: Memory<WriteWord>) -> std::io::Result<Self> {
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        let (fifo, stopped) = (fifo.try_clone()?, stop.try_clone()?);
        let thread = spawn("feed-ring watch", move || {
            let liveness = Liveness::Fifo(fifo);
            let Liveness::Fifo(fifo) = &liveness else { return };
            // A FIFO that was opened after the death never hangs up, so the loop asks first.
            while !liveness.is_dead() {
                let mut fds = [PollFd::new(fifo, PollFlags::empty()), PollFd::new(&stopped, PollFlags::IN)];
                let polled = poll(&mut fds, None);
                if !fds[1].revents().is_empty() {
                    return;
                }
                if polled.is_err_and(|errno| errno != rustix::io::Errno::INTR) {
                    // The watcher cannot watch, so nobody may rely on it. It wakes the sleeper, which asks the kernel
                    // itself and starts another watcher. The pause keeps that from becoming a busy loop.
                    std::thread::sleep(MAX_UNWATCHED_SLEEP);
                    break;
                }
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
