//! The thread that wakes sleepers in its publisher's place: [`Wake::Thread`](super::wake::Wake::Thread).
//!
//! An admitted subscriber can set the sleepers' flag again and again, take the page under it away, and put thousands of
//! threads to sleep. All of that delays this thread, and the subscribers that rely on being woken. The publisher shares
//! no word with the thread but the ring's own, which nobody else may write.
//!
//! While nobody sleeps, the thread sleeps on the flag. Otherwise it looks at intervals whether there are new messages.

use std::io;
use std::time::{Duration, Instant};

use super::place::Unfound;
use super::sleepers::Sleepers;
use super::view::View;
use super::{end, records, slot};
use crate::format::layout::{Layout, Parts};
use crate::memory::{Memory, OwnThread, Pinned};
use crate::sync::{Apart, Ordering, Word, WriteWord, fence, nap, on, sleep, spawn, wake};

/// Shortest pause between two looks. The kernel adds about 50 µs. Nothing makes the thread look more often, so nobody can
/// keep its processor busy.
const SHORTEST: Duration = Duration::from_micros(20);

/// Longest pause between two looks while somebody sleeps.
const LONGEST: Duration = Duration::from_millis(1);

/// After a silence the pause is this part of it.
const PART_OF_SILENCE: u32 = 16;

/// Longest sleep on the flag. A sleeper wakes this thread. Only one of a version before 0.2 does not.
const UNWOKEN: Duration = Duration::from_millis(10);

/// The running thread. Dropping this ends it.
pub(super) struct WakeThread {
    /// One private word: not zero once the thread is to end.
    stop: Memory<WriteWord>,
    thread: OwnThread,
}

impl WakeThread {
    pub(super) fn start(memory: Memory<Word>, layout: Layout, sleepers: Sleepers) -> io::Result<Self> {
        let stop = Memory::heap(1);
        let published = match layout.parts {
            Parts::Messages => Published::Ring(View::new(&memory, layout)),
            Parts::Records { .. } => Published::Records(View::new(&memory, layout)),
            Parts::Rows(_) => Published::Rows(Pinned::new(&memory, layout.published)),
        };
        let run = Run { published, sleepers, stop: stop.clone() };
        let apart = Apart::from_this_thread();
        let thread = spawn("feed-ring wake", move || run.until_stopped(apart))?;
        Ok(WakeThread { stop, thread: OwnThread::new(thread) })
    }
}

impl Drop for WakeThread {
    fn drop(&mut self) {
        let WakeThread { stop, thread } = self;
        thread.end(|| {
            stop[0].store(1);
            wake(&stop[0]);
        });
    }
}

/// What the thread works with.
struct Run {
    published: Published,
    sleepers: Sleepers,
    stop: Memory<WriteWord>,
}

impl Run {
    fn until_stopped(&self, mut apart: Apart) {
        // The sequence after the last message that sleepers were woken for.
        let mut announced = None;
        let mut active = Instant::now();
        while self.stop[0].load() == 0 {
            apart.keep();
            if self.sleepers.flag.load() == 0 {
                sleep(&[(&self.sleepers.flag, 0), (&self.stop[0], 0)], Some(Instant::now() + UNWOKEN));
                active = Instant::now();
            }
            let next = self.published.next();
            if let Some(next) = next
                && self.sleepers.flag.load() != 0
                && announced != Some(next)
                && self.published.is_last_seen(next)
            {
                announced = Some(next);
                // W5. Pairs with P2, or K5, and, through W2, with B1: a sleeper that sees the event changed sees every message
                // that is announced here. It would not be woken for them again.
                fence("W5", Ordering::Acquire);
                self.sleepers.wake_all();
                active = Instant::now();
            }
            let pause = active.elapsed() / PART_OF_SILENCE;
            nap((&self.stop[0], 0), pause.clamp(SHORTEST, LONGEST));
        }
    }
}

/// What the thread looks at.
enum Published {
    /// The slots of a ring.
    Ring(View),
    /// The slots of a ring of records.
    Records(View),
    /// The count of a table or a cell.
    Rows(Pinned<Word>),
}

impl Published {
    /// The sequence after the last message, or the number of stores. `None` if records came too quickly: the next look is soon.
    fn next(&self) -> Option<u64> {
        match self {
            Published::Ring(view) => Some(end::next_of_running(view)),
            Published::Records(view) => match records::next_of_running(view) {
                Ok(next) => Some(next.number),
                Err(Unfound::Overtaken) => None,
                Err(Unfound::Corrupt(_)) => Some(view.published_count()),
            },
            Published::Rows(count) => Some(count.load()),
        }
    }

    /// Whether this thread sees the message before `next` published. It always does in a table: there the count is what
    /// sleepers wait for. Of records it has read the last one.
    fn is_last_seen(&self, next: u64) -> bool {
        let Published::Ring(view) = self else { return true };
        let Some(last) = next.checked_sub(1).filter(|&last| last >= view.layout().base) else { return true };
        // W6. The count comes with no ordering, and may be seen before the message. A marker comes with none either.
        let word = view.first_word(last);
        word.is_multiple_of(2) && word >= slot::published(last) || !on("W6")
    }
}
