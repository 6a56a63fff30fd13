//! Rings of records: messages of any length, each with a kind.

use std::ffi::{CString, c_char};

use feed_ring::records::{Record, RecordsFormat};
use feed_ring::{RecordPublisher, RecordSubscriber, TryRecvError};

use crate::border::{Failure, border, border_code, border_value, came, told};
use crate::code::fr_code;
use crate::options::{fr_create_options, fr_open_options, timeout};
use crate::pointers::{Bytes, Out, Text, Values, given, hand_over, put, take_back};
use crate::publisher::{c_path, fr_publisher_state};
use crate::schema::fr_schema;
use crate::subscriber::{fr_account, fr_event, tell};
use crate::waiting::{fr_interrupter, fr_notifier};

/// The one publisher of a ring of records. What is said of `fr_publisher` holds here.
pub struct fr_record_publisher {
    raw: RecordPublisher,
    path: CString,
}

/// One subscriber of a ring of records. What is said of `fr_subscriber` holds here.
pub struct fr_record_subscriber {
    raw: RecordSubscriber,
    encoding: CString,
    kinds: Vec<fr_record_kind>,
    /// What the kinds point to. None is moved or changed as long as they are.
    _schemas: Vec<fr_schema>,
}

/// The schema of the records of one kind.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct fr_record_kind {
    /// The schema.
    pub schema: Values<fr_schema>,
    /// The kind, from 0 to 255.
    pub kind: i32,
}

/// What the records of a ring are, for tools.
#[repr(C)]
pub struct fr_records_format {
    /// The name of their encoding: `dbn`, `itch`, or one of your own, of 1 to 32 characters of `a-z 0-9 - _`. NULL if nothing is known
    /// of them, or if they are structs.
    pub encoding: Text,
    /// If they are structs, the schemas of their kinds, each kind once. NULL otherwise.
    pub kinds: Values<fr_record_kind>,
    /// How many they are.
    pub kinds_count: usize,
}

/// A record that was received.
#[repr(C)]
pub struct fr_record {
    /// Its bytes, at an address that is a multiple of 8. They belong to the subscriber, and are valid until its next receive.
    pub bytes: Values<u8>,
    /// How many they are.
    pub size: usize,
    /// Its number.
    pub number: u64,
    /// The kind that the publisher gave it, from 0 to 255.
    pub kind: i32,
    /// 0.
    pub reserved: i32,
}

impl fr_record {
    fn new(record: Record<'_>) -> Self {
        let Record { number, kind, bytes } = record;
        fr_record { bytes: Values::of(bytes), size: bytes.len(), number, kind: kind.into(), reserved: 0 }
    }

    /// What is there after a failure.
    fn none() -> Self {
        fr_record::new(Record { number: 0, kind: 0, bytes: &[] })
    }
}

impl fr_records_format {
    fn format(given: Option<&Self>) -> Result<RecordsFormat, Failure> {
        let Some(given) = given else { return Ok(RecordsFormat::default()) };
        let kinds = given.kinds.slice("kinds", given.kinds_count)?;
        if kinds.is_empty() {
            let encoding = if given.encoding.is_null() { "" } else { given.encoding.str("encoding")? };
            let first = if encoding.is_empty() { "Records\n".to_owned() } else { format!("Records {encoding}\n") };
            let wrong = |_| Failure::argument("encoding", format_args!("{encoding:?}"), "1 to 32 of a-z 0-9 - _");
            return RecordsFormat::parse(&first).map_err(wrong);
        }
        if !given.encoding.is_null() {
            return Err(Failure::argument("encoding", "given beside kinds", "one of them"));
        }
        let mut formats = Vec::new();
        for kind in kinds {
            let Ok(number) = u8::try_from(kind.kind) else {
                return Err(Failure::argument("kind", kind.kind, "0 to 255"));
            };
            if formats.iter().any(|(known, _)| *known == number) {
                return Err(Failure::argument("kind", format_args!("{number} twice"), "each kind once"));
            }
            let [schema] = kind.schema.slice("the schema of a kind", 1)? else { unreachable!("one was asked for") };
            formats.push((number, schema.format.clone()));
        }
        Ok(RecordsFormat::structs(formats))
    }
}

