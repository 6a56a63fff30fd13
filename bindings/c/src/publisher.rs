//! The publisher of messages.

use std::ffi::{CString, c_char};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use feed_ring::raw;

use crate::border::{Failure, border, border_value};
use crate::code::fr_code;
use crate::options::fr_create_options;
use crate::pointers::{Bytes, Out, Text, by_length, given, hand_over, put, take_back};
use crate::schema::fr_schema;

/// The one publisher of a ring of messages.
///
/// One thread at a time may use it; it may be another each time. `fr_publisher_close` ends it, or `fr_publisher_leave`. A forked
/// child must not publish.
pub struct fr_publisher {
    raw: raw::Publisher,
    publish: Publish,
    schema: fr_schema,
    path: CString,
}

impl fr_publisher {
    /// The size of a message in bytes.
    #[inline(always)]
    fn size(&self) -> usize {
        self.raw.format().size()
    }
}

/// How far a publisher of messages or records is, or a writer of a table or a cell.
#[derive(Default)]
#[repr(C)]
pub struct fr_publisher_state {
    /// The number of the next message: how many were published since the ring began.
    pub published: u64,
    /// 1 for a new ring's first publisher, and one more for each that took it over.
    pub epoch: u64,
    /// The number of slots. Of a table, of rows.
    pub capacity: u64,
    /// Of a ring of records: the longest record in bytes. Otherwise the size of a message.
    pub longest: u64,
    /// 1 if the ring's file was cut short under this publisher, and `fr_guard_install` kept it alive: what it publishes reaches
    /// nobody. Close it and make a new ring.
    pub is_cut_off: i32,
    /// 0.
    pub reserved: i32,
}

/// Makes a ring of this name whose messages have this schema, or takes over the ring that an ended publisher left, if it has the
/// same schema and capacity. A ring that is taken over goes on with the next number, in the next epoch. `options` may be NULL. On
/// failure `*publisher` is NULL, and no file is left behind.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_ARGUMENT`, `FR_NAME`, `FR_OPTION`, `FR_SCHEMA`, `FR_ALREADY_PUBLISHED`, `FR_OWNER`,
/// `FR_NOT_A_RING`, `FR_NO_ROOM`, `FR_PLACEMENT` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_create(
    name: Text,
    schema: Option<&fr_schema>,
    options: Option<&fr_create_options>,
    publisher: Out<'_, *mut fr_publisher>,
) -> fr_code {
    border(|| {
        hand_over(publisher, "publisher", || {
            let format = &given(schema, "schema")?.format;
            let made = raw::Publisher::options(name.str("name")?, format.clone());
            let raw = fr_create_options::apply(options, made)?.create_raw()?;
            let (schema, path) = (fr_schema::new(format.clone()), c_path(raw.path()));
            let publish = by_length!(format.size(), N => publish_array::<N> as Publish, _ => publish);
            Ok(fr_publisher { raw, publish, schema, path })
        })
    })
}

/// Publishes a message of `size` bytes, which must be the schema's size, and puts its number into `*sequence`, which may be NULL.
/// It never waits for a subscriber and does not allocate.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publish(
    publisher: Option<&mut fr_publisher>,
    message: Bytes,
    size: usize,
    sequence: Out<'_, u64>,
) -> fr_code {
    match publisher {
        Some(publisher) => (publisher.publish)(publisher, message, size, sequence),
        None => no_publisher(),
    }
}

