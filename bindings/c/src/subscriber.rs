//! The subscriber of messages.

use std::ffi::{CString, c_char};
use std::mem::MaybeUninit;

use feed_ring::{TryRecvError, raw};

use crate::border::{Failure, border, border_code, border_value, keep, told};
use crate::code::{fr_code, of_event};
use crate::options::{fr_open_options, timeout};
use crate::pointers::{BytesMut, Out, Text, by_length, given, hand_over, put};
use crate::schema::fr_schema;

/// One subscriber of a ring of messages. It reads at its own pace and never makes the publisher wait.
///
/// One thread at a time may use it; it may be another each time. `fr_subscriber_free` ends it. A forked child must not receive.
pub struct fr_subscriber {
    pub(crate) raw: raw::Subscriber,
    try_receive: TryReceive,
    schema: fr_schema,
    without_entry: Option<CString>,
}

impl fr_subscriber {
    /// The size of a message in bytes.
    #[inline(always)]
    fn size(&self) -> usize {
        self.raw.format().size()
    }
}

/// The numbers that belong to what a receive returned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct fr_event {
    /// `FR_OK`: the number of the message, or of the first of a batch. `FR_RESTARTED`: the first number of the epoch.
    /// `FR_RESTARTS_UNKNOWN`: the first number whose epoch is known again. `FR_CORRUPT`: where the damage is. Otherwise the number
    /// of the next message.
    pub sequence: u64,
    /// `FR_RESTARTED`: the new epoch. Otherwise the epoch that was told last: 1 for a ring's first publisher, and one more for each
    /// that took it over. 0 if it is not known. Messages of a batch are all of one epoch.
    pub epoch: u64,
    /// `FR_LAGGED`: how many messages were lost. Otherwise 0.
    pub missed: u64,
}

/// A subscriber's position, and what became of every message: `first + received + lost + skipped = sequence`, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct fr_account {
    /// The number at which it joined.
    pub first: u64,
    /// How many messages were received.
    pub received: u64,
    /// How many were overwritten before they were read.
    pub lost: u64,
    /// How many were passed over for the newest one.
    pub skipped: u64,
    /// The number of the next message.
    pub sequence: u64,
    /// The epoch that was told last.
    pub epoch: u64,
}

impl From<raw::Account> for fr_account {
    fn from(found: raw::Account) -> Self {
        let raw::Account { first, received, lost, skipped, sequence, epoch } = found;
        fr_account { first, received, lost, skipped, sequence, epoch }
    }
}

/// Opens the ring of this name, maps it and joins. `name` is NULL if the options say where to `connect`. If `schema` is not NULL,
/// the ring's messages must have the same one. `options` may be NULL. On failure `*subscriber` is NULL.
///
/// Returns `FR_OK`, `FR_NULL`, `FR_ARGUMENT`, `FR_NAME`, `FR_OPTION`, `FR_NOT_FOUND`, `FR_NO_ROOT`, `FR_UNFINISHED`,
/// `FR_NOT_A_RING`, `FR_OWNER`, `FR_PERMISSION`, `FR_ABI`, `FR_KIND`, `FR_OTHER_MESSAGE`, `FR_DAMAGED`, `FR_NOT_SERVED`,
/// `FR_REFUSED`, `FR_UNSEALED`, `FR_PLACEMENT` or `FR_IO`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_open(
    name: Text,
    schema: Option<&fr_schema>,
    options: Option<&fr_open_options>,
    subscriber: Out<'_, *mut fr_subscriber>,
) -> fr_code {
    border(|| {
        hand_over(subscriber, "subscriber", || {
            let options =
                fr_open_options::apply(options, name, raw::Subscriber::options, |path| raw::Subscriber::connect(path))?;
            let raw = options.open_raw()?;
            let found = fr_schema::new(raw.format().clone());
            if let Some(schema) = schema {
                schema.expect_same(if name.is_null() { "the ring" } else { name.str("name")? }, &found)?;
            }
            let without_entry = raw.without_entry().and_then(|reason| CString::new(reason).ok());
            let try_receive =
                by_length!(raw.format().size(), N => try_receive_array::<N> as TryReceive, _ => try_receive);
            Ok(fr_subscriber { raw, try_receive, schema: found, without_entry })
        })
    })
}

/// Frees a subscriber, which ends its subscription. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_free(subscriber: Option<Box<fr_subscriber>>) {
    border_value((), || drop(subscriber));
}

/// Receives the next message into `message`, if there is one. `size` must be the schema's size. `event` may be NULL. After any code
/// but `FR_OK` the bytes of the message have no meaning. It makes no system call and does not allocate, but asks the kernel now and
/// then whether the publisher lives if there is nothing.
///
/// Returns `FR_OK`; `FR_EMPTY` and the codes after it up to `FR_CORRUPT`; `FR_NULL` or `FR_SIZE`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_try_receive(
    subscriber: Option<&mut fr_subscriber>,
    message: BytesMut,
    size: usize,
    event: Out<'_, fr_event>,
) -> fr_code {
    match subscriber {
        Some(subscriber) => (subscriber.try_receive)(subscriber, message, size, event),
        None => no_subscriber(),
    }
}