/// Makes a ring of records of this name, or takes over the one that an ended publisher left. `format` says what the records are; NULL
/// if nothing is known of them. `options` may be NULL. On failure `*publisher` is NULL.
///
/// Returns what `fr_publisher_create` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_create(
    name: Text,
    format: Option<&fr_records_format>,
    options: Option<&fr_create_options>,
    publisher: Out<'_, *mut fr_record_publisher>,
) -> fr_code {
    border(|| {
        hand_over(publisher, "publisher", || {
            let mut made = RecordPublisher::options(name.str("name")?, fr_records_format::format(format)?);
            if let Some(size) = fr_create_options::slot_size(options)? {
                made = made.slot_size(size);
            }
            let raw = fr_create_options::apply(options, made)?.create_records()?;
            let path = c_path(raw.path());
            Ok(fr_record_publisher { raw, path })
        })
    })
}

/// Publishes a record of `size` bytes and of this kind, from 0 to 255, and puts its number into `*number`, which may be NULL. `bytes`
/// may be NULL if `size` is 0. It never waits for a subscriber and does not allocate.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_ARGUMENT`, `FR_SIZE`, or `FR_TOO_LONG` if it is longer than `longest` of the state; nothing is
/// published then.
#[unsafe(no_mangle)]
pub extern "C" fn fr_publish_record(
    publisher: Option<&mut fr_record_publisher>,
    kind: i32,
    bytes: Bytes,
    size: usize,
    number: Out<'_, u64>,
) -> fr_code {
    border(|| {
        let publisher = given(publisher, "publisher")?;
        let Ok(kind) = u8::try_from(kind) else { return Err(Failure::argument("kind", kind, "0 to 255")) };
        let published = publisher.raw.publish(kind, bytes.slice("bytes", size)?)?;
        put(number, published);
        Ok(())
    })
}

/// Puts into `*state` how far the publisher is.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_get_state(
    publisher: Option<&fr_record_publisher>,
    state: Out<'_, fr_publisher_state>,
) -> fr_code {
    border(|| {
        let raw = &given(publisher, "publisher")?.raw;
        given(state, "state")?.write(fr_publisher_state {
            published: raw.published(),
            epoch: raw.epoch(),
            capacity: raw.capacity() as u64,
            longest: raw.longest() as u64,
            is_cut_off: raw.is_cut_off().into(),
            reserved: 0,
        });
        Ok(())
    })
}

/// Puts into `*count` how many subscribers are attached: see `fr_publisher_subscribers`.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_subscribers(
    publisher: Option<&fr_record_publisher>,
    count: Out<'_, usize>,
) -> fr_code {
    border(|| {
        let publisher = given(publisher, "publisher")?;
        given(count, "count")?.write(publisher.raw.subscribers()?);
        Ok(())
    })
}

/// The directory of the ring, or the socket of a sealed ring. NULL for NULL. It belongs to the publisher.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_path(publisher: Option<&fr_record_publisher>) -> *const c_char {
    border_value(std::ptr::null(), || publisher.map_or(std::ptr::null(), |publisher| publisher.path.as_ptr()))
}

/// Ends the ring and frees the publisher, whatever it returns: see `fr_publisher_close`.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_NOT_REMOVED`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_close(publisher: Option<Box<fr_record_publisher>>) -> fr_code {
    border(|| Ok(take_back(publisher, "publisher")?.raw.close()?))
}

/// Frees the publisher and leaves the ring open for the next one: see `fr_publisher_leave`.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_publisher_leave(publisher: Option<Box<fr_record_publisher>>) -> fr_code {
    border(|| {
        take_back(publisher, "publisher")?.raw.leave();
        Ok(())
    })
}