/// Publishes a message in the way that suits its length. It is a function of C, which no panic leaves: calling it is a jump.
type Publish = extern "C" fn(&mut fr_publisher, Bytes, usize, Out<'_, u64>) -> fr_code;

#[cold]
extern "C" fn no_publisher() -> fr_code {
    border(|| Err(Failure::null("publisher")))
}

/// Publishes a message of a length that the compiler knows.
extern "C" fn publish_array<const N: usize>(
    publisher: &mut fr_publisher,
    message: Bytes,
    size: usize,
    sequence: Out<'_, u64>,
) -> fr_code {
    let Some(message) = message.array::<N>(size) else { return publish(publisher, message, size, sequence) };
    border(|| {
        let number = publisher.raw.publish_array(message);
        put(sequence, number);
        Ok(())
    })
}

/// Publishes a message of any length, or says what is wrong.
#[inline(never)]
extern "C" fn publish(publisher: &mut fr_publisher, message: Bytes, size: usize, sequence: Out<'_, u64>) -> fr_code {
    border(|| {
        if size != publisher.size() {
            return Err(Failure::size("message", size, publisher.size()));
        }
        let number = publisher.raw.publish(message.slice("message", size)?);
        put(sequence, number);
        Ok(())
    })
}

/// Publishes messages that lie one after the other in `size` bytes, a multiple of the schema's size, and puts the number of the
/// first into `*sequence`, which may be NULL.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_SIZE`; nothing is published then.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publish_batch(
    publisher: Option<&mut fr_publisher>,
    messages: Bytes,
    size: usize,
    sequence: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let publisher = given(publisher, "publisher")?;
        let message = publisher.size();
        if !size.is_multiple_of(message) {
            return Err(Failure::size("messages", size, message));
        }
        let messages = messages.slice("messages", size)?;
        let numbers = by_length!(
            message,
            N => publisher.raw.publish_arrays(messages.as_chunks::<N>().0),
            _ => publisher.raw.publish_batch(messages)
        );
        put(sequence, numbers.start);
        Ok(())
    })
}

/// Puts into `*state` how far the publisher is. Costs some loads.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_get_state(
    publisher: Option<&fr_publisher>,
    state: Out<'_, fr_publisher_state>,
) -> fr_code {
    border(|| {
        let raw = &given(publisher, "publisher")?.raw;
        given(state, "state")?.write(fr_publisher_state {
            published: raw.published(),
            epoch: raw.epoch(),
            capacity: raw.capacity() as u64,
            longest: raw.format().size() as u64,
            is_cut_off: raw.is_cut_off().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Puts into `*count` how many subscribers are attached now, of whom at most 1,024 are counted. Costs a system call for each.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_subscribers(publisher: Option<&fr_publisher>, count: Out<'_, usize>) -> fr_code {
    border(|| {
        let publisher = given(publisher, "publisher")?;
        given(count, "count")?.write(publisher.raw.subscribers()?);
        Ok(())
    })
}

/// The schema of the messages, or NULL for NULL. It belongs to the publisher.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_schema(publisher: Option<&fr_publisher>) -> Option<&fr_schema> {
    border_value(None, || publisher.map(|publisher| &publisher.schema))
}

/// The directory of the ring, or the socket of a sealed ring. NULL for NULL. It belongs to the publisher.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_path(publisher: Option<&fr_publisher>) -> *const c_char {
    border_value(std::ptr::null(), || publisher.map_or(std::ptr::null(), |publisher| publisher.path.as_ptr()))
}

/// Ends the ring and frees the publisher, whatever it returns. Subscribers read the ring to its end and then receive `FR_CLOSED`.
/// The ring's files are removed, unless the options say to keep them.
///
/// Returns `FR_OK`, `FR_NULL`, or `FR_NOT_REMOVED` if the files cannot be removed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_close(publisher: Option<Box<fr_publisher>>) -> fr_code {
    border(|| Ok(take_back(publisher, "publisher")?.raw.close()?))
}

/// Frees the publisher and leaves the ring open for the next one, for a planned restart. To subscribers it is as if this publisher
/// had died: they stay attached, and go on with the next one.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publisher_leave(publisher: Option<Box<fr_publisher>>) -> fr_code {
    border(|| {
        take_back(publisher, "publisher")?.raw.leave();
        Ok(())
    })
}

/// A path for C.
pub(crate) fn c_path(path: Option<&Path>) -> CString {
    path.and_then(|path| CString::new(path.as_os_str().as_bytes()).ok()).unwrap_or_default()
}
