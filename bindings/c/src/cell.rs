//! Cells: one value of any size, such as an order book, for whoever comes late.

use std::ffi::{CString, c_char};

use feed_ring::raw;

use crate::border::{border, border_value, came};
use crate::code::fr_code;
use crate::options::{fr_create_options, fr_open_options, timeout};
use crate::pointers::{Bytes, BytesMut, Out, Text, given, hand_over, put, take_back};
use crate::publisher::{c_path, fr_publisher_state};
use crate::schema::fr_schema;
use crate::table::{expected, found};
use crate::waiting::fr_interrupter;

/// The one writer of a cell. What is said of `fr_publisher` about threads holds here.
pub struct fr_cell_writer {
    raw: raw::CellWriter,
    path: CString,
}

/// One reader of a cell. What is said of `fr_subscriber` about threads holds here.
pub struct fr_cell_reader {
    raw: raw::CellReader,
    schema: fr_schema,
}

/// Makes a cell of this name with a value of this schema, or takes over the one that an ended writer left. `options` may be NULL. On
/// failure `*writer` is NULL.
///
/// Returns what `fr_publisher_create` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_create(
    name: Text,
    schema: Option<&fr_schema>,
    options: Option<&fr_create_options>,
    writer: Out<'_, *mut fr_cell_writer>,
) -> fr_code {
    border(|| {
        hand_over(writer, "writer", || {
            let mut made = raw::CellWriter::options(name.str("name")?, given(schema, "schema")?.format.clone());
            if let Some(copies) = fr_create_options::copies(options)? {
                made = made.copies(copies);
            }
            let raw = fr_create_options::apply(options, made)?.create_raw_cell()?;
            let path = c_path(raw.path());
            Ok(fr_cell_writer { raw, path })
        })
    })
}

/// Stores a value, and puts the number of the store into `*number`, which may be NULL. It never waits for a reader and does not
/// allocate.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_store(
    writer: Option<&mut fr_cell_writer>,
    value: Bytes,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        let value = value.slice("value", expected("value", size, writer.raw.format())?)?;
        let stored = writer.raw.store(value);
        put(number, stored);
        Ok(())
    })
}

/// Copies the value that was stored last, by this writer or by the one before it, and puts the number of that store into `*number`,
/// which may be NULL.
///
/// Returns `FR_OK`, `FR_EMPTY` if none was stored, `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_get(
    writer: Option<&fr_cell_writer>,
    value: BytesMut,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        let value = value.slice("value", expected("value", size, writer.raw.format())?)?;
        found(writer.raw.get_into(value), number)
    })
}

/// Puts into `*state` how far the writer is: `published` counts the stores, and `longest` is the size of the value.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_get_state(
    writer: Option<&fr_cell_writer>,
    state: Out<'_, fr_publisher_state>,
) -> fr_code {
    border(|| {
        let raw = &given(writer, "writer")?.raw;
        given(state, "state")?.write(fr_publisher_state {
            published: raw.stores(),
            epoch: raw.epoch(),
            capacity: 1,
            longest: raw.format().size() as u64,
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
pub extern "C" fn fr_cell_writer_readers(writer: Option<&fr_cell_writer>, count: Out<'_, usize>) -> fr_code {
    border(|| {
        let writer = given(writer, "writer")?;
        given(count, "count")?.write(writer.raw.readers()?);
        Ok(())
    })
}

/// The directory of the cell, or the socket of a sealed one. NULL for NULL. It belongs to the writer.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_path(writer: Option<&fr_cell_writer>) -> *const c_char {
    border_value(std::ptr::null(), || writer.map_or(std::ptr::null(), |writer| writer.path.as_ptr()))
}

/// Ends the cell and frees the writer, whatever it returns: see `fr_publisher_close`.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_NOT_REMOVED`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_close(writer: Option<Box<fr_cell_writer>>) -> fr_code {
    border(|| Ok(take_back(writer, "writer")?.raw.close()?))
}

/// Frees the writer and leaves the cell for the next one: see `fr_publisher_leave`.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_writer_leave(writer: Option<Box<fr_cell_writer>>) -> fr_code {
    border(|| {
        take_back(writer, "writer")?.raw.leave();
        Ok(())
    })
}

/// Opens the cell of this name. `name` is NULL if the options say where to `connect`. If `schema` is not NULL, the value must have the
/// same. `options` may be NULL. On failure `*reader` is NULL.
///
/// Returns what `fr_subscriber_open` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_open(
    name: Text,
    schema: Option<&fr_schema>,
    options: Option<&fr_open_options>,
    reader: Out<'_, *mut fr_cell_reader>,
) -> fr_code {
    border(|| {
        hand_over(reader, "reader", || {
            let options =
                fr_open_options::apply(options, name, raw::CellReader::options, |path| raw::CellReader::connect(path))?;
            let raw = options.open_raw_cell()?;
            let found = fr_schema::new(raw.format().clone());
            schema.map_or(Ok(()), |schema| schema.expect_same("the cell", &found))?;
            Ok(fr_cell_reader { raw, schema: found })
        })
    })
}

/// Frees a reader. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_free(reader: Option<Box<fr_cell_reader>>) {
    border_value((), || drop(reader));
}

/// The schema of the value, or NULL for NULL. It belongs to the reader.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_schema(reader: Option<&fr_cell_reader>) -> Option<&fr_schema> {
    border_value(None, || reader.map(|reader| &reader.schema))
}

/// Copies the newest value, and puts the number of its store into `*number`, which may be NULL: see `fr_table_get`.
///
/// Returns `FR_OK`, `FR_EMPTY` if nothing was stored yet, `FR_NULL`, `FR_SIZE`, `FR_OVERTAKEN` or `FR_CUT_SHORT`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_get(
    reader: Option<&mut fr_cell_reader>,
    value: BytesMut,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let reader = given(reader, "reader")?;
        let value = value.slice("value", expected("value", size, reader.raw.format())?)?;
        found(reader.raw.get_into(value)?, number)
    })
}

/// The number of the next store: it tells whether the value changed. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_stores(reader: Option<&fr_cell_reader>) -> u64 {
    border_value(0, || reader.map_or(0, |reader| reader.raw.stores()))
}

/// Waits until `fr_cell_reader_stores` is no longer `since`: see `fr_table_wait`.
///
/// Returns what `fr_table_wait` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_wait(reader: Option<&mut fr_cell_reader>, since: u64, timeout_ns: u64) -> fr_code {
    border(|| came(given(reader, "reader")?.raw.wait(since, timeout(timeout_ns))?))
}

/// Makes an interrupter for a reader, which ends its wait. On failure `*interrupter` is NULL.
///
/// Returns `FR_OK` or `FR_NULL`. Free it with `fr_interrupter_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_interrupter(
    reader: Option<&fr_cell_reader>,
    interrupter: Out<'_, *mut fr_interrupter>,
) -> fr_code {
    border(|| {
        hand_over(interrupter, "interrupter", || Ok(fr_interrupter { raw: given(reader, "reader")?.raw.interrupter() }))
    })
}

/// 1 if the writer lives, 0 if it does not, and for NULL. Asks the kernel.
#[unsafe(no_mangle)]
pub extern "C" fn fr_cell_reader_writer_is_alive(reader: Option<&fr_cell_reader>) -> i32 {
    border_value(0, || reader.is_some_and(|reader| reader.raw.writer_is_alive()).into())
}
