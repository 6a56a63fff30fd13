//! This project's ring of records as a contender: messages of any length.

use std::path::PathBuf;
use std::time::Duration;

use feed_ring::records::RecordsFormat;
use feed_ring::{CreateError, Join, RecordPublisher, RecordSubscriber, RecvError, WaitStrategy};
use zerocopy::{FromBytes, IntoBytes};

use crate::harness::contender::{Contender, Direction, Receiver, Sender, Unavailable};
use crate::harness::message::Message;
use crate::harness::private_dir::PrivateDir;
use crate::row::{Kind, Row};

const NAME: &str = "records";

/// Bytes of the slots of a ring.
pub(crate) const BYTES: usize = 4 << 20;

/// The settings of a ring of records.
#[derive(Clone, Copy, Debug)]
pub struct FeedRecords {
    /// Bytes of a slot.
    pub slot: usize,
    /// Bytes of a record beyond the message's words.
    pub extra: usize,
}

impl FeedRecords {
    fn row<const W: usize>(self) -> Row {
        let slots = if self.slot == 64 { String::new() } else { format!(" slots of {}", self.slot) };
        Row::new::<_, W>(Kind::Ring, format!("feed-ring records {}{slots}", W * 8 + self.extra), None, self)
    }
}

/// The rows: the lengths that peers publish figures of, and 1,500 bytes in slots of 64 and of 256 bytes.
pub fn rows() -> Vec<Row> {
    let ring = FeedRecords { slot: 64, extra: 0 };
    let (odd, packet) = (FeedRecords { extra: 1, ..ring }, FeedRecords { extra: 4, ..ring });
    vec![
        ring.row::<3>(),
        ring.row::<6>(),
        odd.row::<9>(),
        packet.row::<187>(),
        FeedRecords { slot: 256, ..packet }.row::<187>(),
    ]
}

/// A message's words, and the bytes beyond them.
#[derive(Debug)]
pub struct Padded<const W: usize> {
    bytes: Vec<u8>,
}

impl<const W: usize> Padded<W> {
    /// With so many bytes beyond the words.
    pub fn new(extra: usize) -> Self {
        Self { bytes: vec![7; W * 8 + extra] }
    }

    /// The bytes of a message.
    #[inline(always)]
    pub fn of<'a>(&'a mut self, message: &'a Message<W>) -> &'a [u8] {
        if self.bytes.len() == W * 8 {
            return message.as_bytes();
        }
        self.bytes[..W * 8].copy_from_slice(message.as_bytes());
        &self.bytes
    }
}

/// The message that begins a record.
///
/// # Errors
/// The record is shorter.
#[inline(always)]
pub fn message_in<const W: usize>(bytes: &[u8]) -> anyhow::Result<&Message<W>> {
    match Message::<W>::ref_from_prefix(bytes) {
        Ok((message, _)) => Ok(message),
        Err(_) => anyhow::bail!("a record of {} bytes, {} expected", bytes.len(), W * 8),
    }
}

impl<const W: usize> Contender<W> for FeedRecords {
    type Link = PathBuf;
    type Sender = RecordSender<W>;
    type Receiver = RecordSubscriber;

    const NEVER_WAITS: bool = true;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        let root = dir.join(direction.name());
        std::fs::create_dir(&root)?;
        Ok(root)
    }

    fn sender(&self, root: &PathBuf) -> anyhow::Result<Self::Sender> {
        let options = RecordPublisher::options(NAME, RecordsFormat::default()).root(root);
        let options = options.slot_size(self.slot).capacity(BYTES / self.slot);
        let publisher = options.create_records().map_err(|error| match error {
            CreateError::NoRoom { .. } | CreateError::MemoryLimit { .. } => Unavailable(error.to_string()).into(),
            error => anyhow::Error::from(error),
        })?;
        Ok(RecordSender { publisher, record: Padded::new(self.extra) })
    }

    fn receiver(&self, root: &PathBuf) -> anyhow::Result<Self::Receiver> {
        let options = RecordSubscriber::options(NAME).root(root).wait(WaitStrategy::Spin).join(Join::Oldest);
        Ok(options.open_timeout(Duration::from_secs(10)).open_records()?)
    }
}

/// A publisher, and what it sends beyond a message.
#[derive(Debug)]
pub struct RecordSender<const W: usize> {
    publisher: RecordPublisher,
    record: Padded<W>,
}

impl<const W: usize> Sender<W> for RecordSender<W> {
    #[inline(always)]
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.publisher.publish(0, self.record.of(message))?;
        Ok(())
    }
}

impl<const W: usize> Receiver<W> for RecordSubscriber {
    #[inline(always)]
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.recv() {
                Ok(record) => return message_in(record.bytes).map(look),
                Err(RecvError::Lagged { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}
