//! The subscriber: a handle that reads, at its own pace, and accounts for every message.

use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::absence::Absence;
use crate::error::{Corrupt, RecvError, TryRecvError};
use crate::layout::{EPOCHS, Layout, MAX_SEQUENCE, slot_words, state};
use crate::memory::{Memory, Pinned, Slots};
use crate::notify::{Notifier, Watched};
use crate::payload::Payload;
use crate::presence::{Attached, Liveness};
use crate::slot::Other;
use crate::sync::{
    LINE_WORDS, MARGIN_PART, Ordering, PROBE_POLLS, PROBE_TIME, ROUNDS, SPINS, Word, WriteWord, fence, on, spin_loop,
    yield_now,
};
use crate::wait::{Interrupter, Sleeper, Until, WaitStrategy};
use crate::{copy, slot};

mod hold_back;
mod options;

use hold_back::HoldBack;
pub use options::{Join, Mapping, SubscriberOptions};

/// Messages that a lapped subscriber leaves between itself and the oldest, at most: see [`Subscriber::try_recv`].
const MARGIN: u64 = 1024;

/// A subscriber writes down how far it is, in a line of its own that nobody but tools reads: after so many messages, when
/// it has lost some, and when it has nothing to do.
pub(crate) const REPORT: u64 = 1024;

/// One subscriber of a ring. It reads what the publisher wrote and writes nothing that the publisher waits for.
///
/// At every moment `first() + received() + lost() + skipped() == sequence()`: every message from the one it joined at is
/// accounted for.
///
/// A forked child must not receive with it: the ring's memory is not mapped there, nor does the thread run that
/// [`WaitStrategy::Block`] or a [`Notifier`] started. It may drop its copy, which leaves the parent's subscription as it
/// is, and open one of its own. Until it does, or becomes another program, or ends, a parent that died is still counted
/// among the subscribers.
///
/// ```
/// use feed_ring::{Join, TryRecvError, in_process};
///
/// let (mut publisher, ring) = in_process::<u64>(4)?; // holds 3 messages
/// let mut subscriber = ring.subscribe(Join::Oldest);
/// publisher.publish_batch(&[10, 11, 12, 13, 14]);
/// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Lagged { missed: 2 }));
/// assert_eq!(subscriber.try_recv(), Ok(12));
/// assert_eq!(subscriber.latest(), Ok(14));
/// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Empty));
/// let s = subscriber;
/// assert_eq!((s.first(), s.received(), s.lost(), s.skipped(), s.sequence()), (0, 2, 2, 1, 5));
/// # Ok::<(), feed_ring::CreateError>(())
/// ```
pub struct Subscriber<T> {
    slots: Slots<Word, T>,
    epoch_word: Pinned<Word>,
    next: u64,
    received: u64,
    epoch: u64,
    lost: u64,
    skipped: u64,
    first: u64,
    layout: Layout,
    wait: WaitStrategy,
    /// At which sequence number there is something else to do before it reads.
    attend_at: u64,
    /// At which sequence number it next writes down how far it is.
    report_at: u64,
    hold_back: HoldBack,
    /// Empty polls since the clock was last looked at.
    polls: u32,
    asked: Instant,
    dead: bool,
    /// State and epoch of the ring when its end was told of; live, if that was a death or there was none.
    told: (u64, u64),
    liveness: Liveness,
    sleeper: Sleeper,
    pub(crate) attached: Attached,
    /// What a sealed ring came through: its publisher counts those who keep it open.
    _connection: Option<OwnedFd>,
}

impl<T: Payload> Subscriber<T> {
    /// How to open the ring of this name.
    pub fn options(name: &str) -> SubscriberOptions<T> {
        SubscriberOptions::new(name)
    }

    /// How to join the sealed ring that a publisher serves at the socket `path`: see
    /// [`PublisherOptions::serve`](crate::PublisherOptions::serve). It is opened like one on disk; the
    /// [`root`](SubscriberOptions::root) means nothing to it, and its pages are read-only in any case.
    ///
    /// The connection stays open for as long as the subscriber lives, and counts it. After
    /// [`Closed`](crate::TryRecvError::Closed) or [`PublisherDead`](crate::TryRecvError::PublisherDead) there is nothing more to
    /// come from a sealed ring: connect again, to the next publisher's.
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<T> {
        SubscriberOptions::at_socket(path.as_ref())
    }

