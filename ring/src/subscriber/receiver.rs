//! The untyped core of a subscriber: it polls, waits, records its position for tools, and asks whether the publisher
//! lives. The cursor holds its position and decides what to report.

use std::io;
use std::time::{Duration, Instant};

use super::hold_back::HoldBack;
use super::notify::{Armed, Notifier, Watched};
use crate::error::{RecvError, TryRecvError};
use crate::format::layout::Layout;
use crate::memory::Memory;
use crate::protocol::cursor::{Cursor, Resolution};
use crate::protocol::join::Join;
use crate::protocol::place::{BySequence, Place};
use crate::protocol::slot;
use crate::protocol::slots::{Slots, Stride};
use crate::protocol::view::View;
use crate::protocol::wait::{Interrupter, Sleeper, Until, WaitStrategy};
use crate::sync::tuning::{PROBE_POLLS, PROBE_TIME, REPORT_EVERY, ROUNDS, SPINS};
use crate::sync::{LINE_WORDS, Word, spin_loop, yield_now};
use crate::transport::attachment::{Attachment, Opened};

/// Number of attempts that [`Receiver::latest`] makes if the publisher overtakes it.
const LATEST_ATTEMPTS: u32 = 16;

/// The messages of a ring, as they are read.
pub(crate) trait Messages {
    /// Where a message is.
    type Place: Place;
    /// What a copy is made of.
    type Source<'a>;

    fn memory(&self) -> &Memory<Word>;

    /// Whether a message is within one line, so that polling for it and reading it are one.
    fn is_one_line(&self) -> bool;

    /// The word that a subscriber polls.
    fn polled(&self, sequence: u64, place: Self::Place) -> &Word;

    /// What that word is at least once the message is there.
    fn awaited(sequence: u64, place: Self::Place) -> u64;

    /// Whether the slot that comes `ahead` slots after the message's was published.
    fn is_published(&self, sequence: u64, place: Self::Place, ahead: u64) -> bool;

    /// Reads message `sequence`. The place of the message behind it comes with it. The error is the word that was there
    /// instead.
    fn read<C>(
        &self,
        sequence: u64,
        place: Self::Place,
        copy: impl FnOnce(Self::Source<'_>) -> C,
    ) -> Result<(C, Self::Place), u64>;
}

impl<S: Stride> Messages for Slots<Word, S> {
    type Place = BySequence;
    type Source<'a> = &'a [Word];

    #[inline(always)]
    fn memory(&self) -> &Memory<Word> {
        Slots::memory(self)
    }

    #[inline(always)]
    fn is_one_line(&self) -> bool {
        self.words() == LINE_WORDS
    }

    #[inline(always)]
    fn polled(&self, sequence: u64, _: BySequence) -> &Word {
        &self.at(sequence)[0]
    }

    #[inline(always)]
    fn awaited(sequence: u64, _: BySequence) -> u64 {
        slot::published(sequence)
    }

    fn is_published(&self, sequence: u64, _: BySequence, ahead: u64) -> bool {
        let sequence = sequence.saturating_add(ahead);
        self.at(sequence)[0].load() >= slot::published(sequence)
    }

    #[inline(always)]
    fn read<C>(
        &self,
        sequence: u64,
        place: BySequence,
        copy: impl FnOnce(&[Word]) -> C,
    ) -> Result<(C, BySequence), u64> {
        slot::read(self.at(sequence), sequence, copy).map(|copied| (copied, place))
    }
}

/// What ended a wait for a publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PublisherWait {
    /// There is a publisher, or another event to return.
    Over,
    TimedOut,
    Interrupted,
}

/// One subscriber of a ring, which has the messages `M`.
pub(crate) struct Receiver<M, P> {
    messages: M,
    cursor: Cursor<P>,
    wait: WaitStrategy,
    /// The sequence number at which to call `attend` before reading.
    attend_at: u64,
    /// The sequence number at which to record the position next.
    record_at: u64,
    pub(crate) hold_back: HoldBack,
    /// Number of empty polls since the clock was last read.
    polls: u32,
    /// When the kernel was last asked whether the publisher lives.
    asked: Instant,
    /// Whether the publisher may be dead: the next empty poll asks the kernel.
    dead: bool,
    sleeper: Sleeper,
    attachment: Attachment,
}