/// Opens the ring of records of this name, maps it and joins. `name` is NULL if the options say where to `connect`. If `format` is not
/// NULL, the ring must have the same. `options` may be NULL. On failure `*subscriber` is NULL.
///
/// Returns what `fr_subscriber_open` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_open(
    name: Text,
    format: Option<&fr_records_format>,
    options: Option<&fr_open_options>,
    subscriber: Out<'_, *mut fr_record_subscriber>,
) -> fr_code {
    border(|| {
        hand_over(subscriber, "subscriber", || {
            let options = fr_open_options::apply(options, name, RecordSubscriber::options, |path| {
                RecordSubscriber::connect(path)
            })?;
            let raw = match format {
                None => options.open_records()?,
                format => options.open_records_of(&fr_records_format::format(format)?)?,
            };
            let found = raw.format().cloned().unwrap_or_default();
            let encoding = CString::new(found.encoding()).unwrap_or_default();
            let _schemas: Vec<_> = found.kinds().map(|(_, format)| fr_schema::new(format.clone())).collect();
            let kind = |((kind, _), schema)| fr_record_kind {
                schema: Values::of(std::slice::from_ref(schema)),
                kind: i32::from(kind),
            };
            let kinds = found.kinds().zip(&_schemas).map(kind).collect();
            Ok(fr_record_subscriber { raw, encoding, kinds, _schemas })
        })
    })
}

/// Frees a subscriber, which ends its subscription. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_free(subscriber: Option<Box<fr_record_subscriber>>) {
    border_value((), || drop(subscriber));
}

/// Receives the next record, if there is one, and puts it into `*record`. After any code but `FR_OK` it is empty. `event` may be NULL.
///
/// Returns `FR_OK`; `FR_EMPTY` and the codes after it up to `FR_CORRUPT`; or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_try_receive_record(
    subscriber: Option<&mut fr_record_subscriber>,
    record: Out<'_, fr_record>,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(subscriber, record, event, |raw| raw.try_recv().map(fr_record::new))
}

/// Waits for the next record, for at most `timeout_ns`, and receives it: see `fr_receive`.
///
/// Returns what `fr_try_receive_record` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_receive_record(
    subscriber: Option<&mut fr_record_subscriber>,
    timeout_ns: u64,
    record: Out<'_, fr_record>,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(subscriber, record, event, |raw| raw.recv_timeout(timeout(timeout_ns)).map(fr_record::new))
}

/// Receives the newest record, if it was not received yet. The records before it count as skipped.
///
/// Returns what `fr_try_receive_record` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_receive_latest_record(
    subscriber: Option<&mut fr_record_subscriber>,
    record: Out<'_, fr_record>,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(subscriber, record, event, |raw| raw.latest().map(fr_record::new))
}

#[inline(always)]
fn receive(
    subscriber: Option<&mut fr_record_subscriber>,
    record: Out<'_, fr_record>,
    event: Out<'_, fr_event>,
    way: impl FnOnce(&mut RecordSubscriber) -> Result<fr_record, TryRecvError>,
) -> fr_code {
    border_code(|| {
        let record = match given(record, "record") {
            Ok(record) => record.write(fr_record::none()),
            Err(failure) => return told(failure),
        };
        let subscriber = match given(subscriber, "subscriber") {
            Ok(subscriber) => subscriber,
            Err(failure) => return told(failure),
        };
        let received = way(&mut subscriber.raw).map(|found| *record = found);
        tell(received.map(|()| 1), || subscriber.raw.account(), event)
    })
}

/// Puts the subscriber's position into `*account`, counted in records.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_account(
    subscriber: Option<&fr_record_subscriber>,
    account: Out<'_, fr_account>,
) -> fr_code {
    border(|| {
        let subscriber = given(subscriber, "subscriber")?;
        given(account, "account")?.write(subscriber.raw.account().into());
        Ok(())
    })
}

