//! How rings of records are made and opened: the options of rings, which serve them too.

use std::path::Path;

use super::publisher::RecordPublisher;
use super::subscriber::RecordSubscriber;
use crate::error::{CreateError, OpenError};
use crate::format::message::MessageFormat;
use crate::format::records::RecordsFormat;
use crate::publisher::options::PublisherOptions;
use crate::segment::header::Contents;
use crate::subscriber::options::SubscriberOptions;

/// Stands for records in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub enum AnyRecords {}

impl RecordPublisher {
    /// Options for a ring of records of this name. The rules for names are those of any ring.
    pub fn options(name: &str, format: RecordsFormat) -> PublisherOptions<AnyRecords> {
        PublisherOptions::for_records(name, MessageFormat::from_parts(1, 1, format.text()))
    }
}

impl PublisherOptions<AnyRecords> {
    /// Bytes of a slot: a power of two from 64, which is the default, to 4,096.
    pub fn slot_size(self, bytes: usize) -> Self {
        self.with_slot_size(bytes)
    }

    /// Takes over the ring of this name if an ended publisher left it, and it has this capacity, these slots and this format.
    /// Otherwise makes a new one, as [`create`](PublisherOptions::create) does for messages.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_records(self) -> Result<RecordPublisher, CreateError> {
        Ok(RecordPublisher::new(self.make()?, self.wake_or_default()))
    }
}

impl RecordSubscriber {
    /// Options for opening the ring of this name, whatever its records are.
    pub fn options(name: &str) -> SubscriberOptions<AnyRecords> {
        SubscriberOptions::new(name, None)
    }

    /// Options for joining the sealed ring that a publisher serves at the socket `path`: see
    /// [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<AnyRecords> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl SubscriberOptions<AnyRecords> {
    /// Opens the ring, maps it and joins.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_records(self) -> Result<RecordSubscriber, OpenError> {
        self.open_with(Contents::Records(None))
    }

    /// The same, for a ring whose records have this format.
    ///
    /// # Errors
    /// [`OpenError`]; [`OpenError::Payload`] if they have another.
    pub fn open_records_of(self, format: &RecordsFormat) -> Result<RecordSubscriber, OpenError> {
        self.open_with(Contents::Records(Some(format)))
    }

    fn open_with(self, contents: Contents<'_>) -> Result<RecordSubscriber, OpenError> {
        let opened = self.open_transport(contents)?;
        let mut subscriber = RecordSubscriber::new(opened, self.join_at(), self.wait_strategy());
        subscriber.set_hold_back(self.holds_back());
        Ok(subscriber)
    }
}
