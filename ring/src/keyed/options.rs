//! How a ring and its table are made, taken over and opened together.

use std::marker::PhantomData;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::holds::Holds;
use super::publisher::KeyedPublisher;
use super::subscriber::{KeyedSubscriber, TAKEOVER_LOOKS};
use crate::error::{CreateError, OpenError};
use crate::format::layout::{Body, word};
use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::format::rows::{RowsGeometry, row_word};
use crate::publisher::handle::Publisher;
use crate::publisher::options::PublisherOptions;
use crate::subscriber::options::SubscriberOptions;
use crate::sync::EPOCHS;
use crate::table::{Table, TableWriter};

/// Stands for a ring and its table in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub struct Keyed<K, V, T = V> {
    key: PhantomData<fn() -> K>,
    value: PhantomData<fn() -> V>,
    message: PhantomData<fn() -> T>,
}

/// The table's name, or its socket's path, is the ring's with this behind it.
const SUFFIX: &str = ".table";

/// The name of the table beside the ring of this name.
pub fn table_name(name: &str) -> String {
    format!("{name}{SUFFIX}")
}

/// The socket of the table beside the ring that is served at this one.
pub fn table_socket(ring: &Path) -> PathBuf {
    let mut path = ring.as_os_str().to_owned();
    path.push(SUFFIX);
    path.into()
}

impl<K: Payload, V: Holds<T>, T: Payload> KeyedPublisher<K, V, T> {
    /// Options for the ring of this name and the table `NAME.table`. The table has 4,096 rows unless
    /// [`rows`](PublisherOptions::rows) says otherwise.
    pub fn options(name: &str) -> PublisherOptions<Keyed<K, V, T>> {
        PublisherOptions::new(name, MessageFormat::of::<T>())
    }
}

impl<K: Payload, V: Holds<T>, T: Payload> PublisherOptions<Keyed<K, V, T>> {
    /// The number of rows: the most keys. From 1 to 16,777,216; by default 4,096.
    pub fn rows(mut self, rows: usize) -> Self {
        self.table_rows = rows;
        self
    }

    /// Takes over the ring and its table, or makes them. All other options are for both.
    ///
    /// A table is taken over only with its ring, and only if every message since was published with it. Otherwise a new
    /// one is made, which knows of no message before. A new one is also made if that cannot be told: a publisher was killed
    /// right behind a [message without a row](KeyedPublisher::publish_without_row), and seven or more after it while they took
    /// over. If the publisher before this one was killed between a row and its message, this publishes the message.
    ///
    /// # Errors
    /// [`CreateError`] of the ring or of the table. A ring that was made for it is removed then; one that was taken over,
    /// or that replaced another one, is left.
    pub fn create_keyed(self) -> Result<KeyedPublisher<K, V, T>, CreateError> {
        let (format, slots) = (MessageFormat::of::<T>(), self.slots());
        let table = self.clone().of_table();
        // Before the ring is taken over, which begins an epoch.
        table.check()?;
        let ring = self.of::<T>(format, Body::Messages, slots).create()?;
        match create_table(table, &ring) {
            Ok(table) => Ok(KeyedPublisher::new(ring, table)),
            Err(error) => {
                // A ring that replaced another one keeps the numbers that were given away.
                if ring.epoch() > 1 || ring.published() > 0 {
                    ring.leave();
                }
                Err(error)
            }
        }
    }

    /// The same options for the table.
    fn of_table(self) -> PublisherOptions<Table<K, V>> {
        let (rows, capacity) = (RowsGeometry::table(MessageFormat::of::<K>()), self.table_rows as u64);
        self.of(MessageFormat::of::<V>(), Body::Rows(rows), capacity).renamed(table_name, table_socket)
    }
}