    /// Joins the ring in `memory`.
    pub(crate) fn new(
        memory: Memory<Word>,
        layout: Layout,
        liveness: Liveness,
        sleepers: Pinned<WriteWord>,
        join: Join,
        wait: WaitStrategy,
    ) -> Self {
        let mut subscriber = Subscriber {
            sleeper: Sleeper::new(&memory, &layout, sleepers),
            epoch_word: Pinned::new(&memory, layout.epoch()),
            slots: Slots::new(memory, layout.slots, layout.capacity),
            next: 0,
            received: 0,
            epoch: 0,
            lost: 0,
            skipped: 0,
            first: 0,
            layout,
            wait,
            attend_at: 0,
            report_at: 0,
            hold_back: HoldBack::new(layout.capacity, slot_words(size_of::<T>())),
            polls: PROBE_POLLS,
            asked: Instant::now().checked_sub(PROBE_TIME).unwrap_or_else(Instant::now),
            dead: false,
            told: (state::LIVE, 0),
            liveness,
            attached: Attached::Entry(None),
            _connection: None,
        };
        subscriber.first = match join {
            Join::Sequence(sequence) => sequence,
            Join::Latest => subscriber.published_by_now(),
            Join::Oldest => subscriber.oldest(subscriber.published_by_now()),
        };
        subscriber.next = subscriber.first;
        subscriber.caught_up();
        subscriber.epoch = subscriber.epoch_at(subscriber.first);
        subscriber.told.1 = subscriber.epoch_word.load();
        subscriber
    }

