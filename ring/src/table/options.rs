//! How tables and cells are made and opened: the options of rings, which serve them too.

use std::marker::PhantomData;
use std::path::Path;

use super::cell::{CellReader, CellWriter};
use super::typed::{TableReader, TableWriter};
use crate::error::{CreateError, OpenError};
use crate::format::message::MessageFormat;
use crate::format::payload::Payload;
use crate::format::rows::RowsGeometry;
use crate::publisher::options::{PublisherOptions, ROWS};
use crate::segment::header::Contents;
use crate::subscriber::options::SubscriberOptions;

/// Stands for a table in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub struct Table<K, V>(PhantomData<fn() -> (K, V)>);

/// Stands for a cell in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub struct Cell<T>(PhantomData<fn() -> T>);

impl<K: Payload, V: Payload> TableWriter<K, V> {
    /// Options for a table of this name, of 4,096 rows unless [`capacity`](PublisherOptions::capacity) says otherwise. The rules
    /// for names are a ring's, and rings, tables and cells share one set of names.
    pub fn options(name: &str) -> PublisherOptions<Table<K, V>> {
        PublisherOptions::for_rows(name, MessageFormat::of::<V>(), RowsGeometry::table(MessageFormat::of::<K>()), ROWS)
    }
}

impl<T: Payload> CellWriter<T> {
    /// Options for a cell of this name: see [`TableWriter::options`].
    pub fn options(name: &str) -> PublisherOptions<Cell<T>> {
        PublisherOptions::for_rows(name, MessageFormat::of::<T>(), RowsGeometry::cell(), 1)
    }
}

impl<K: Payload, V: Payload> PublisherOptions<Table<K, V>> {
    /// The number of copies of each row, from 2 to 64; by default 2. Take 4 for values of more than 56 bytes that are stored into
    /// one row without a pause: reads beside such stores then hardly ever begin again. Smaller values gain nothing by it, and
    /// their stores take longer.
    pub fn copies(self, copies: usize) -> Self {
        self.with_copies(copies)
    }

    /// Takes over the table of this name if an ended writer left it, and it has this capacity, these copies, keys and values.
    /// Otherwise makes a new one, which replaces whatever an ended writer or publisher left under the name.
    ///
    /// A table that is taken over keeps its rows, and its stores go on with the next number.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_table(self) -> Result<TableWriter<K, V>, CreateError> {
        let wake = self.wake_or_default();
        Ok(TableWriter::new(self.make()?, wake))
    }
}

impl<T: Payload> PublisherOptions<Cell<T>> {
    /// The number of copies, from 2 to 64; by default 2.
    ///
    /// A reader that copies a value needs as long as the writer takes for all copies but one. With two, that is one store:
    /// enough for values of a few cache lines, and for larger ones if the writer rests between two stores. Give a large
    /// value that is stored without a pause more copies.
    pub fn copies(self, copies: usize) -> Self {
        self.with_copies(copies)
    }

    /// Takes over the cell of this name if an ended writer left it, and it has these copies and this value. Otherwise makes a
    /// new one, which replaces whatever an ended writer or publisher left under the name.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_cell(self) -> Result<CellWriter<T>, CreateError> {
        let wake = self.wake_or_default();
        Ok(CellWriter::new(self.make()?, wake))
    }
}

impl<K: Payload, V: Payload> TableReader<K, V> {
    /// Options for opening the table of this name.
    pub fn options(name: &str) -> SubscriberOptions<Table<K, V>> {
        SubscriberOptions::new(name, None)
    }

    /// Options for opening the sealed table that a writer serves at the socket `path`: see
    /// [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<Table<K, V>> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl<T: Payload> CellReader<T> {
    /// Options for opening the cell of this name.
    pub fn options(name: &str) -> SubscriberOptions<Cell<T>> {
        SubscriberOptions::new(name, None)
    }

    /// Options for opening the sealed cell that a writer serves at the socket `path`: see
    /// [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<Cell<T>> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl<K: Payload, V: Payload> SubscriberOptions<Table<K, V>> {
    /// Opens the table and maps it.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_table(self) -> Result<TableReader<K, V>, OpenError> {
        let (key, value) = (MessageFormat::of::<K>(), MessageFormat::of::<V>());
        let opened = self.open_transport(Contents::Table { key: Some(&key), value: Some(&value) })?;
        Ok(TableReader::new(opened, self.wait_strategy()))
    }
}

impl<T: Payload> SubscriberOptions<Cell<T>> {
    /// Opens the cell and maps it.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_cell(self) -> Result<CellReader<T>, OpenError> {
        let opened = self.open_transport(Contents::Cell(Some(&MessageFormat::of::<T>())))?;
        Ok(CellReader::new(opened, self.wait_strategy()))
    }
}
