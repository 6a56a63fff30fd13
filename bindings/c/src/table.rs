//! Tables: the last value of each key, for whoever comes late. The writer.

use std::ffi::{CString, c_char};

use feed_ring::raw;
use feed_ring::table::Row;

use crate::border::{Failure, border, border_value};
use crate::code::fr_code;
use crate::options::fr_create_options;
use crate::pointers::{Bytes, BytesMut, Out, Text, given, hand_over, put, take_back};
use crate::publisher::{c_path, fr_publisher_state};
use crate::schema::fr_schema;

/// The one writer of a table: it keeps the last value of each key. What is said of `fr_publisher` about threads holds here.
pub struct fr_table_writer {
    raw: raw::TableWriter,
    path: CString,
}

/// Makes a table of this name with keys and values of these schemas, or takes over the one that an ended writer left. Rings, tables
/// and cells share one set of names. `options` may be NULL. On failure `*writer` is NULL.
///
/// Returns what `fr_publisher_create` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_create(
    name: Text,
    key: Option<&fr_schema>,
    value: Option<&fr_schema>,
    options: Option<&fr_create_options>,
    writer: Out<'_, *mut fr_table_writer>,
) -> fr_code {
    border(|| {
        hand_over(writer, "writer", || {
            let (key, value) = (given(key, "key")?.format.clone(), given(value, "value")?.format.clone());
            let mut made = raw::TableWriter::options(name.str("name")?, key, value);
            if let Some(copies) = fr_create_options::copies(options)? {
                made = made.copies(copies);
            }
            let raw = fr_create_options::apply(options, made)?.create_raw_table()?;
            let path = c_path(raw.path());
            Ok(fr_table_writer { raw, path })
        })
    })
}

/// Puts the row of a key into `*row`, and adds the key if it is new. Keys are equal if their bytes are. Keep the row: it is the same
/// as long as the table exists.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_SIZE`, or `FR_FULL` if the key is new and there is no row left.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_row(
    writer: Option<&mut fr_table_writer>,
    key: Bytes,
    size: usize,
    row: Out<'_, usize>,
) -> fr_code {
    border(|| {
        let (writer, row) = (given(writer, "writer")?, given(row, "row")?);
        let key = key.slice("key", expected("key", size, writer.raw.key_format())?)?;
        row.write(writer.raw.row(key)?.index());
        Ok(())
    })
}

/// Stores a value into a row, and puts the number of the store into `*number`, which may be NULL. It never waits for a reader and does
/// not allocate.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_SIZE`, or `FR_NO_ROW` if no key has this row.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_store(
    writer: Option<&mut fr_table_writer>,
    row: usize,
    value: Bytes,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        let value = value.slice("value", expected("value", size, writer.raw.value_format())?)?;
        let stored = writer.raw.store(row_of(row, writer.raw.len())?, value);
        put(number, stored);
        Ok(())
    })
}

/// Copies the value that was stored last into a row, by this writer or by the one before it, and puts the number of that store into
/// `*number`, which may be NULL.
///
/// Returns `FR_OK`, `FR_EMPTY` if none was stored, `FR_NULL`, `FR_SIZE` or `FR_NO_ROW`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_get(
    writer: Option<&fr_table_writer>,
    row: usize,
    value: BytesMut,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        let value = value.slice("value", expected("value", size, writer.raw.value_format())?)?;
        found(writer.raw.get_into(row_of(row, writer.raw.len())?, value), number)
    })
}

/// Copies the key of a row.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_SIZE` or `FR_NO_ROW`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_key(
    writer: Option<&fr_table_writer>,
    row: usize,
    key: BytesMut,
    size: usize,
) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        let key = key.slice("key", expected("key", size, writer.raw.key_format())?)?;
        if writer.raw.key_into(Row::at(row), key) { Ok(()) } else { Err(no_row(row, writer.raw.len())) }
    })
}

/// The number of keys: rows are counted from 0. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_rows(writer: Option<&fr_table_writer>) -> usize {
    border_value(0, || writer.map_or(0, |writer| writer.raw.len()))
}

/// Puts into `*state` how far the writer is: `published` counts the stores, and `longest` is the size of a value.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_get_state(
    writer: Option<&fr_table_writer>,
    state: Out<'_, fr_publisher_state>,
) -> fr_code {
    border(|| {
        let raw = &given(writer, "writer")?.raw;
        given(state, "state")?.write(fr_publisher_state {
            published: raw.stores(),
            epoch: raw.epoch(),
            capacity: raw.capacity() as u64,
            longest: raw.value_format().size() as u64,
            is_cut_off: raw.is_cut_off().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Puts into `*count` how many readers are attached: see `fr_publisher_subscribers`.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_readers(writer: Option<&fr_table_writer>, count: Out<'_, usize>) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        given(count, "count")?.write(writer.raw.readers()?);
        Ok(())
    })
}

/// The directory of the table, or the socket of a sealed one. NULL for NULL. It belongs to the writer.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_path(writer: Option<&fr_table_writer>) -> *const c_char {
    border_value(std::ptr::null(), || writer.map_or(std::ptr::null(), |writer| writer.path.as_ptr()))
}

/// Ends the table and frees the writer, whatever it returns: see `fr_publisher_close`.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_NOT_REMOVED`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_close(writer: Option<Box<fr_table_writer>>) -> fr_code {
    border(|| Ok(take_back(writer, "writer")?.raw.close()?))
}

/// Frees the writer and leaves the table for the next one: see `fr_publisher_leave`.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_writer_leave(writer: Option<Box<fr_table_writer>>) -> fr_code {
    border(|| {
        take_back(writer, "writer")?.raw.leave();
        Ok(())
    })
}

/// The size, if it is that of the format.
pub(crate) fn expected(what: &'static str, size: usize, format: &raw::MessageFormat) -> Result<usize, Failure> {
    if size == format.size() { Ok(size) } else { Err(Failure::size(what, size, format.size())) }
}

/// The row of this number, if the table has it.
pub(crate) fn row_of(row: usize, rows: usize) -> Result<Row, Failure> {
    if row < rows { Ok(Row::at(row)) } else { Err(no_row(row, rows)) }
}

#[cold]
pub(crate) fn no_row(row: usize, rows: usize) -> Failure {
    Failure::new(fr_code::FR_NO_ROW, format!("row {row} of a table with {rows} keys: rows are counted from 0"))
}

/// Tells the number of the store that a value came with, or that there is none.
pub(crate) fn found(stored: Option<u64>, number: Out<'_, u64>) -> Result<(), Failure> {
    let Some(stored) = stored else { return Err(Failure::empty()) };
    put(number, stored);
    Ok(())
}