    /// The next message, if there is one.
    ///
    /// After [`TryRecvError::Lagged`] the next call goes on with a message that the ring still holds: not the oldest, which
    /// would be overwritten at once, but an eighth of the ring or 1,024 messages after it, whichever is less. These count
    /// as lost, too. Once the ring has ended or its publisher is dead, it is the oldest.
    ///
    /// That the publisher died is noticed by asking the kernel, on the first empty call, then after 16 empty calls and
    /// half a millisecond: who calls seldom can ask with [`publisher_is_alive`](Self::publisher_is_alive).
    ///
    /// # Errors
    /// [`TryRecvError`]: `Empty` if there is none yet. Only after `Corrupt` and `CutShort` is there no point in
    /// calling again.
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.attempt(false, by_value)
    }

    /// As [`try_recv`](Self::try_recv), into a message that is there already: for messages of several cache lines, which
    /// are then copied once and not moved again. After an error the message is a message still, but of no meaning: words
    /// of several may be mixed in it.
    ///
    /// # Errors
    /// As [`try_recv`](Self::try_recv).
    #[inline]
    pub fn try_recv_into(&mut self, message: &mut T) -> Result<(), TryRecvError> {
        self.attempt(false, |words| copy::load_over(words, message))
    }

    /// The next message, as soon as there is one. Nothing interrupts it: a program that must be able to end waits with
    /// [`recv_timeout`](Self::recv_timeout), whose timeout may be [`Duration::MAX`].
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv). `Closed`, `PublisherDead` and `Superseded` come again at once when it
    /// is called again: see [`wait_for_publisher`](Self::wait_for_publisher).
    #[inline]
    pub fn recv(&mut self) -> Result<T, RecvError> {
        self.receive(by_value)
    }

    /// As [`recv`](Self::recv), into a message that is there already: see [`try_recv_into`](Self::try_recv_into).
    ///
    /// # Errors
    /// [`RecvError`], as [`try_recv`](Self::try_recv).
    #[inline]
    pub fn recv_into(&mut self, message: &mut T) -> Result<(), RecvError> {
        self.receive(|words| copy::load_over(words, message))
    }

    /// Waits until there is something to be received, or to be told.
    #[inline(always)]
    fn receive<C>(&mut self, mut copy: impl FnMut(&[Word]) -> C) -> Result<C, RecvError> {
        let mut rounds = 0;
        loop {
            if let Some(copied) = self.poll(&mut copy) {
                return Ok(copied);
            }
            if let Some(copied) = self.wait(&mut rounds, Until::WHATEVER, &mut copy)? {
                return Ok(copied);
            }
        }
    }

    /// Polls for the next message for a while, and receives it from within the loop that saw it come: on the way of a message
    /// of one line there is nothing else. One of several lines is looked at once and left to [`wait`](Self::wait), which
    /// was measured to be faster for these.
    #[inline(always)]
    fn poll<C>(&mut self, mut copy: impl FnMut(&[Word]) -> C) -> Option<C> {
        let (awaited, mut polls) = (slot::published(self.next), 0);
        loop {
            match self.look(true, &mut copy) {
                Ok(copied) if self.is_of_this_epoch() => {
                    if polls > 0 {
                        self.caught_up();
                    }
                    self.advance();
                    return Some(copied);
                }
                // Not published yet, most likely.
                Err(seen) if seen < awaited && polls < SPINS && Slots::<Word, T>::WORDS == LINE_WORDS => {
                    polls += 1;
                    spin_loop();
                }
                _ => return None,
            }
        }
    }

    /// What polling did not find: the next message all the same, something to be told, or nothing, once it has waited as was
    /// asked for; `rounds` counts how often already for this message. Out of line: it costs a message nothing that is there.
    #[inline(never)]
    fn wait<C>(
        &mut self,
        rounds: &mut u32,
        until: Until,
        copy: impl FnMut(&[Word]) -> C,
    ) -> Result<Option<C>, RecvError> {
        self.caught_up();
        if Slots::<Word, T>::WORDS > LINE_WORDS {
            let (slot, awaited) = (self.slots.at(self.next), slot::published(self.next));
            for _ in 0..SPINS {
                if slot[0].load() >= awaited {
                    break;
                }
                spin_loop();
            }
        }
        match self.attempt(false, copy) {
            Ok(copied) => Ok(Some(copied)),
            Err(error) => match RecvError::of(error) {
                Some(error) => Err(error),
                None => {
                    self.pause(rounds, until);
                    Ok(None)
                }
            },
        }
    }

    /// The next message, if one comes within `timeout`, which may be [`Duration::MAX`], and before this subscriber is
    /// [interrupted](Self::interrupter).
    ///
    /// # Errors
    /// [`TryRecvError`], `Empty` if none came in time. That the ring ended or its publisher died is told at once, and again
    /// at once when it is called again: see [`wait_for_publisher`](Self::wait_for_publisher).
    pub fn recv_timeout(&mut self, timeout: Duration) -> Result<T, TryRecvError> {
        match self.attempt(!timeout.is_zero(), by_value) {
            Err(TryRecvError::Empty) => self.caught_up(),
            result => return result,
        }
        let deadline = Instant::now().checked_add(timeout);
        let until = Until { deadline, interruptible: true };
        let mut rounds = 0;
        while deadline.is_none_or(|deadline| Instant::now() < deadline) && !self.sleeper.was_interrupted() {
            if let Some(message) = self.poll(by_value) {
                return Ok(message);
            }
            if let Some(message) = self.wait(&mut rounds, until, by_value)? {
                return Ok(message);
            }
        }
        Err(TryRecvError::Empty)
    }

    /// After [`PublisherDead`](TryRecvError::PublisherDead), or [`Closed`](TryRecvError::Closed) where rings are kept when
    /// they are closed: waits until a publisher takes the ring over, for at most `timeout`, which may be
    /// [`Duration::MAX`]. True means that it is worth receiving again: there is a publisher, or something else that the
    /// next receive will tell of, such as another ring that took the name. False means that nothing came in time, or that
    /// this subscriber was [interrupted](Self::interrupter).
    ///
    /// It sleeps, whatever the [`WaitStrategy`]; a takeover wakes it. Not every ring comes back: one that was closed and
    /// removed, and a sealed one, never do. Bound the wait then, and [open](SubscriberOptions::open) the name again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use feed_ring::{Join, TryRecvError, in_process};
    ///
    /// let (publisher, ring) = in_process::<u64>(64)?;
    /// let mut subscriber = ring.subscribe(Join::Oldest);
    /// publisher.close()?;
    /// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Closed));
    /// assert!(!subscriber.wait_for_publisher(Duration::from_millis(1)));
    /// let _publisher = ring.take_over();
    /// assert!(subscriber.wait_for_publisher(Duration::MAX));
    /// assert_eq!(subscriber.try_recv(), Err(TryRecvError::Restarted { epoch: 2, sequence: 0 }));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let absence = self.absence();
        self.report();
        loop {
            let is_over = || absence.is_over(&self.slots, &self.layout, &self.liveness);
            if is_over() {
                return true;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || self.sleeper.was_interrupted() {
                return false;
            }
            self.sleeper.sleep_on_event(Until { deadline, interruptible: true }, is_over);
        }
    }

    /// How the ring was when its end was told of, for one who waits for a publisher: what came since then is no absence.
    pub(crate) fn absence(&self) -> Absence {
        let (state, epoch) = self.told;
        Absence { sequence: self.next, epoch, state }
    }

    /// What calls this subscriber back from another thread when it waits in [`recv_timeout`](Self::recv_timeout), so that a
    /// program can end on Ctrl-C without looking up every few milliseconds.
    pub fn interrupter(&self) -> Interrupter {
        self.sleeper.interrupter()
    }

    /// As many of the next messages as there are and as `messages` has room for; returns how many. What the elements
    /// behind them hold afterwards has no meaning.
    ///
    /// # Errors
    /// [`TryRecvError`], if there was not a single message; what ends a batch is reported by the next call.
    pub fn recv_batch(&mut self, messages: &mut [T]) -> Result<usize, TryRecvError> {
        let mut count = 0;
        for message in messages {
            match self.look(false, |words| copy::load_over(words, message)) {
                Ok(()) if self.is_of_this_epoch() => self.advance(),
                _ if count > 0 => break,
                read => self.look_again(read.err(), |words| copy::load_over(words, message))?,
            }
            count += 1;
        }
        Ok(count)
    }

    /// A file descriptor that becomes readable when there is something to receive: see [`Notifier`]. It starts a thread.
    ///
    /// # Errors
    /// If the descriptor or the thread cannot be made.
    pub fn notifier(&self) -> std::io::Result<Notifier> {
        let (slots, layout) = (self.slots.clone(), self.layout);
        Notifier::start(Watched {
            slots,
            layout,
            liveness: self.liveness.try_clone()?,
            sleeper: self.sleeper.another(),
        })
    }

    /// The newest message, if there is one that was not received. The messages before it are passed over and count as
    /// skipped, whether the ring still held them or not.
    ///
    /// # Errors
    /// [`TryRecvError`], as [`try_recv`](Self::try_recv). In a ring so small that the publisher overtakes every attempt,
    /// `Lagged` after some.
    pub fn latest(&mut self) -> Result<T, TryRecvError> {
        let mut last = TryRecvError::Empty;
        for _ in 0..16 {
            let newest = self.published_by_now().saturating_sub(1);
            // V7. Pairs with P1 and P2: who knows how far the publisher is sees the epoch that it publishes in, below.
            fence("V7", Ordering::Acquire);
            if newest > self.next {
                // V4. An epoch that began on the way must be told of, as it would have been when reading one by one.
                if let Some((epoch, sequence)) = self.epoch_begun(newest).filter(|_| on("V4")) {
                    self.epoch = epoch;
                    self.skip_to(sequence.clamp(self.next, newest));
                    return Err(TryRecvError::Restarted { epoch, sequence });
                }
                self.skip_to(newest);
            }
            match self.try_recv() {
                Err(lagged @ TryRecvError::Lagged { .. }) => last = lagged,
                result => return result,
            }
        }
        Err(last)
    }

    fn skip_to(&mut self, sequence: u64) {
        self.skipped += sequence - self.next;
        self.next = sequence;
    }

    /// The sequence number of the next message that [`try_recv`](Self::try_recv) will return if nothing is lost; that of
    /// the last one returned is one less.
    #[inline]
    pub fn sequence(&self) -> u64 {
        self.next
    }

    /// The sequence number that this subscriber joined at.
    pub fn first(&self) -> u64 {
        self.first
    }

    /// How many messages were returned.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// How many messages were overwritten before they were read.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// How many messages [`latest`](Self::latest) passed over.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// How many messages are published and not yet received. Reads a line that the publisher writes with each message:
    /// asking often slows the publisher down.
    pub fn lag(&self) -> u64 {
        self.published_by_now().saturating_sub(self.next)
    }

    /// Slots of the ring; it holds the last `capacity - 1` messages.
    pub fn capacity(&self) -> usize {
        self.slots.capacity() as usize
    }

    /// The epoch of the last message returned: 1 for a ring's first publisher, one more for each that took over.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether a publisher lives; asks the kernel.
    pub fn publisher_is_alive(&self) -> bool {
        !self.liveness.is_dead()
    }

    /// Whether no epoch began since the one that was told of last, so that what was just read is of that one.
    #[inline(always)]
    fn is_of_this_epoch(&self) -> bool {
        // V2. A message's epoch was stored before it, so whoever has read the one sees the other. Told of in `resolve`.
        self.epoch_word.load() == self.epoch || !on("V2")
    }

    /// Receives the next message, if it is there, or says why not.
    #[inline(always)]
    fn attempt<C>(&mut self, waits: bool, mut copy: impl FnMut(&[Word]) -> C) -> Result<C, TryRecvError> {
        match self.look(waits, &mut copy) {
            Ok(copied) if self.is_of_this_epoch() => {
                self.advance();
                Ok(copied)
            }
            read => self.look_again(read.err(), copy),
        }
    }

    /// Reads the next message, if it is there. The error is the sequence word that was there instead. `waits` tells whether
    /// it would be waited for.
    #[inline(always)]
    fn look<C>(&mut self, waits: bool, copy: impl FnOnce(&[Word]) -> C) -> Result<C, u64> {
        if self.next >= self.attend_at {
            self.attend(waits);
        }
        slot::read(self.slots.at(self.next), self.next, copy)
    }

    /// What there is to do every so many messages.
    #[cold]
    fn attend(&mut self, waits: bool) {
        if self.next >= self.report_at {
            self.report();
        }
        let hold_back_at = self.hold_back(waits);
        self.attend_at = hold_back_at.min(self.report_at);
    }

    /// The next message was received.
    #[inline(always)]
    fn advance(&mut self) {
        self.next += 1;
        self.received += 1;
    }

    /// Writes down how far it is, for tools.
    #[cold]
    fn report(&mut self) {
        self.tell_tools();
        self.report_at = self.next.saturating_add(REPORT);
    }

    pub(crate) fn tell_tools(&self) {
        self.attached.report(self.next, self.lost);
    }

    #[inline(always)]
    fn mask(&self) -> u64 {
        self.slots.capacity() - 1
    }

    fn window(&self) -> u64 {
        self.slots.capacity() - 1
    }

    /// Waits as was asked for after polling in vain.
    #[cold]
    fn pause(&mut self, rounds: &mut u32, until: Until) {
        match self.wait {
            WaitStrategy::Spin => return spin_loop(),
            WaitStrategy::Yield => return yield_now(),
            WaitStrategy::Block if *rounds < ROUNDS => return *rounds += 1,
            WaitStrategy::Block => {}
        }
        self.report();
        let (slot, sequence, mask) = (self.slots.at(self.next), self.next, self.mask());
        let (memory, epoch) = (self.slots.memory(), self.epoch);
        let dead = self.sleeper.sleep(&self.liveness, until, || {
            // B6, B7, B8. Whatever it would have been woken for may have come before the flag.
            slot::is_there(slot, sequence, mask) && on("B6")
                || memory[self.layout.state()].load() != state::LIVE && on("B7")
                || memory[self.layout.epoch()].load() != epoch && on("B8")
        });
        // Whatever it was woken for, or not: if there is no message, the other questions are asked at once.
        self.polls = PROBE_POLLS;
        self.dead |= dead;
    }

    /// The oldest sequence that a ring holds of which `published` is the next.
    fn oldest(&self, published: u64) -> u64 {
        // J3. A ring that took the place of another does not begin at 0.
        published.saturating_sub(self.window()).max(if on("J3") { self.layout.base } else { 0 })
    }

    /// The next sequence to be published. The count in the header may be behind the slots, or before them; the slots
    /// decide, as far as they can be followed.
    fn published_by_now(&self) -> u64 {
        let count = self.slots.memory()[self.layout.published].load();
        // J2. Only one that a publisher can have reached can be counted on from.
        let count = if on("J2") { count.clamp(self.layout.base, MAX_SEQUENCE) } else { count };
        // J1. The count is stored after the slot; a publisher may have died between the two.
        (count..count + self.slots.capacity())
            .find(|&sequence| self.slots.at(sequence)[0].load() != slot::published(sequence) || !on("J1"))
            .unwrap_or(count)
    }

    /// The cold half of every receive: the next message after all, or why it was not read. `seen` is what its slot says
    /// instead; none if the message is there, and an epoch has begun.
    #[cold]
    #[inline(never)]
    fn look_again<C>(&mut self, seen: Option<u64>, copy: impl FnOnce(&[Word]) -> C) -> Result<C, TryRecvError> {
        self.resolve(seen)?;
        match self.look(false, copy) {
            Ok(copied) => {
                self.advance();
                Ok(copied)
            }
            // It may have been overwritten since it was last looked at.
            Err(seen) => Err(match slot::other(seen, self.next, self.mask()) {
                Other::Lapped { published } => self.lapped(published),
                Other::Corrupt => self.corrupt(seen),
                Other::NotYet => TryRecvError::Empty,
            }),
        }
    }

    /// Why the next message was not read, as [`look_again`](Self::look_again) has it. `Ok` if it is to be read
    /// now, whatever the epoch in the header says by then.
    fn resolve(&mut self, seen: Option<u64>) -> Result<(), TryRecvError> {
        let Some(seen) = seen else {
            // The first message since an epoch began elsewhere: told of before the message.
            return self.tell_of_epoch();
        };
        match slot::other(seen, self.next, self.mask()) {
            Other::Lapped { published } => Err(self.lapped(published)),
            Other::Corrupt => Err(self.corrupt(seen)),
            Other::NotYet => self.not_yet(),
        }
    }

    fn corrupt(&self, found: u64) -> TryRecvError {
        Corrupt { what: "a slot", found, sequence: self.next }.into()
    }

    /// Counts what was lost and goes on behind it. `published` is what the slot said.
    fn lapped(&mut self, published: u64) -> TryRecvError {
        // The count may know of later messages. One that no publisher can have reached is not believed.
        let count = self.slots.memory()[self.layout.published].load();
        // L2.
        let published = if count < MAX_SEQUENCE || !on("L2") { published.max(count) } else { published };
        let oldest = self.oldest(published);
        // L3. Without it the next message would be overwritten at once.
        let margin = if on("L3") { (self.window() / MARGIN_PART).min(MARGIN) } else { 0 };
        // L4. What the ring began with is not about to be overwritten, and nothing is once nobody publishes.
        let about_to_go = oldest > self.layout.base || !on("L4");
        let margin = if margin > 0 && about_to_go && self.goes_on() { margin } else { 0 };
        let resume = oldest + margin;
        let missed = resume.saturating_sub(self.next).max(1);
        // L1. Every message that is passed over is counted.
        if on("L1") {
            self.lost = self.lost.wrapping_add(missed);
        }
        self.next = self.next.wrapping_add(missed);
        self.report();
        TryRecvError::Lagged { missed }
    }

    /// Whether somebody publishes, as far as can be told.
    fn goes_on(&self) -> bool {
        self.slots.memory()[self.layout.state()].load() == state::LIVE && !self.liveness.is_dead()
    }

    /// Nothing in the slot yet: has the ring ended, has an epoch begun, is the publisher dead?
    fn not_yet(&mut self) -> Result<(), TryRecvError> {
        // L5. A message from before this ring never comes.
        if self.next < self.layout.base && on("L5") {
            return Err(self.lapped(self.layout.base));
        }
        let now = self.slots.memory()[self.layout.state()].load();
        if now != state::LIVE {
            // E1. Pairs with C1 and C3: a message published before the ring ended is seen by the last look.
            fence("E1", Ordering::Acquire);
            return self.ended(now);
        }
        self.tell_of_epoch()?;
        self.polls += 1;
        if self.polls > PROBE_POLLS {
            self.polls = 0;
            self.report();
            let now = Instant::now();
            self.dead |= now.duration_since(self.asked) >= PROBE_TIME;
        }
        if self.dead {
            self.asked = Instant::now();
            // A publisher whose memory was replaced publishes no more into this one, and lives.
            if self.slots.memory().look_if_cut_short() {
                return Err(TryRecvError::CutShort);
            }
            self.dead = self.liveness.is_dead();
            if self.dead {
                // E2. Pairs with C2, as which the kernel's word counts too: all that the publisher stored is seen from here.
                fence("E2", Ordering::Acquire);
                // E4. Who closed is gone as well: the look at the state above may have been before that.
                let now = if on("E4") { self.slots.memory()[self.layout.state()].load() } else { state::LIVE };
                return self.ended(now);
            }
        }
        Err(TryRecvError::Empty)
    }

    /// A last look, behind the fence that made the end certain; if there is still nothing, how the ring ended.
    fn ended(&mut self, now: u64) -> Result<(), TryRecvError> {
        // E3. Without it a message that came between the first look and the end would be kept back.
        if on("E3") {
            match slot::read(self.slots.at(self.next), self.next, |_| ()) {
                Err(seen) if slot::other(seen, self.next, self.mask()) == Other::NotYet => {}
                // V3. Another publisher may have taken over since, and this be its first message: told of first.
                Ok(()) if !on("V3") => return Ok(()),
                read => return self.resolve(read.err()),
            }
        }
        self.told = (now, self.epoch_word.load());
        Err(match now {
            state::LIVE => TryRecvError::PublisherDead,
            state::CLOSED => TryRecvError::Closed,
            state::SUPERSEDED => TryRecvError::Superseded,
            _ if self.slots.memory().is_cut_short() => TryRecvError::CutShort,
            found => Corrupt { what: "the state", found, sequence: self.next }.into(),
        })
    }

    /// Tells of the last epoch that began at or before the next message, unless it was told of.
    #[inline(always)]
    fn tell_of_epoch(&mut self) -> Result<(), TryRecvError> {
        match self.epoch_begun(self.next) {
            Some((epoch, sequence)) => {
                self.epoch = epoch;
                Err(TryRecvError::Restarted { epoch, sequence })
            }
            None => Ok(()),
        }
    }

    /// The last epoch that began at or before `sequence` and that this subscriber has not been told of.
    fn epoch_begun(&self, sequence: u64) -> Option<(u64, u64)> {
        let now = self.epoch_word.load();
        if now == self.epoch {
            return None;
        }
        let epoch = self.epoch_at(sequence);
        // V5. The header may say that another epoch begins further on: not yet to be told of.
        (epoch > self.epoch || !on("V5")).then(|| (epoch, self.begin(epoch)))
    }

    /// The epoch that the message of this sequence number is of, as far back as the header knows.
    fn epoch_at(&self, sequence: u64) -> u64 {
        let now = self.epoch_word.load();
        // V1. Pairs with T2: the beginnings of the epoch that was seen, or of later ones.
        fence("V1", Ordering::Acquire);
        let oldest = now.saturating_sub(EPOCHS - 2).max(1);
        // V6. Not simply the last that has begun: messages of the one before may be still to be read.
        let begun = |&epoch: &u64| self.begin(epoch) <= sequence || !on("V6");
        (oldest..=now).rev().find(begun).unwrap_or(oldest.min(now))
    }

    fn begin(&self, epoch: u64) -> u64 {
        self.slots.memory()[self.layout.begin(epoch)].load()
    }
}

/// A copy of a payload that is returned, rather than put where the caller says.
#[inline(always)]
fn by_value<T: Payload>(words: &[Word]) -> T {
    *copy::load(words, &mut MaybeUninit::uninit())
}

impl<T> std::fmt::Debug for Subscriber<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber")
            .field("sequence", &self.next)
            .field("received", &self.received)
            .field("lost", &self.lost)
            .field("skipped", &self.skipped)
            .finish()
    }
}
