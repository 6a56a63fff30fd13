//! This project's table and cell as contenders.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use feed_ring::table::{ReadError, Row};
use feed_ring::{CellReader, CellWriter, Mapping, TableReader, TableWriter};

use crate::harness::message::Message;
use crate::harness::newest::contender::{KEY, Keeper, ROWS, Reader, Writer};
use crate::harness::newest::measurement::Newest;
use crate::harness::private_dir::PrivateDir;
use crate::row::{self, Kind};

const NAME: &str = "newest";

const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// The rows for values of 56 bytes and, in a full report, of 248 bytes.
pub fn rows() -> Vec<row::Row<Newest>> {
    let mut rows = of_size::<7>();
    rows.extend(of_size::<31>().into_iter().map(row::Row::only_full));
    rows
}

fn of_size<const W: usize>() -> Vec<row::Row<Newest>> {
    let name = |what: &str| format!("feed-ring {what} {}", W * 8);
    vec![
        row::Row::newest::<_, W>(Kind::Table, name("table ro"), ROWS, DEFAULTS),
        row::Row::newest::<_, W>(
            Kind::Table,
            name("table rw"),
            ROWS,
            Table { mapping: Mapping::ReadWrite, ..DEFAULTS },
        ),
        row::Row::newest::<_, W>(Kind::Table, name("table x4 ro"), ROWS, Table { copies: 4, ..DEFAULTS }),
        row::Row::newest::<_, W>(Kind::Table, name("cell ro"), 1, Cell),
    ]
}

/// A table of [`ROWS`] rows. The writer and the reader look the key up once.
#[derive(Clone, Copy, Debug)]
struct Table {
    /// Whether the reader maps the table read-only or read-write.
    mapping: Mapping,
    /// The copies of each row.
    copies: usize,
}

/// The settings of a row whose name says nothing else.
const DEFAULTS: Table = Table { mapping: Mapping::ReadOnly, copies: 2 };

impl<const W: usize> Keeper<W> for Table {
    type Link = PathBuf;
    type Writer = (TableWriter<u64, Message<W>>, Row);
    type Reader = RowReader<W>;

    fn link(&self, dir: &PrivateDir) -> anyhow::Result<PathBuf> {
        Ok(dir.path().to_owned())
    }

    fn writer(&self, root: &PathBuf) -> anyhow::Result<Self::Writer> {
        let mut table = TableWriter::options(NAME).root(root).capacity(ROWS).copies(self.copies).create_table()?;
        for key in 0..ROWS as u64 {
            table.row(&key)?;
        }
        let row = table.row(&KEY)?;
        Ok((table, row))
    }

    fn reader(&self, root: &PathBuf) -> anyhow::Result<RowReader<W>> {
        let options = TableReader::<u64, Message<W>>::options(NAME).root(root).map(self.mapping);
        let mut table = options.open_timeout(OPEN_TIMEOUT).open_table()?;
        let row = table.row(&KEY).context("no such key")?;
        Ok(RowReader { table, row, value: [0; W], overtaken: 0 })
    }
}

impl<const W: usize> Writer<W> for (TableWriter<u64, Message<W>>, Row) {
    #[inline(always)]
    fn store(&mut self, value: &Message<W>) -> anyhow::Result<()> {
        self.0.store(self.1, value);
        Ok(())
    }
}

/// A reader of one row.
#[derive(Debug)]
struct RowReader<const W: usize> {
    table: TableReader<u64, Message<W>>,
    row: Row,
    value: Message<W>,
    /// The most attempts of a read that found each copy overwritten.
    overtaken: u32,
}

impl<const W: usize> Reader<W> for RowReader<W> {
    #[inline(always)]
    fn read<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        read(|value| self.table.get_into(self.row, value), &mut self.value, &mut self.overtaken)
            .map(|()| look(&self.value))
    }

    fn most_attempts(&self) -> Option<u32> {
        Some(self.overtaken.max(self.table.most_retries() + 1))
    }
}

/// A cell.
#[derive(Clone, Copy, Debug)]
struct Cell;

impl<const W: usize> Keeper<W> for Cell {
    type Link = PathBuf;
    type Writer = CellWriter<Message<W>>;
    type Reader = CellOf<W>;

    fn link(&self, dir: &PrivateDir) -> anyhow::Result<PathBuf> {
        Ok(dir.path().to_owned())
    }

    fn writer(&self, root: &PathBuf) -> anyhow::Result<Self::Writer> {
        Ok(CellWriter::options(NAME).root(root).create_cell()?)
    }

    fn reader(&self, root: &PathBuf) -> anyhow::Result<CellOf<W>> {
        let cell = CellReader::options(NAME).root(root).open_timeout(OPEN_TIMEOUT).open_cell()?;
        Ok(CellOf { cell, value: [0; W], overtaken: 0 })
    }
}

impl<const W: usize> Writer<W> for CellWriter<Message<W>> {
    #[inline(always)]
    fn store(&mut self, value: &Message<W>) -> anyhow::Result<()> {
        CellWriter::store(self, value);
        Ok(())
    }
}

/// A reader of a cell.
#[derive(Debug)]
struct CellOf<const W: usize> {
    cell: CellReader<Message<W>>,
    value: Message<W>,
    /// The most attempts of a read that found each copy overwritten.
    overtaken: u32,
}

impl<const W: usize> Reader<W> for CellOf<W> {
    #[inline(always)]
    fn read<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        read(|value| self.cell.get_into(value), &mut self.value, &mut self.overtaken).map(|()| look(&self.value))
    }

    fn most_attempts(&self) -> Option<u32> {
        Some(self.overtaken.max(self.cell.most_retries() + 1))
    }
}

/// Reads until a value is whole. `overtaken` is the most attempts of a read that was given up in between.
#[inline(always)]
fn read<const W: usize>(
    mut get: impl FnMut(&mut Message<W>) -> Result<Option<u64>, ReadError>,
    value: &mut Message<W>,
    overtaken: &mut u32,
) -> anyhow::Result<()> {
    let mut failed = 0_u32;
    loop {
        match get(value) {
            Ok(Some(_)) => return Ok(()),
            Ok(None) => anyhow::bail!("nothing was stored"),
            Err(ReadError::Overtaken { attempts }) => {
                failed = failed.saturating_add(attempts);
                *overtaken = (*overtaken).max(failed.saturating_add(1));
            }
            Err(error) => return Err(error.into()),
        }
    }
}