/// Receives a message in the way that suits its length. It is a function of C, which no panic leaves: calling it is a jump.
type TryReceive = extern "C" fn(&mut fr_subscriber, BytesMut, usize, Out<'_, fr_event>) -> fr_code;

#[cold]
extern "C" fn no_subscriber() -> fr_code {
    border(|| Err(Failure::null("subscriber")))
}

/// Receives a message of a length that the compiler knows.
extern "C" fn try_receive_array<const N: usize>(
    subscriber: &mut fr_subscriber,
    message: BytesMut,
    size: usize,
    mut event: Out<'_, fr_event>,
) -> fr_code {
    if take::<N>(subscriber, message, size, event.as_deref_mut()) {
        return fr_code::FR_OK;
    }
    try_receive(subscriber, message, size, event)
}

/// Receives a message of any length, or says why not.
#[inline(never)]
extern "C" fn try_receive(
    subscriber: &mut fr_subscriber,
    message: BytesMut,
    size: usize,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(Some(subscriber), message, size, event, |raw, message| raw.try_recv_into(message))
}

/// Waits for the next message, for at most `timeout_ns`, and receives it as `fr_try_receive` does. `FR_FOREVER` waits until a message
/// or an event comes. `FR_EMPTY` means that the time passed, or that the wait was interrupted: `fr_subscriber_interrupter`. How it
/// waits is an option.
///
/// After `FR_CLOSED`, `FR_PUBLISHER_DEAD` and `FR_SUPERSEDED` the next call returns the same at once:
/// `fr_subscriber_wait_for_publisher`.
///
/// Returns what `fr_try_receive` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_receive(
    mut subscriber: Option<&mut fr_subscriber>,
    message: BytesMut,
    size: usize,
    timeout_ns: u64,
    mut event: Out<'_, fr_event>,
) -> fr_code {
    if let Some(subscriber) = subscriber.as_deref_mut().filter(|subscriber| subscriber.size() == size)
        && by_length!(size, N => take::<N>(subscriber, message, size, event.as_deref_mut()), _ => false)
    {
        return fr_code::FR_OK;
    }
    receive_within(subscriber, message, size, timeout_ns, event)
}

/// Receives a message of any length, or waits.
#[inline(never)]
extern "C" fn receive_within(
    subscriber: Option<&mut fr_subscriber>,
    message: BytesMut,
    size: usize,
    timeout_ns: u64,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(subscriber, message, size, event, |raw, message| raw.recv_timeout_into(message, timeout(timeout_ns)))
}

/// Receives the newest message, if it was not received yet. The messages before it count as skipped.
///
/// Returns what `fr_try_receive` returns.
#[unsafe(no_mangle)]
pub extern "C" fn fr_receive_latest(
    subscriber: Option<&mut fr_subscriber>,
    message: BytesMut,
    size: usize,
    event: Out<'_, fr_event>,
) -> fr_code {
    receive(subscriber, message, size, event, |raw, message| raw.latest_into(message))
}

/// Receives as many messages as there are and have room in `size` bytes, a multiple of the schema's size, one after the other. Puts
/// into `*count` how many they are: at least 1 after `FR_OK`, 0 after any other code. What ends a batch is returned by the next call.
/// `event` may be NULL.
///
/// Returns what `fr_try_receive` returns; `FR_SIZE` also for room for no message.
#[unsafe(no_mangle)]
pub extern "C" fn fr_receive_batch(
    subscriber: Option<&mut fr_subscriber>,
    messages: BytesMut,
    size: usize,
    count: Out<'_, usize>,
    event: Out<'_, fr_event>,
) -> fr_code {
    border_code(|| {
        let count = match given(count, "count") {
            Ok(count) => count.write(0),
            Err(failure) => return told(failure),
        };
        let work = || -> Result<_, Failure> {
            let subscriber = given(subscriber, "subscriber")?;
            if size == 0 || !size.is_multiple_of(subscriber.size()) {
                return Err(Failure::size("messages", size, subscriber.size()));
            }
            Ok((messages.slice("messages", size)?, subscriber))
        };
        match work() {
            Ok((messages, subscriber)) => {
                let received = by_length!(
                    subscriber.size(),
                    N => subscriber.raw.recv_batch_arrays(messages.as_chunks_mut::<N>().0),
                    _ => subscriber.raw.recv_batch_into(messages)
                );
                if let Ok(received) = received {
                    *count = received;
                }
                tell(received.map(|count| count as u64), || subscriber.raw.account(), event)
            }
            Err(failure) => told(failure),
        }
    })
}

