//! The untyped core of a reader of a table or a cell: keys and values are bytes.

use std::time::{Duration, Instant};

use super::error::{ReadError, WaitError};
use super::keys::Keys;
use super::row::Row;
use crate::format::layout::state;
use crate::protocol::row::{Missed, Overtaken};
use crate::protocol::rows::{Log, Rows};
use crate::protocol::slots::Stride;
use crate::protocol::wait::{Interrupter, Sleeper, Until, WaitStrategy};
use crate::sync::tuning::{PROBE_TIME, ROUNDS};
use crate::sync::{Ordering, Word, fence, spin_loop, yield_now};
use crate::transport::attachment::{Attachment, Opened};

/// One reader. `S` is the stride between the copies of values.
pub(super) struct Reader<S> {
    rows: Rows<Word, S>,
    keys: Keys,
    wait: WaitStrategy,
    sleeper: Sleeper,
    attachment: Attachment,
    /// The most attempts that failed in one read.
    most_retries: u32,
    /// A bit for each row: whether it was named already. Clear between calls.
    named: Vec<u64>,
}

impl<S: Stride> Reader<S> {
    /// Reads an opened table or cell with keys of `key_size` bytes.
    pub(super) fn new(opened: Opened, stride: S, wait: WaitStrategy, key_size: usize) -> Self {
        let Opened { memory, layout, sleepers, mut attachment, .. } = opened;
        let sleeper = Sleeper::new(&memory, &layout, sleepers);
        let rows = Rows::with_stride(memory, layout, stride);
        attachment.claim_entry(rows.stores());
        Reader { rows, keys: Keys::new(key_size), wait, sleeper, attachment, most_retries: 0, named: Vec::new() }
    }

    /// The row of a key, if it was added.
    #[inline]
    pub(super) fn row(&mut self, key: &[u8]) -> Option<Row> {
        self.keys.get(key).or_else(|| {
            self.keys.learn(&self.rows);
            self.keys.get(key)
        })
    }

    /// Reads the newest value of a row with `copy`, which is given the number of its store and its words. Returns what `copy`
    /// returned of a whole value. `None` if there is none yet.
    #[inline(always)]
    pub(super) fn read<C>(
        &mut self,
        row: Row,
        mut copy: impl FnMut(u64, &[Word]) -> C,
    ) -> Result<Option<C>, ReadError> {
        match self.rows.attempt(row.0, &mut copy) {
            Ok(read) => Ok(Some(read)),
            Err(missed) => self.read_on(row, missed, copy),
        }
    }

    /// A read that found nothing, or not at once.
    #[cold]
    #[inline(never)]
    fn read_on<C>(
        &mut self,
        row: Row,
        missed: Missed,
        copy: impl FnMut(u64, &[Word]) -> C,
    ) -> Result<Option<C>, ReadError> {
        let (result, failed) = self.rows.read(row.0, missed, copy);
        self.most_retries = self.most_retries.max(failed);
        match result {
            Ok(Some(read)) => Ok(Some(read)),
            // A segment that was cut short reads as zero.
            _ if self.rows.memory().look_if_cut_short() => Err(ReadError::CutShort),
            Ok(None) => Ok(None),
            Err(Overtaken) => Err(ReadError::Overtaken { attempts: failed }),
        }
    }

    /// Puts each row of which a store is numbered `since` or later into `changed`, once. Returns the number of the next store.
    pub(super) fn changed_since(&mut self, since: u64, changed: &mut Vec<Row>) -> u64 {
        changed.clear();
        let until = self.rows.stores();
        let capacity = self.rows.capacity();
        self.named.resize(capacity.div_ceil(64) as usize, 0);
        let log = self.rows.logged(since, until, |index| {
            // A store into no row, or what an enemy wrote.
            let Some(named) = self.named.get_mut(index as usize / 64).filter(|_| u64::from(index) < capacity) else {
                return;
            };
            let bit = 1 << (index % 64);
            if *named & bit == 0 {
                *named |= bit;
                changed.push(Row(index));
            }
        });
        for row in &*changed {
            self.named[row.index() / 64] = 0;
        }
        if log == Log::Overwritten {
            changed.clear();
            let is_changed = |index: &u32| match self.rows.newest(*index) {
                Some(number) => number >= since,
                // All copies are being overwritten, one after the other.
                None => !self.rows.is_empty(*index),
            };
            changed.extend((0..self.rows.keys()).filter(is_changed).map(Row));
        }
        until
    }

    /// Waits until the number of the next store is no longer `since`. False after `timeout`, or after an interruption.
    pub(super) fn wait(&mut self, since: u64, timeout: Duration) -> Result<bool, WaitError> {
        let deadline = Instant::now().checked_add(timeout);
        let until = Until { deadline, interruptible: true };
        let (mut rounds, mut asked) = (0, None);
        loop {
            if self.rows.stores() != since {
                return Ok(true);
            }
            if let Some(end) = self.end(&mut asked) {
                // What was stored before the end comes before it.
                return if self.rows.stores() != since { Ok(true) } else { Err(end) };
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) || self.sleeper.was_interrupted() {
                return Ok(false);
            }
            match self.wait {
                WaitStrategy::Spin => spin_loop(),
                WaitStrategy::Yield => yield_now(),
                WaitStrategy::Block if rounds < ROUNDS => rounds += 1,
                WaitStrategy::Block => {
                    self.attachment.report(since, 0);
                    let rows = &self.rows;
                    let ready = || rows.stores() != since || state_of(rows) != state::LIVE;
                    if self.sleeper.sleep(self.attachment.liveness(), until, ready) {
                        asked = None;
                    }
                }
            }
        }
    }

    /// Why no store will come, if none will. Asks the kernel about the writer now and then: `asked` is when it did last.
    fn end(&self, asked: &mut Option<Instant>) -> Option<WaitError> {
        let mut end = end_by_state(&self.rows);
        if end.is_none() && asked.is_none_or(|asked| asked.elapsed() >= PROBE_TIME) {
            *asked = Some(Instant::now());
            if self.rows.memory().look_if_cut_short() {
                return Some(WaitError::CutShort(ReadError::CutShort));
            }
            if self.attachment.liveness().is_dead() {
                // K10. A writer closes and then goes, so the state is looked at again.
                fence("K10", Ordering::Acquire);
                end = end_by_state(&self.rows).or(Some(WaitError::WriterDead));
            }
        }
        // K9. Pairs with C1, and with C2 for a table within the process. Whatever was stored before the end can be read now.
        fence("K9", Ordering::Acquire);
        end
    }

    pub(super) fn is_superseded(&self) -> bool {
        state_of(&self.rows) == state::SUPERSEDED
    }

    #[inline]
    pub(super) fn rows(&self) -> &Rows<Word, S> {
        &self.rows
    }

    pub(super) fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    pub(super) fn interrupter(&self) -> Interrupter {
        self.sleeper.interrupter()
    }

    pub(super) fn most_retries(&self) -> u32 {
        self.most_retries
    }
}

fn end_by_state<S: Stride>(rows: &Rows<Word, S>) -> Option<WaitError> {
    match state_of(rows) {
        state::CLOSED => Some(WaitError::Closed),
        state::SUPERSEDED => Some(WaitError::Superseded),
        _ => None,
    }
}

fn state_of<S: Stride>(rows: &Rows<Word, S>) -> u64 {
    rows.memory()[rows.layout().state()].load()
}
