//! The far ring: it has the near ring's messages, numbers and epochs. What is missing is passed over, and counted by where it was lost.
//!
//! At every moment `first + published + lost_near + lost_wire + lost_far = next`.

use std::path::PathBuf;

use feed_program::bridge::ReceiveStatus;
use feed_ring::CreateError;
use feed_ring::inspect::{self, SchemaError};

use crate::far_table::FarTable;
use crate::relay::{Format, Relay};
use crate::wire::{About, Attribution, BYTE_ORDER, CLOSED, Frame, Head, LAST, MAX_NUMBER, TABLE, VERSION};

/// How the far ring is made.
#[derive(Clone, Debug)]
pub struct FarOptions {
    /// The directory of the far machine's rings.
    pub root: PathBuf,
    /// The far ring's name.
    pub name: String,
    /// Slots. `None` for as many as the near ring has.
    pub capacity: Option<usize>,
    /// The access bits of its files.
    pub mode: u32,
    /// Whether it may take the place of a ring with other messages.
    pub replace: bool,
}

/// Why a far ring cannot be.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FarError {
    /// The other side is of another version.
    #[error("the sender on {host} speaks version {found}, this program {VERSION}: rebuild the older side")]
    Version { host: String, found: u8 },
    /// Messages are in the machine's byte order.
    #[error(
        "the sender on {host} has {found}-endian messages, this machine is {BYTE_ORDER}-endian: they would be misread here"
    )]
    ByteOrder { host: String, found: String },
    /// Its schema is not understood.
    #[error("the sender on {host} has messages that this program cannot describe: {source}: rebuild the older side")]
    Schema { host: String, source: SchemaError },
    /// The schema contradicts the size.
    #[error(
        "the sender on {host} says {found} bytes of a message whose schema has {expected}: it is damaged, do not use it"
    )]
    Size { host: String, found: usize, expected: usize },
    /// There is a ring with other messages.
    #[error(
        "{path}: carries {found}, the sender on {host} has {expected}: choose another name (--ring NAME=FAR), or let it take that \
         ring's place (--replace)"
    )]
    Other { path: String, found: String, expected: String, host: String },
    /// The ring was not made.
    #[error(transparent)]
    Create(#[from] CreateError),
}

/// What is needed before a frame can be published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needed {
    /// What the sender says of its ring: it is not the one that the far ring has.
    About,
    /// The rows of the table.
    Rows,
    /// The messages from `from` to `until`: they were sent, and did not come.
    Window { from: u64, until: u64 },
}

/// How a far ring begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// It is there.
    TakeOver,
    /// It is not there.
    New,
    /// It is there and cannot go on.
    Anew,
}

/// The far ring and its account.
pub(crate) struct Far {
    options: FarOptions,
    relay: Option<Relay>,
    /// The table beside it.
    table: Option<FarTable>,
    /// The epoch that the table was last kept in.
    kept_in: u64,
    /// Whether there was one before.
    begun: bool,
    /// The near ring that is followed, 0 before the first.
    source: u64,
    /// What its sender says of it, and its messages' format.
    about: Option<(About, Format)>,
    /// The number of the first message that was heard: what was sent before it, while nobody was here, is lost here.
    heard: Option<u64>,
    /// Whether the near ring that is followed was closed, and this one with it.
    closed: bool,
    /// What was passed over and is not counted yet.
    skipped: Vec<(u64, u64)>,
    /// Why there can be no far ring any more.
    failed: Option<FarError>,
    pub(crate) counted: ReceiveStatus,
}

impl Far {
    pub(crate) fn new(options: FarOptions) -> Self {
        Far {
            options,
            relay: None,
            table: None,
            kept_in: 0,
            begun: false,
            source: 0,
            about: None,
            heard: None,
            closed: false,
            skipped: Vec::new(),
            failed: None,
            counted: ReceiveStatus::default(),
        }
    }

