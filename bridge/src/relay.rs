//! The far ring's publisher, of messages or of records.

use feed_ring::CloseError;
use feed_ring::inspect::SchemaError;
use feed_ring::raw::{MessageFormat, RecordRelayPublisher, RelayPublisher};
use feed_ring::records::RecordsFormat;

use crate::far::{FarError, FarOptions};
use crate::wire::{About, Frame, RECORDS};

/// The far ring's publisher.
pub(crate) enum Relay {
    Messages(RelayPublisher),
    Records(RecordRelayPublisher),
}

/// The ring cannot tell that: a fresh one can.
pub(crate) struct Cannot;

/// What is published.
#[derive(Clone, Debug)]
pub(crate) enum Format {
    Messages(MessageFormat),
    Records(RecordsFormat),
}

impl Format {
    /// That of the sender's ring.
    pub(crate) fn of(about: &About) -> Result<Self, SchemaError> {
        Ok(match about.records {
            false => Format::Messages(MessageFormat::parse(&about.schema)?),
            true => Format::Records(RecordsFormat::parse(&about.schema)?),
        })
    }

    /// Bytes of a message. 0 for records.
    pub(crate) fn size(&self) -> usize {
        match self {
            Format::Messages(format) => format.size(),
            Format::Records(_) => 0,
        }
    }

    /// Whether a frame has what this describes.
    pub(crate) fn is_of(&self, frame: &Frame<'_>) -> bool {
        let records = matches!(self, Format::Records(_));
        frame.is(RECORDS) == records && frame.head.size.get() as usize == self.size()
    }
}

impl Relay {
    /// Takes over the far ring or makes it: see [`create_relay`](feed_ring::PublisherOptions::create_relay).
    pub(crate) fn create(
        options: &FarOptions,
        about: &About,
        format: Format,
        (first, epoch): (u64, u64),
        fresh: bool,
    ) -> Result<Self, FarError> {
        let capacity = options.capacity.unwrap_or(about.capacity);
        let (root, mode) = (&options.root, options.mode);
        Ok(match format {
            Format::Messages(format) => {
                let ring = RelayPublisher::options(&options.name, format).root(root).capacity(capacity).mode(mode);
                Relay::Messages(ring.fresh(fresh).create_relay(about.ring, first, epoch)?)
            }
            Format::Records(format) => {
                let ring =
                    RecordRelayPublisher::options(&options.name, format).root(root).capacity(capacity).mode(mode);
                let ring = ring.slot_size(about.slot_size).fresh(fresh);
                Relay::Records(ring.create_record_relay(about.ring, first, epoch)?)
            }
        })
    }

    pub(crate) fn published(&self) -> u64 {
        match self {
            Relay::Messages(relay) => relay.published(),
            Relay::Records(relay) => relay.published(),
        }
    }

    pub(crate) fn epoch(&self) -> u64 {
        match self {
            Relay::Messages(relay) => relay.epoch(),
            Relay::Records(relay) => relay.epoch(),
        }
    }

    /// Begins an epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: u64) -> Result<(), Cannot> {
        match self {
            Relay::Messages(relay) => relay.begin_epoch(epoch),
            Relay::Records(relay) => relay.begin_epoch(epoch),
        }
        .map_err(|_| Cannot)
    }

    /// Passes over all up to `until`, which is above the next number.
    pub(crate) fn pass_over(&mut self, until: u64) -> Result<(), Cannot> {
        match self {
            Relay::Messages(relay) => relay.pass_over(until),
            Relay::Records(relay) => relay.pass_over(until).map_err(|_| Cannot)?,
        }
        Ok(())
    }

    /// Publishes what of a frame is not published yet; it begins at the next number or before. Returns how many messages that were, and
    /// how many records were longer than this ring takes, which are passed over.
    pub(crate) fn publish(&mut self, frame: &Frame<'_>) -> (u64, u64) {
        let next = self.published();
        let (mut published, mut too_long) = (0, 0);
        match self {
            Relay::Messages(relay) => {
                for message in frame.messages_from(next) {
                    relay.publish(message);
                    published += 1;
                }
            }
            Relay::Records(relay) => {
                let there = next.saturating_sub(frame.head.first.get()) as usize;
                for (kind, record) in frame.records().skip(there) {
                    if relay.publish(kind, record).is_ok() {
                        published += 1;
                    } else if relay.pass_over(relay.published() + 1).is_ok() {
                        too_long += 1;
                    }
                }
            }
        }
        (published, too_long)
    }

    pub(crate) fn leave(self) {
        match self {
            Relay::Messages(relay) => relay.leave(),
            Relay::Records(relay) => relay.leave(),
        }
    }

    pub(crate) fn close(self) -> Result<(), CloseError> {
        match self {
            Relay::Messages(relay) => relay.close(),
            Relay::Records(relay) => relay.close(),
        }
    }
}
