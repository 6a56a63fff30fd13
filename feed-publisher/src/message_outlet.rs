//! Where messages go: a ring, or a ring with its table.

use std::collections::HashMap;

use feed::Message;
use feed::board::{self, Digest, Row, Symbol};
use feed::clock::realtime_ns;
use feed::pacing::Moment;
use feed::source::{Captured, SourceError};
use feed::summary::{Board, Sequences, Summary, Tally};
use feed_ring::table::{self, Full};
use feed_ring::{CloseError, KeyedPublisher, Publisher};

use crate::messages::Messages;
use crate::outlet::{Outlet, Refused};

/// A ring with its table.
pub(crate) type TablePublisher = KeyedPublisher<u32, Row, Message>;

/// What messages are published into.
pub(crate) trait Publishes {
    /// The ring's publisher.
    fn ring(&self) -> &Publisher<Message>;

    /// Publishes a message. An error, once, if a table has no row left for it; it is published all the same.
    fn publish(&mut self, message: &Message, source: &Messages) -> Result<(), Full>;

    /// What the summary tells of the table, if there is one.
    fn board(&self) -> Option<Board>;

    /// Whether a segment's file was cut short.
    fn is_cut_off(&self) -> bool {
        self.ring().is_cut_off()
    }

    /// Ends it.
    fn close(self) -> Result<(), CloseError>;

    /// Leaves it to the next publisher.
    fn leave(self);
}

impl Publishes for Publisher<Message> {
    fn ring(&self) -> &Publisher<Message> {
        self
    }

    #[inline(always)]
    fn publish(&mut self, message: &Message, _: &Messages) -> Result<(), Full> {
        Publisher::publish(self, message);
        Ok(())
    }

    fn board(&self) -> Option<Board> {
        None
    }

    fn close(self) -> Result<(), CloseError> {
        Publisher::close(self)
    }

    fn leave(self) {
        Publisher::leave(self);
    }
}

/// A ring, its table, and a copy of each row that this publisher has stored into.
pub(crate) struct WithTable {
    publisher: TablePublisher,
    rows: HashMap<u32, (table::Row, Row)>,
    without_row: u64,
}

impl WithTable {
    pub(crate) fn new(publisher: TablePublisher) -> Self {
        WithTable { publisher, rows: HashMap::new(), without_row: 0 }
    }

    /// Makes room for an instrument of which this publisher has published nothing yet. Its row may be of the one before.
    #[cold]
    fn row(&mut self, instrument: u32, source: &Messages) -> Result<(table::Row, Row), Full> {
        let place = self.publisher.row(&instrument)?;
        let stored = self.publisher.get(place).map(|stored| stored.value);
        let mut row = stored.unwrap_or_else(|| Row::new(Symbol::cut(b"")));
        if let Some(symbol) = source.symbol(instrument) {
            row.symbol = symbol;
        }
        Ok((place, row))
    }
}

impl Publishes for WithTable {
    fn ring(&self) -> &Publisher<Message> {
        self.publisher.ring()
    }

    fn publish(&mut self, message: &Message, source: &Messages) -> Result<(), Full> {
        let Some(instrument) = board::key(message) else {
            self.publisher.publish_without_row(message);
            return Ok(());
        };
        if let Some((place, row)) = self.rows.get_mut(&instrument) {
            if board::may_name(message)
                && let Some(symbol) = source.symbol(instrument)
            {
                row.symbol = symbol;
            }
            row.apply(message);
            self.publisher.publish(*place, row);
            return Ok(());
        }
        match self.row(instrument, source) {
            Ok((place, mut row)) => {
                row.apply(message);
                self.publisher.publish(place, &row);
                self.rows.insert(instrument, (place, row));
                Ok(())
            }
            Err(full) => {
                self.publisher.publish_without_row(message);
                self.without_row += 1;
                if self.without_row == 1 { Err(full) } else { Ok(()) }
            }
        }
    }

    fn board(&self) -> Option<Board> {
        let (table, mut digest) = (self.publisher.table(), Digest::default());
        for row in table.rows() {
            // A publisher that was killed may have left a key without a value.
            if let (Some(key), Some(stored)) = (table.key(row), table.get(row)) {
                digest.add(key, &stored.value);
            }
        }
        Some(Board::new(digest, self.without_row))
    }

    fn is_cut_off(&self) -> bool {
        self.publisher.ring().is_cut_off() || self.publisher.table().is_cut_off()
    }

    fn close(self) -> Result<(), CloseError> {
        self.publisher.close()
    }

    fn leave(self) {
        self.publisher.leave();
    }
}

/// Publishes the messages of an input.
pub(crate) struct OfMessages<P> {
    publisher: P,
    message: Message,
    tally: Tally,
}

impl<P: Publishes> OfMessages<P> {
    pub(crate) fn new(publisher: P) -> Self {
        OfMessages { publisher, message: Message::clear_all(), tally: Tally::default() }
    }
}

impl<P: Publishes> Outlet for OfMessages<P> {
    type Ring = Publisher<Message>;

    fn ring(&self) -> &Publisher<Message> {
        self.publisher.ring()
    }

    #[inline]
    fn take(&mut self, source: &mut Messages) -> Result<Option<Option<u64>>, SourceError> {
        Ok(source.next()?.map(|Captured { message, captured }| {
            self.message = message;
            captured
        }))
    }

    #[inline]
    fn publish(&mut self, moment: Moment, source: &Messages) -> Result<(), Refused> {
        self.message.ts_publish = moment.ts_publish;
        let sent = self.publisher.publish(&self.message, source);
        self.tally.add(&self.message);
        sent.map_err(|full| Refused {
            what: format!("the table has {} rows, and this is one more instrument (--rows N)", full.capacity),
            consequence: "its messages are published without a row",
        })
    }

    fn clear(&mut self, source: &Messages) -> Option<Moment> {
        let now = realtime_ns();
        let moment = Moment { ts_publish: now, now };
        self.message = Message::clear_all();
        // It has no row, so no table is too full for it.
        self.publish(moment, source).is_ok().then_some(moment)
    }

    fn count(&self) -> u64 {
        self.tally.messages()
    }

    fn summary(&self, sequences: Sequences, seconds: f64) -> Summary {
        Summary { board: self.publisher.board(), ..Summary::new(&self.tally, sequences, seconds) }
    }

    fn is_cut_off(&self) -> bool {
        self.publisher.is_cut_off()
    }

    fn close(self) -> Result<(), CloseError> {
        self.publisher.close()
    }

    fn leave(self) {
        self.publisher.leave();
    }
}