/// Takes over the ring's table, or makes it.
fn create_table<K: Payload, V: Holds<T>, T: Payload>(
    options: PublisherOptions<Table<K, V>>,
    ring: &Publisher<T>,
) -> Result<TableWriter<K, V>, CreateError> {
    let options = options.from(ring.published());
    let mut looks = 0..TAKEOVER_LOOKS;
    let table = loop {
        match options.clone().create_table() {
            // The ring is free, so its publisher has just ended, and the kernel is about to free the table as well.
            Err(CreateError::AlreadyPublished { .. }) if looks.next().is_some() => {
                std::thread::sleep(Duration::from_millis(1));
            }
            table => break table?,
        }
    };
    let table = match table.epoch() == 1 || is_in_step(&table, ring) {
        true => table,
        false => {
            table.leave();
            options.fresh(true).create_table()?
        }
    };
    let memory = table.words();
    memory[row_word::RING].store(ring.words()[word::NONCE].load());
    memory[row_word::RING_EPOCH].store(ring.epoch());
    Ok(table)
}

/// Whether a table that was taken over has a row for every message of its ring. The ring was taken over before, and nothing
/// was published since.
///
/// The table's last publisher ended before a message, between a row and its message, or between a message without a row and
/// its count. Publishers after it may have been killed while they took over. One that published left a message. Where the
/// ring does not know any more where each of them began, the last store tells.
fn is_in_step<K: Payload, V: Holds<T>, T: Payload>(table: &TableWriter<K, V>, ring: &Publisher<T>) -> bool {
    let (words, next, epoch) = (table.words(), ring.published(), ring.epoch());
    let kept_in = words[row_word::RING_EPOCH].load();
    if words[row_word::RING].load() != ring.words()[word::NONCE].load() || kept_in >= epoch {
        return false;
    }
    let (after, oldest_known) = (kept_in + 1, epoch.saturating_sub(EPOCHS - 2));
    let are_all_known = after >= oldest_known;
    let published_none = ring.begin(after.max(oldest_known)) == next;
    published_none
        && match table.stores() {
            // A store without its message. Had another publisher published, the ring would be as far as the table.
            stores if stores == next + 1 => true,
            // Neither, unless it was a store without its message, and another publisher gave its number to another message.
            stores if stores == next => are_all_known || is_last_store_published(table, ring),
            // A message without a row that was not counted, or one of a publisher without the table.
            stores => stores + 1 == next && are_all_known,
        }
}

/// Whether the ring's last message is the one in the row of the same number. A message without a row has no such row.
fn is_last_store_published<K: Payload, V: Holds<T>, T: Payload>(
    table: &TableWriter<K, V>,
    ring: &Publisher<T>,
) -> bool {
    let Some(last) = ring.published().checked_sub(1) else { return true };
    let mut rows = table.rows().filter_map(|row| table.get(row));
    rows.find(|stored| stored.number == last).is_none_or(|stored| ring.holds(last, stored.value.message()))
}

impl<K: Payload, V: Holds<T>, T: Payload> KeyedSubscriber<K, V, T> {
    /// Options for opening the ring of this name and the table `NAME.table`.
    pub fn options(name: &str) -> SubscriberOptions<Keyed<K, V, T>> {
        SubscriberOptions::new(name, None)
    }

    /// Options for joining a sealed ring and its table: the table is served at the ring's socket with `.table` behind it.
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<Keyed<K, V, T>> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl<K: Payload, V: Holds<T>, T: Payload> SubscriberOptions<Keyed<K, V, T>> {
    /// Opens both, and joins the ring at its end, unless [`join`](SubscriberOptions::join) says otherwise. `key` tells a
    /// message's key; `None` for one that changes no row.
    ///
    /// # Errors
    /// [`OpenError`] of the ring or of the table.
    pub fn open_keyed(
        self,
        key: impl Fn(&T) -> Option<K> + Send + Sync + 'static,
    ) -> Result<KeyedSubscriber<K, V, T>, OpenError> {
        let ring = self.clone().of::<T>(Some(MessageFormat::of::<T>())).open()?;
        let table = self.of::<Table<K, V>>(None).renamed(table_name, table_socket).open_table()?;
        Ok(KeyedSubscriber::new(ring, table, key))
    }
}