    /// Why there can be no far ring any more, if so.
    pub(crate) fn failure(&mut self) -> Option<FarError> {
        self.failed.take()
    }

    /// Whether the near ring was closed and all of it is here.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// The number of the next message, if there is a ring.
    pub(crate) fn next(&self) -> Option<u64> {
        self.relay.as_ref().map(Relay::published)
    }

    /// The near ring that is followed.
    pub(crate) fn source(&self) -> u64 {
        self.source
    }

    /// Publishes a frame, if nothing is missing before it.
    ///
    /// # Errors
    /// What has to be asked for first. No message is published then.
    pub(crate) fn accept(&mut self, frame: &Frame<'_>) -> Result<(), Needed> {
        self.accept_with(frame, true)
    }

    /// The same. Without `whole` it does not wait for the rows of the table.
    fn accept_with(&mut self, frame: &Frame<'_>, whole: bool) -> Result<(), Needed> {
        let knows_table = self.about.as_ref().is_some_and(|(about, _)| about.table.is_some());
        if frame.head.ring.get() != self.source || whole && frame.is(TABLE) && !knows_table {
            return Err(Needed::About);
        }
        if self.closed && !frame.is(CLOSED) && frame.head.epoch.get() > self.counted.epoch {
            self.closed = false; // it was kept, and taken over
        }
        if self.closed || !self.describes(frame) {
            return Ok(()); // it says so again, or is damaged
        }
        let (first, after) = (frame.head.first.get(), frame.head.after.get());
        self.heard.get_or_insert(after);
        if let Some(next) = self.next()
            && next < after
        {
            return Err(Needed::Window { from: next, until: after });
        }
        if whole && self.rows_from().is_some() {
            return Err(Needed::Rows);
        }
        if self.relay.is_none() && frame.is(CLOSED) && frame.end() == first {
            self.closed = true; // it ended before anybody was here
            return Ok(());
        }
        // The sender lost what is between: from `after` on it sent nothing.
        self.publish(frame);
        self.settle(&Attribution { started: first, lost: Vec::new() });
        Ok(())
    }

    /// Whether the frame's messages are as its sender described them.
    fn describes(&mut self, frame: &Frame<'_>) -> bool {
        let rows = self.table.as_ref().is_none_or(|table| table.describes(frame));
        let fine = rows && self.about.as_ref().is_some_and(|(_, format)| format.is_of(frame));
        self.counted.refused_frames += u64::from(!fine);
        fine
    }

    /// The same, whatever is missing before it: what does not come any more is passed over.
    pub(crate) fn accept_behind(&mut self, frame: &Frame<'_>, told: &Attribution) {
        if frame.head.ring.get() == self.source {
            self.heard.get_or_insert(frame.head.after.get());
        }
        // What was skipped up to here was sent, unless the sender tells otherwise.
        self.pass_over(frame.head.after.get(), &frame.head);
        self.settle(told);
        // Another ring than the one that was asked about is not published.
        let _ = self.accept_with(frame, false);
    }

    /// The number from which on rows of the table are missing, if any are.
    pub(crate) fn rows_from(&self) -> Option<u64> {
        self.table.as_ref().filter(|table| !table.is_complete()).map(FarTable::next)
    }

    /// Notes that frames did not come, and the rows in them neither.
    pub(crate) fn miss_rows(&mut self) {
        if let Some(table) = &mut self.table {
            table.miss();
        }
    }

    /// Stores rows that were asked for. The last reply says up to which number that is all.
    pub(crate) fn take_rows(&mut self, reply: &Frame<'_>) {
        let (Some(table), Some(relay)) = (&mut self.table, &self.relay) else { return };
        if reply.head.ring.get() != self.source || !table.describes(reply) {
            return;
        }
        table.store(reply);
        if reply.is(LAST) {
            table.complete(reply.head.first.get(), relay);
            self.kept_in = relay.epoch();
        }
    }

