//! Tables: the readers.

use feed_ring::raw;
use feed_ring::table::Row;

use crate::border::{Failure, border, border_value, came};
use crate::code::fr_code;
use crate::options::{fr_open_options, timeout};
use crate::pointers::{Bytes, BytesMut, Out, OutValues, Text, given, hand_over};
use crate::schema::fr_schema;
use crate::table::{expected, found, no_row, row_of};
use crate::waiting::fr_interrupter;

/// One reader of a table. What is said of `fr_subscriber` about threads holds here.
pub struct fr_table_reader {
    raw: raw::TableReader,
    key: fr_schema,
    value: fr_schema,
    /// The rows that changed and were not told yet. They are told before the table is asked again.
    changed: Vec<Row>,
    /// What to ask the table for next.
    since: u64,
}

/// Opens the table of this name. `name` is NULL if the options say where to `connect`. If `key` or `value` is not NULL, the table's
/// must have the same schema. `options` may be NULL; what it says of joining does not matter. On failure `*reader` is NULL.
///
/// Returns what `fr_subscriber_open` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_open(
    name: Text,
    key: Option<&fr_schema>,
    value: Option<&fr_schema>,
    options: Option<&fr_open_options>,
    reader: Out<'_, *mut fr_table_reader>,
) -> fr_code {
    border(|| {
        hand_over(reader, "reader", || {
            let options = fr_open_options::apply(options, name, raw::TableReader::options, |path| {
                raw::TableReader::connect(path)
            })?;
            let raw = options.open_raw_table()?;
            let (found_key, found_value) =
                (fr_schema::new(raw.key_format().clone()), fr_schema::new(raw.value_format().clone()));
            for (expected, found, what) in [(key, &found_key, "keys"), (value, &found_value, "values")] {
                expected.map_or(Ok(()), |expected| expected.expect_same(&format!("the table's {what}"), found))?;
            }
            Ok(fr_table_reader { raw, key: found_key, value: found_value, changed: Vec::new(), since: 0 })
        })
    })
}

/// Frees a reader. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_free(reader: Option<Box<fr_table_reader>>) {
    border_value((), || drop(reader));
}

/// The schema of the keys, or NULL for NULL. It belongs to the reader.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_key_schema(reader: Option<&fr_table_reader>) -> Option<&fr_schema> {
    border_value(None, || reader.map(|reader| &reader.key))
}

/// The schema of the values, or NULL for NULL. It belongs to the reader.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_value_schema(reader: Option<&fr_table_reader>) -> Option<&fr_schema> {
    border_value(None, || reader.map(|reader| &reader.value))
}

/// Puts the row of a key into `*row`. Keep the row, and read by it.
///
/// Returns `FR_OK`, `FR_EMPTY` if the writer has not added this key, `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_row(
    reader: Option<&mut fr_table_reader>,
    key: Bytes,
    size: usize,
    row: Out<'_, usize>,
) -> fr_code {
    border(|| {
        let (reader, row) = (given(reader, "reader")?, given(row, "row")?);
        let key = key.slice("key", expected("key", size, reader.raw.key_format())?)?;
        row.write(reader.raw.row(key).ok_or_else(Failure::empty)?.index());
        Ok(())
    })
}

/// Copies the newest value of a row, and puts the number of its store into `*number`, which may be NULL. A value is never torn, and
/// never older than the one read before. After any code but `FR_OK` the bytes of the value have no meaning.
///
/// Returns `FR_OK`, `FR_EMPTY` if nothing was stored there yet, `FR_NULL`, `FR_SIZE`, `FR_NO_ROW`, `FR_OVERTAKEN` or `FR_CUT_SHORT`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_get(
    reader: Option<&mut fr_table_reader>,
    row: usize,
    value: BytesMut,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let reader = given(reader, "reader")?;
        let value = value.slice("value", expected("value", size, reader.raw.value_format())?)?;
        let row = row_of(row, reader.raw.capacity()).map_err(|_| no_row(row, reader.raw.rows().count()))?;
        found(reader.raw.get_into(row, value)?, number)
    })
}

/// Copies the key of a row.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_SIZE` or `FR_NO_ROW`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_key(
    reader: Option<&fr_table_reader>,
    row: usize,
    key: BytesMut,
    size: usize,
) -> fr_code {
    border(|| {
        let reader = given(reader, "reader")?;
        let key = key.slice("key", expected("key", size, reader.raw.key_format())?)?;
        if reader.raw.key_into(Row::at(row), key) { Ok(()) } else { Err(no_row(row, reader.raw.rows().count())) }
    })
}

/// The number of keys by now: rows are counted from 0. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_rows(reader: Option<&fr_table_reader>) -> usize {
    border_value(0, || reader.map_or(0, |reader| reader.raw.rows().count()))
}

/// The most keys. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_capacity(reader: Option<&fr_table_reader>) -> usize {
    border_value(0, || reader.map_or(0, |reader| reader.raw.capacity()))
}

/// The number of the next store: it tells whether anything changed. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_stores(reader: Option<&fr_table_reader>) -> u64 {
    border_value(0, || reader.map_or(0, |reader| reader.raw.stores()))
}

/// Puts rows that were stored into since the last call, each once, into `rows`, which has room for `room` of them, and how many it
/// put there into `*count`. Call it again while it fills the room. The first call tells every row that has a value.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_changed(
    reader: Option<&mut fr_table_reader>,
    rows: OutValues<usize>,
    room: usize,
    count: Out<'_, usize>,
) -> fr_code {
    border(|| {
        let count = given(count, "count")?.write(0);
        let reader = given(reader, "reader")?;
        let rows = rows.slice("rows", room)?;
        if reader.changed.is_empty() {
            reader.since = reader.raw.changed_since(reader.since, &mut reader.changed);
            reader.changed.reverse();
        }
        let told = rows.len().min(reader.changed.len());
        for (row, changed) in rows.iter_mut().zip(reader.changed.drain(reader.changed.len() - told..).rev()) {
            row.write(changed.index());
        }
        *count = told;
        Ok(())
    })
}

/// Waits until `fr_table_reader_stores` is no longer `since`, for at most `timeout_ns`.
///
/// Returns `FR_OK`; `FR_EMPTY` if the time passed or the wait was interrupted; `FR_CLOSED`, `FR_PUBLISHER_DEAD`, `FR_SUPERSEDED` or
/// `FR_CUT_SHORT` if nothing more will be stored; or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_wait(reader: Option<&mut fr_table_reader>, since: u64, timeout_ns: u64) -> fr_code {
    border(|| came(given(reader, "reader")?.raw.wait(since, timeout(timeout_ns))?))
}

/// Makes an interrupter for a reader, which ends its wait. On failure `*interrupter` is NULL.
///
/// Returns `FR_OK` or `FR_NULL`. Free it with `fr_interrupter_free`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_interrupter(
    reader: Option<&fr_table_reader>,
    interrupter: Out<'_, *mut fr_interrupter>,
) -> fr_code {
    border(|| {
        hand_over(interrupter, "interrupter", || Ok(fr_interrupter { raw: given(reader, "reader")?.raw.interrupter() }))
    })
}

/// 1 if the writer lives, 0 if it does not, and for NULL. Asks the kernel.
#[unsafe(no_mangle)]
pub extern "C" fn fr_table_reader_writer_is_alive(reader: Option<&fr_table_reader>) -> i32 {
    border_value(0, || reader.is_some_and(|reader| reader.raw.writer_is_alive()).into())
}