impl<M: Messages<Place = P>, P: Place> Receiver<M, P> {
    /// Joins an opened ring. `messages` makes its messages of its memory.
    pub(crate) fn new(
        opened: Opened,
        messages: impl FnOnce(Memory<Word>, &Layout) -> M,
        join: Join,
        wait: WaitStrategy,
    ) -> Self {
        let Opened { memory, layout, sleepers, mut attachment, .. } = opened;
        let cursor = Cursor::join(View::new(&memory, layout), join);
        attachment.claim_entry(cursor.next());
        let mut hold_back = HoldBack::new(layout.capacity, layout.slot_words);
        hold_back.caught_up(cursor.next());
        Receiver {
            sleeper: Sleeper::new(&memory, &layout, sleepers),
            messages: messages(memory, &layout),
            cursor,
            wait,
            attend_at: 0,
            record_at: 0,
            hold_back,
            polls: PROBE_POLLS,
            asked: Instant::now().checked_sub(PROBE_TIME).unwrap_or_else(Instant::now),
            dead: false,
            attachment,
        }
    }

    /// Receives the next message if it is there, or returns why not. `waits` tells whether the caller would wait for
    /// it.
    #[inline(always)]
    pub(crate) fn attempt<C>(
        &mut self,
        waits: bool,
        mut copy: impl FnMut(M::Source<'_>) -> C,
    ) -> Result<C, TryRecvError> {
        match self.look(waits, &mut copy) {
            Ok((copied, behind)) if self.cursor.is_of_this_epoch() => {
                self.cursor.advance(behind);
                Ok(copied)
            }
            read => self.look_again(read.err(), copy),
        }
    }

    /// Receives the next message if it is there, and there is nothing to do or to tell before it. `None` says nothing: [`attempt`]
    /// does the rest. It calls no function, so its caller keeps nothing on the stack for it.
    ///
    /// [`attempt`]: Self::attempt
    #[inline(always)]
    pub(crate) fn take<C>(&mut self, copy: impl FnOnce(M::Source<'_>) -> C) -> Option<C> {
        let next = self.cursor.next();
        if next >= self.attend_at {
            return None;
        }
        match self.messages.read(next, self.cursor.place(), copy) {
            Ok((copied, behind)) if self.cursor.is_of_this_epoch() => {
                self.cursor.advance(behind);
                Some(copied)
            }
            _ => None,
        }
    }

    /// Waits for the next message or event and returns it.
    #[inline(always)]
    pub(crate) fn receive<C>(&mut self, mut copy: impl FnMut(M::Source<'_>) -> C) -> Result<C, RecvError> {
        let mut rounds = 0;
        loop {
            if let Some(copied) = self.poll(&mut copy) {
                return Ok(copied);
            }
            if let Some(copied) = self.wait(&mut rounds, Until::UNLIMITED, &mut copy)? {
                return Ok(copied);
            }
        }
    }

    /// The same, for at most `timeout`.
    pub(crate) fn receive_within<C>(
        &mut self,
        timeout: Duration,
        mut copy: impl FnMut(M::Source<'_>) -> C,
    ) -> Result<C, TryRecvError> {
        match self.attempt(!timeout.is_zero(), &mut copy) {
            Err(TryRecvError::Empty) => self.hold_back.caught_up(self.cursor.next()),
            result => return result,
        }
        let deadline = Instant::now().checked_add(timeout);
        let until = Until { deadline, interruptible: true };
        let mut rounds = 0;
        while deadline.is_none_or(|deadline| Instant::now() < deadline) && !self.sleeper.was_interrupted() {
            if let Some(copied) = self.poll(&mut copy) {
                return Ok(copied);
            }
            if let Some(copied) = self.wait(&mut rounds, until, &mut copy)? {
                return Ok(copied);
            }
        }
        Err(TryRecvError::Empty)
    }

    /// Receives as many of the next messages as there are, up to one for each of `copies`. Returns how many.
    #[inline(always)]
    pub(crate) fn receive_batch<C: FnMut(M::Source<'_>)>(
        &mut self,
        copies: impl Iterator<Item = C>,
    ) -> Result<usize, TryRecvError> {
        let mut count = 0;
        for mut copy in copies {
            match self.receive_one_of_a_batch(count == 0, &mut copy)? {
                Some(()) => count += 1,
                None => break,
            }
        }
        Ok(count)
    }

    /// Receives one message of a batch. Only for the first it finds out why there is none; for any other that is left to the
    /// next call.
    #[inline(always)]
    pub(crate) fn receive_one_of_a_batch<C>(
        &mut self,
        is_first: bool,
        mut copy: impl FnMut(M::Source<'_>) -> C,
    ) -> Result<Option<C>, TryRecvError> {
        match self.look(false, &mut copy) {
            Ok((copied, behind)) if self.cursor.is_of_this_epoch() => {
                self.cursor.advance(behind);
                Ok(Some(copied))
            }
            _ if !is_first => Ok(None),
            read => self.look_again(read.err(), copy).map(Some),
        }
    }

    /// Receives the newest message, if it was not received yet.
    pub(crate) fn latest<C>(&mut self, mut copy: impl FnMut(M::Source<'_>) -> C) -> Result<C, TryRecvError> {
        let mut attempts = 1..LATEST_ATTEMPTS;
        loop {
            self.cursor.skip_to_newest()?;
            let goes_on = attempts.next().is_some();
            self.cursor.want_newest(goes_on);
            let result = self.attempt(false, &mut copy);
            self.cursor.want_newest(false);
            // Overwritten meanwhile, so another message is the newest now.
            if !goes_on || !matches!(result, Err(TryRecvError::Lagged { .. })) {
                return result;
            }
        }
    }

    /// Polls for the next message for a while, and receives it within the polling loop. A message of one line passes
    /// through nothing else. A message of several lines is polled for once and then left to [`wait`](Self::wait), which
    /// measurements showed to be faster.
    #[inline(always)]
    fn poll<C>(&mut self, mut copy: impl FnMut(M::Source<'_>) -> C) -> Option<C> {
        let (awaited, mut polls) = (M::awaited(self.cursor.next(), self.cursor.place()), 0);
        loop {
            match self.look(true, &mut copy) {
                Ok((copied, behind)) if self.cursor.is_of_this_epoch() => {
                    if polls > 0 {
                        self.hold_back.caught_up(self.cursor.next());
                    }
                    self.cursor.advance(behind);
                    return Some(copied);
                }
                // Not published yet, most likely.
                Err(seen) if seen < awaited && polls < SPINS && self.messages.is_one_line() => {
                    polls += 1;
                    spin_loop();
                }
                _ => return None,
            }
        }
    }

    /// Slow path of `receive`: retries once, then waits. Returns a message, an event (`Err`), or `None` to poll again.
    /// `rounds` counts the waits for this message. Not inlined, so a message that is there costs nothing more.
    #[inline(never)]
    fn wait<C>(
        &mut self,
        rounds: &mut u32,
        until: Until,
        copy: impl FnMut(M::Source<'_>) -> C,
    ) -> Result<Option<C>, RecvError> {
        self.hold_back.caught_up(self.cursor.next());
        if !self.messages.is_one_line() {
            let (next, place) = (self.cursor.next(), self.cursor.place());
            let (word, awaited) = (self.messages.polled(next, place), M::awaited(next, place));
            for _ in 0..SPINS {
                if word.load() >= awaited {
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

    /// Reads the next message, if it is there. The error is the sequence word that was there instead. `waits` tells
    /// whether the caller would wait for it.
    #[inline(always)]
    fn look<C>(&mut self, waits: bool, copy: impl FnOnce(M::Source<'_>) -> C) -> Result<(C, P), u64> {
        if self.cursor.next() >= self.attend_at {
            self.attend(waits);
        }
        // Loads the number again, so that no register has to keep it across that call.
        let next = self.cursor.next();
        self.messages.read(next, self.cursor.place(), copy)
    }

    /// The work between messages: records the position, and holds back.
    #[cold]
    fn attend(&mut self, waits: bool) {
        if self.cursor.next() >= self.record_at {
            self.record_position();
        }
        let (next, place) = (self.cursor.next(), self.cursor.place());
        let is_published = |ahead| self.messages.is_published(next, place, ahead);
        let hold_back_at = self.hold_back.hold_back_before(self.cursor.view(), next, waits, is_published);
        self.attend_at = hold_back_at.min(self.record_at);
    }

    /// Slow path of every receive: returns the next message if it is there after all, or why it was not read. `seen` is
    /// the sequence word of its slot, or `None` if the message is there but the epoch has changed.
    #[cold]
    #[inline(never)]
    fn look_again<C>(&mut self, seen: Option<u64>, copy: impl FnOnce(M::Source<'_>) -> C) -> Result<C, TryRecvError> {
        let alive = || !self.attachment.liveness().is_dead();
        let result = match self.cursor.resolve(seen, alive) {
            Ok(Resolution::Message) => Ok(()),
            Ok(Resolution::Nothing) => self.probe(),
            Err(error) => Err(error),
        };
        let result = result.and_then(|()| match self.look(false, copy) {
            Ok((copied, behind)) => {
                self.cursor.advance(behind);
                Ok(copied)
            }
            Err(seen) => Err(self.cursor.why_missed(seen, || !self.attachment.liveness().is_dead())),
        });
        if let Err(TryRecvError::Lagged { .. }) = result {
            self.record_position();
        }
        result
    }

    /// While a live ring has nothing, asks the kernel now and then whether the publisher lives. `Ok` if there is a
    /// message after all.
    #[inline]
    fn probe(&mut self) -> Result<(), TryRecvError> {
        self.polls += 1;
        if self.polls > PROBE_POLLS {
            self.polls = 0;
            self.record_position();
            let now = Instant::now();
            self.dead |= now.duration_since(self.asked) >= PROBE_TIME;
        }
        if self.dead { self.ask_kernel() } else { Err(TryRecvError::Empty) }
    }

    /// Asks the kernel whether the publisher lives. `Ok` if it is dead and left one more message.
    #[cold]
    fn ask_kernel(&mut self) -> Result<(), TryRecvError> {
        self.asked = Instant::now();
        // If the segment was cut short, its publisher may live, but its messages no longer arrive here.
        if self.messages.memory().look_if_cut_short() {
            return Err(TryRecvError::CutShort);
        }
        self.dead = self.attachment.liveness().is_dead();
        if !self.dead {
            return Err(TryRecvError::Empty);
        }
        self.cursor.publisher_gone(|| !self.attachment.liveness().is_dead())
    }

    /// Waits between polls in the way that the [`WaitStrategy`] says.
    #[cold]
    fn pause(&mut self, rounds: &mut u32, until: Until) {
        match self.wait {
            WaitStrategy::Spin => return spin_loop(),
            WaitStrategy::Yield => return yield_now(),
            WaitStrategy::Block if *rounds < ROUNDS => return *rounds += 1,
            WaitStrategy::Block => {}
        }
        self.record_position();
        let (told, view) = (self.cursor.told(), self.cursor.view());
        let dead = self.sleeper.sleep(self.attachment.liveness(), until, || told.is_outdated(view));
        // Whatever the reason for waking: if there is no message, the next poll asks the kernel without delay.
        self.polls = PROBE_POLLS;
        self.dead |= dead;
    }
}

impl<M, P: Place> Receiver<M, P> {
    /// Waits until a publisher takes the ring over, or there is another event to return.
    pub(crate) fn wait_for_publisher(&mut self, timeout: Duration) -> bool {
        self.wait_for_publisher_until(Instant::now().checked_add(timeout)) == PublisherWait::Over
    }

    /// The same, and tells what ended the wait.
    pub(crate) fn wait_for_publisher_until(&mut self, deadline: Option<Instant>) -> PublisherWait {
        self.record_position();
        let (told, view, liveness) = (self.cursor.told_of_end(), self.cursor.view(), self.attachment.liveness());
        let is_over = || told.publisher_wait_is_over(view, liveness);
        loop {
            if is_over() {
                return PublisherWait::Over;
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return PublisherWait::TimedOut;
            }
            if self.sleeper.was_interrupted() {
                return PublisherWait::Interrupted;
            }
            self.sleeper.sleep_on_event(Until { deadline, interruptible: true }, is_over);
        }
    }

    /// Makes a descriptor that becomes readable when there is something to receive.
    pub(crate) fn notifier(&self) -> io::Result<Notifier> {
        Notifier::start(Watched {
            view: self.cursor.view().clone(),
            liveness: self.attachment.liveness().try_clone()?,
            sleeper: self.sleeper.for_another_thread(),
        })
    }

    pub(crate) fn interrupter(&self) -> Interrupter {
        self.sleeper.interrupter()
    }

    /// From now on this one ends its waits.
    pub(crate) fn set_interrupter(&mut self, interrupter: Interrupter) {
        self.sleeper.set_interrupter(interrupter);
    }

    #[inline(always)]
    pub(crate) fn messages(&self) -> &M {
        &self.messages
    }

    #[inline]
    pub(crate) fn cursor(&self) -> &Cursor<P> {
        &self.cursor
    }

    pub(crate) fn memory(&self) -> &Memory<Word> {
        self.cursor.view().memory()
    }

    pub(crate) fn publisher_is_alive(&self) -> bool {
        !self.attachment.liveness().is_dead()
    }

    pub(crate) fn without_entry(&self) -> Option<&str> {
        self.attachment.without_entry()
    }

    /// Records the position for tools.
    pub(crate) fn write_position(&self) {
        self.attachment.report(self.cursor.next(), self.cursor.lost());
    }

    /// Records the position, and decides when to do so next.
    #[cold]
    fn record_position(&mut self) {
        self.write_position();
        self.record_at = self.cursor.next().saturating_add(REPORT_EVERY);
    }
}

impl Notifier {
    /// Waits for anything that the subscriber's caller was not told.
    pub(crate) fn arm_for_receiver<M, P: Place>(&self, receiver: &Receiver<M, P>) {
        receiver.write_position();
        self.arm_for(Armed::Anything(receiver.cursor.told()));
    }

    /// Waits for a publisher, or for anything else that the caller was not told.
    pub(crate) fn arm_receiver_for_publisher<M, P: Place>(&self, receiver: &Receiver<M, P>) {
        receiver.write_position();
        self.arm_for(Armed::Publisher(receiver.cursor.told_of_end()));
    }
}