    /// Goes on with the near ring that a sender has: takes over the far ring if it has that ring's messages, or gets ready to make
    /// one. Returns the number from which on messages are missing, if that is known.
    ///
    /// # Errors
    /// [`FarError`]. The far ring stays as it was then.
    pub(crate) fn follow(&mut self, about: About) -> Result<Option<u64>, FarError> {
        let host = || about.host.clone();
        if about.version != VERSION {
            return Err(FarError::Version { host: host(), found: about.version });
        }
        if about.byte_order != BYTE_ORDER {
            return Err(FarError::ByteOrder { host: host(), found: about.byte_order.clone() });
        }
        let format = Format::of(&about).map_err(|source| FarError::Schema { host: host(), source })?;
        if format.size() != about.size {
            return Err(FarError::Size { host: host(), found: about.size, expected: format.size() });
        }
        if let Some(table) = &about.table {
            let formats = FarTable::formats(table).map_err(|source| FarError::Schema { host: host(), source })?;
            for (format, found) in formats.iter().zip([table.key_size, table.value_size]) {
                if format.size() != found {
                    return Err(FarError::Size { host: host(), found, expected: format.size() });
                }
            }
        }
        let there = inspect::Ring::open(&self.options.root, &self.options.name).ok();
        if let Some(there) = &there
            && there.facts().schema != about.schema
            && !self.options.replace
        {
            let name = |schema: &str| schema.split([' ', '\n']).next().unwrap_or_default().to_owned();
            return Err(FarError::Other {
                path: there.path().display().to_string(),
                found: name(&there.facts().schema),
                expected: name(&about.schema),
                host: host(),
            });
        }
        let another = self.source != about.ring;
        let mine = another && self.source != 0;
        self.leave();
        (self.source, self.closed) = (about.ring, false);
        if another {
            self.heard = None;
        }
        let continues = there.filter(|there| there.facts().source == Some(about.ring));
        self.about = Some((about, format));
        if let Some(there) = continues {
            // What it would begin with is of no matter: it is taken over.
            self.begin(there.published(), there.epoch(), How::TakeOver)?;
        } else if mine {
            self.counted.fresh_rings += 1;
        }
        Ok(self.next())
    }

    /// Takes over the far ring, or makes it, beginning with this number.
    fn begin(&mut self, first: u64, epoch: u64, how: How) -> Result<(), FarError> {
        let Some((about, format)) = &self.about else { return Ok(()) };
        let fresh = how == How::Anew;
        let relay = Relay::create(&self.options, about, format.clone(), (first, epoch.max(1)), fresh)?;
        if let (Some(about), false) = (&about.table, about.records) {
            // A table goes on with its ring only.
            self.table = Some(FarTable::create(&self.options, about, how != How::TakeOver)?);
        }
        if !self.begun || self.counted.next != relay.published() {
            // The first ring, or one of other numbers: the account begins anew.
            self.settle(&Attribution::default());
            self.begun = true;
            let counted = &mut self.counted;
            counted.first = relay.published();
            (counted.published_messages, counted.lost_near, counted.lost_wire, counted.lost_far) = (0, 0, 0, 0);
        }
        (self.counted.next, self.counted.epoch) = (relay.published(), relay.epoch());
        self.relay = Some(relay);
        Ok(())
    }

    /// Publishes what of a reply is not here yet. What the near ring no longer had is passed over; [`settle`](Self::settle) says later
    /// whose loss it is.
    pub(crate) fn refill(&mut self, reply: &Frame<'_>) {
        if reply.head.ring.get() != self.source || reply.end() <= self.next().unwrap_or(0) || !self.describes(reply) {
            return;
        }
        let before = self.counted.published_messages;
        self.publish(reply);
        self.counted.refilled_messages += self.counted.published_messages - before;
    }

