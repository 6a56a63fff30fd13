//! How tables and cells of bytes are made and opened.

use std::path::Path;

use super::raw::{RawTableReader, RawTableWriter, RowFormats};
use super::raw_cell::{RawCellReader, RawCellWriter};
use crate::error::{CreateError, OpenError};
use crate::format::message::MessageFormat;
use crate::format::rows::RowsGeometry;
use crate::publisher::options::{PublisherOptions, ROWS};
use crate::segment::header::Contents;
use crate::subscriber::options::SubscriberOptions;

/// Stands for a table of bytes in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub enum AnyTable {}

/// Stands for a cell of bytes in [`PublisherOptions`] and [`SubscriberOptions`].
#[derive(Clone, Copy, Debug)]
pub enum AnyCell {}

impl RawTableWriter {
    /// Options for a table of this name whose keys and values have these formats: see
    /// [`TableWriter::options`](crate::TableWriter::options).
    pub fn options(name: &str, key: MessageFormat, value: MessageFormat) -> PublisherOptions<AnyTable> {
        PublisherOptions::for_rows(name, value, RowsGeometry::table(key), ROWS)
    }
}

impl RawCellWriter {
    /// Options for a cell of this name whose value has this format: see [`CellWriter::options`](crate::CellWriter::options).
    pub fn options(name: &str, format: MessageFormat) -> PublisherOptions<AnyCell> {
        PublisherOptions::for_rows(name, format, RowsGeometry::cell(), 1)
    }
}

impl PublisherOptions<AnyTable> {
    /// The number of copies of each row, from 2 to 64; by default 2: see the same option of a typed
    /// [`TableWriter`](crate::TableWriter).
    pub fn copies(self, copies: usize) -> Self {
        self.with_copies(copies)
    }

    /// Makes a table, or takes one over, as a typed writer does.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_raw_table(self) -> Result<RawTableWriter, CreateError> {
        let made = self.make()?;
        let key = self.key_format().expect("a table has keys").clone();
        Ok(RawTableWriter::new(made, self.wake_or_default(), RowFormats { key, value: self.format().clone() }))
    }
}

impl PublisherOptions<AnyCell> {
    /// The number of copies, from 2 to 64; by default 2: see the same option of a typed [`CellWriter`](crate::CellWriter).
    pub fn copies(self, copies: usize) -> Self {
        self.with_copies(copies)
    }

    /// Makes a cell, or takes one over, as a typed writer does.
    ///
    /// # Errors
    /// [`CreateError`], with one variant for each possible cause. Nothing is left behind then.
    pub fn create_raw_cell(self) -> Result<RawCellWriter, CreateError> {
        Ok(RawCellWriter::new(self.make()?, self.wake_or_default(), self.format().clone()))
    }
}

impl RawTableReader {
    /// Options for opening the table of this name, whatever its keys and values are.
    pub fn options(name: &str) -> SubscriberOptions<AnyTable> {
        SubscriberOptions::new(name, None)
    }

    /// Options for opening the sealed table that a writer serves at the socket `path`, whatever its keys and values are: see
    /// [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<AnyTable> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl RawCellReader {
    /// Options for opening the cell of this name, whatever its value is.
    pub fn options(name: &str) -> SubscriberOptions<AnyCell> {
        SubscriberOptions::new(name, None)
    }

    /// Options for opening the sealed cell that a writer serves at the socket `path`, whatever its value is: see
    /// [`Subscriber::connect`](crate::Subscriber::connect).
    pub fn connect(path: impl AsRef<Path>) -> SubscriberOptions<AnyCell> {
        SubscriberOptions::at_socket(path.as_ref(), None)
    }
}

impl SubscriberOptions<AnyTable> {
    /// Opens a table with any keys and values, and maps it.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_raw_table(self) -> Result<RawTableReader, OpenError> {
        let opened = self.open_transport(Contents::Table { key: None, value: None })?;
        Ok(RawTableReader::new(opened, self.wait_strategy()))
    }
}

impl SubscriberOptions<AnyCell> {
    /// Opens a cell with any value, and maps it.
    ///
    /// # Errors
    /// [`OpenError`], with one variant for each possible cause.
    pub fn open_raw_cell(self) -> Result<RawCellReader, OpenError> {
        let opened = self.open_transport(Contents::Cell(None))?;
        Ok(RawCellReader::new(opened, self.wait_strategy()))
    }
}