/// Receives the next message if that takes nothing else: the arguments are right, and the message is there. It calls nothing, so it
/// needs no stack, and panics nowhere. False says nothing, and nothing was received then.
#[inline(always)]
fn take<const N: usize>(
    subscriber: &mut fr_subscriber,
    message: BytesMut,
    size: usize,
    event: Out<'_, fr_event>,
) -> bool {
    let is_taken = message.array::<N>(size).is_some_and(|message| subscriber.raw.take_array(message));
    is_taken && tell(Ok(1), || subscriber.raw.account(), event) == fr_code::FR_OK
}

/// Receives one message in some way.
#[inline(always)]
fn receive(
    subscriber: Option<&mut fr_subscriber>,
    message: BytesMut,
    size: usize,
    event: Out<'_, fr_event>,
    way: impl FnOnce(&mut raw::Subscriber, &mut [u8]) -> Result<(), TryRecvError>,
) -> fr_code {
    border_code(|| {
        let work = || -> Result<_, Failure> {
            let subscriber = given(subscriber, "subscriber")?;
            if size != subscriber.size() {
                return Err(Failure::size("message", size, subscriber.size()));
            }
            Ok((message.slice("message", size)?, subscriber))
        };
        match work() {
            Ok((message, subscriber)) => {
                let received = way(&mut subscriber.raw, message);
                tell(received.map(|()| 1), || subscriber.raw.account(), event)
            }
            Err(failure) => told(failure),
        }
    })
}

/// Tells the code and the numbers of what was received: so many messages, or an event.
#[inline(always)]
pub(crate) fn tell(
    received: Result<u64, TryRecvError>,
    account: impl FnOnce() -> raw::Account,
    event: Out<'_, fr_event>,
) -> fr_code {
    match received {
        Ok(count) => {
            if let Some(event) = event {
                let raw::Account { sequence, epoch, .. } = account();
                event.write(fr_event { sequence: sequence - count, epoch, missed: 0 });
            }
            fr_code::FR_OK
        }
        Err(TryRecvError::Empty) if event.is_none() => fr_code::FR_EMPTY,
        Err(error) => tell_event(error, account(), event),
    }
}

/// The same for an event. Not inlined, so that a message costs nothing for it.
#[cold]
#[inline(never)]
fn tell_event(error: TryRecvError, account: raw::Account, event: Option<&mut MaybeUninit<fr_event>>) -> fr_code {
    let here = fr_event { sequence: account.sequence, epoch: account.epoch, missed: 0 };
    let numbers = match error {
        TryRecvError::Lagged { missed } => fr_event { missed, ..here },
        TryRecvError::Restarted { epoch, sequence } => fr_event { epoch, sequence, ..here },
        TryRecvError::RestartsUnknown { until } => fr_event { sequence: until, ..here },
        TryRecvError::Corrupt(corrupt) => fr_event { sequence: corrupt.sequence, ..here },
        _ => here,
    };
    if error != TryRecvError::Empty {
        keep(&error);
    }
    put(event, numbers);
    of_event(&error)
}

/// Puts the subscriber's position into `*account`, and what became of every message. Costs some loads.
///
/// Returns `FR_OK` or `FR_NULL`.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_account(subscriber: Option<&fr_subscriber>, account: Out<'_, fr_account>) -> fr_code {
    border(|| {
        let subscriber = given(subscriber, "subscriber")?;
        given(account, "account")?.write(subscriber.raw.account().into());
        Ok(())
    })
}

/// The number of messages that are published and not yet received. 0 for NULL. It reads a cache line that the publisher writes with
/// each message: frequent calls slow the publisher down.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_lag(subscriber: Option<&fr_subscriber>) -> u64 {
    border_value(0, || subscriber.map_or(0, |subscriber| subscriber.raw.lag()))
}

/// The number of slots: the ring holds the last `capacity - 1` messages. 0 for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_capacity(subscriber: Option<&fr_subscriber>) -> u64 {
    border_value(0, || subscriber.map_or(0, |subscriber| subscriber.raw.capacity() as u64))
}

/// The schema of the ring's messages, or NULL for NULL. It belongs to the subscriber.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_schema(subscriber: Option<&fr_subscriber>) -> Option<&fr_schema> {
    border_value(None, || subscriber.map(|subscriber| &subscriber.schema))
}

/// Why the publisher and tools do not count this subscriber, as text that belongs to it. NULL if they do, and for NULL. It receives
/// all the same.
#[unsafe(no_mangle)]
pub extern "C" fn fr_subscriber_without_entry(subscriber: Option<&fr_subscriber>) -> *const c_char {
    border_value(std::ptr::null(), || {
        let reason = subscriber.and_then(|subscriber| subscriber.without_entry.as_ref());
        reason.map_or(std::ptr::null(), |reason| reason.as_ptr())
    })
}