    /// Passes over what is missing before `until`, to go on with the frame with this head.
    fn pass_over(&mut self, until: u64, head: &Head) {
        let Some(relay) = &mut self.relay else { return };
        let next = relay.published();
        if until <= next || until >= MAX_NUMBER {
            return;
        }
        self.skipped.push((next, until));
        let (epoch, begin) = (head.epoch.get(), head.epoch_begin.get());
        // An epoch that began among them begins where it began. If the ring cannot tell it, the frame begins a fresh ring.
        let mut passed = Ok(());
        if epoch > relay.epoch() && (next + 1..until).contains(&begin) {
            passed = relay.pass_over(begin).and_then(|()| relay.begin_epoch(epoch));
        }
        if passed.and_then(|()| relay.pass_over(until)).is_err() {
            self.begin_anew(until, epoch);
        }
        self.counted.next = until;
    }

    /// Counts whose loss everything is that was passed over and not counted yet.
    pub(crate) fn settle(&mut self, told: &Attribution) {
        let counted = &mut self.counted;
        for (from, until) in self.skipped.drain(..) {
            let near = told.near_of(from, until);
            let sent = until - from - near;
            // Before the first that was heard nobody listened here.
            let far = self.heard.map_or(0, |heard| heard.min(until).saturating_sub(from)).min(sent);
            counted.lost_near += near;
            counted.lost_far += far;
            counted.lost_wire += sent - far;
        }
    }

    /// Publishes the messages of a frame that are not here yet, behind all that is missing before it.
    fn publish(&mut self, frame: &Frame<'_>) {
        let (first, end, epoch) = (frame.head.first.get(), frame.end(), frame.head.epoch.get());
        if self.relay.is_none()
            && let Err(error) = self.begin(first, epoch, How::New)
        {
            self.failed = Some(error);
        }
        self.pass_over(first, &frame.head);
        let Some(relay) = &mut self.relay else { return };
        let next = relay.published();
        self.counted.repeated_messages += next.min(end).saturating_sub(first);
        let tells = end > next || end == next && frame.head.count.get() == 0;
        if tells && epoch > relay.epoch() && relay.begin_epoch(epoch).is_err() {
            // It knows the next few epochs only.
            self.begin_anew(next, epoch);
        }
        let Some(relay) = &mut self.relay else { return };
        if let Some(table) = self.table.as_mut().filter(|table| table.is_complete()) {
            if self.kept_in != relay.epoch() {
                table.keep_for(relay);
                self.kept_in = relay.epoch();
            }
            table.store(frame);
        }
        let (published, too_long) = relay.publish(frame);
        if let Some(table) = &mut self.table {
            table.go_on_with(relay.published());
        }
        self.counted.published_messages += published;
        self.counted.lost_far += too_long;
        (self.counted.next, self.counted.epoch) = (relay.published(), relay.epoch());
        if frame.is(CLOSED) && end == relay.published() {
            self.close();
        }
    }

    /// Goes on in a fresh ring, where this one cannot tell what has to be told.
    fn begin_anew(&mut self, next: u64, epoch: u64) {
        self.leave();
        self.counted.fresh_rings += 1;
        self.counted.next = next; // the account goes on
        if let Err(error) = self.begin(next, epoch, How::Anew) {
            self.failed = Some(error);
        }
    }

    fn close(&mut self) {
        self.closed = true;
        let table = self.table.take().map(FarTable::close);
        let relay = self.relay.take().map(Relay::close);
        for error in [table, relay].into_iter().flatten().filter_map(Result::err) {
            feed_program::say::say(format_args!("feed-bridge: {error}"));
        }
    }

    /// Leaves the far ring for the next one who relays. No frame is accepted any more.
    pub(crate) fn end(&mut self) {
        self.leave();
        self.source = 0;
    }

    fn leave(&mut self) {
        if let Some(table) = self.table.take() {
            table.leave();
        }
        if let Some(relay) = self.relay.take() {
            relay.leave();
        }
    }
}