/// The number of records that are published and not yet received. 0 for NULL. See `fr_subscriber_lag`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_lag(subscriber: Option<&fr_record_subscriber>) -> u64 {
    border_value(0, || subscriber.map_or(0, |subscriber| subscriber.raw.lag()))
}

/// The number of slots. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_capacity(subscriber: Option<&fr_record_subscriber>) -> u64 {
    border_value(0, || subscriber.map_or(0, |subscriber| subscriber.raw.capacity() as u64))
}

/// The longest record that the ring can have, in bytes. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_longest(subscriber: Option<&fr_record_subscriber>) -> usize {
    border_value(0, || subscriber.map_or(0, |subscriber| subscriber.raw.longest()))
}

/// What the ring's records are, as its header says. It belongs to the subscriber. On failure it is empty.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_format(
    subscriber: Option<&fr_record_subscriber>,
    format: Out<'_, fr_records_format>,
) -> fr_code {
    border(|| {
        let nothing = fr_records_format { encoding: Text::of(None), kinds: Values::of(&[]), kinds_count: 0 };
        let format = given(format, "format")?.write(nothing);
        let fr_record_subscriber { encoding, kinds, .. } = given(subscriber, "subscriber")?;
        if kinds.is_empty() && !encoding.is_empty() {
            format.encoding = Text::of(Some(encoding));
        }
        (format.kinds, format.kinds_count) = (Values::of(kinds), kinds.len());
        Ok(())
    })
}

/// Waits until a publisher takes the ring over: see `fr_subscriber_wait_for_publisher`.
///
/// Returns `FR_OK`, `FR_EMPTY` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_wait_for_publisher(
    subscriber: Option<&mut fr_record_subscriber>,
    timeout_ns: u64,
) -> fr_code {
    border(|| came(given(subscriber, "subscriber")?.raw.wait_for_publisher(timeout(timeout_ns))))
}

/// 1 if a publisher lives, 0 if none does, and for NULL. Asks the kernel.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_publisher_is_alive(subscriber: Option<&fr_record_subscriber>) -> i32 {
    border_value(0, || subscriber.is_some_and(|subscriber| subscriber.raw.publisher_is_alive()).into())
}

/// Makes an interrupter for a subscriber: see `fr_subscriber_interrupter`.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_interrupter(
    subscriber: Option<&fr_record_subscriber>,
    interrupter: Out<'_, *mut fr_interrupter>,
) -> fr_code {
    border(|| {
        hand_over(interrupter, "interrupter", || {
            Ok(fr_interrupter { raw: given(subscriber, "subscriber")?.raw.interrupter() })
        })
    })
}

/// Makes a notifier for a subscriber: see `fr_subscriber_notifier`. Arm it with the functions of records.
///
/// Returns `FR_OK`, `FR_NULL` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_record_subscriber_notifier(
    subscriber: Option<&fr_record_subscriber>,
    notifier: Out<'_, *mut fr_notifier>,
) -> fr_code {
    border(|| {
        hand_over(notifier, "notifier", || Ok(fr_notifier { raw: given(subscriber, "subscriber")?.raw.notifier()? }))
    })
}

/// `fr_notifier_arm` for a subscriber of records.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_arm_records(
    notifier: Option<&fr_notifier>,
    subscriber: Option<&fr_record_subscriber>,
) -> fr_code {
    border(|| {
        given(notifier, "notifier")?.raw.arm_records(&given(subscriber, "subscriber")?.raw);
        Ok(())
    })
}

/// `fr_notifier_arm_for_publisher` for a subscriber of records.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_notifier_arm_records_for_publisher(
    notifier: Option<&fr_notifier>,
    subscriber: Option<&fr_record_subscriber>,
) -> fr_code {
    border(|| {
        given(notifier, "notifier")?.raw.arm_records_for_publisher(&given(subscriber, "subscriber")?.raw);
        Ok(())
    })
}
