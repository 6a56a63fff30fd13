//! The codes that functions return, and which code each error of the ring has.

use std::ffi::c_char;

use feed_ring::table::{Full, ReadError, WaitError};
use feed_ring::{CloseError, CreateError, NameError, OpenError, PlacementError, TryRecvError, inspect, records};

use crate::border::{Failure, border_value};

/// What a function returns. Below `FR_NULL` are what can happen to a subscriber: none is a mistake of the program. What is
/// above is: `fr_last_error` has the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub enum fr_code {
    /// Done.
    FR_OK = 0,
    /// There is nothing to receive yet, the timeout passed, or the wait was interrupted.
    FR_EMPTY = 1,
    /// The publisher overwrote messages before they were read: `missed` of the event. The next call goes on behind them.
    FR_LAGGED = 2,
    /// Another publisher took the ring over. Its messages begin at `sequence` of the event, in `epoch`. Rebuild what was
    /// derived from earlier messages.
    FR_RESTARTED = 3,
    /// Publishers took the ring over more often than it can tell. The next messages, up to but not including `sequence` of the
    /// event, may be of several publishers. Rebuild what is derived from them at that sequence.
    FR_RESTARTS_UNKNOWN = 4,
    /// The publisher closed the ring, and every message was read.
    FR_CLOSED = 5,
    /// The publisher ended without closing the ring, and every message was read: it died, or it left. Another may take the ring
    /// over: `fr_subscriber_wait_for_publisher`.
    FR_PUBLISHER_DEAD = 6,
    /// Another ring of the same name replaced this one, and every message of this one was read. Open the name again.
    FR_SUPERSEDED = 7,
    /// The file was cut short under its reader, and `fr_guard_install` noticed it. Every further call returns the same.
    FR_CUT_SHORT = 8,
    /// The ring holds something that no publisher can have stored. It is pointless to call again.
    FR_CORRUPT = 9,

    /// A pointer is NULL that may not be.
    FR_NULL = 32,
    /// A buffer is not as long as the message.
    FR_SIZE = 33,
    /// A number is none of those allowed, a text is not UTF-8, or a reserved field is not zero.
    FR_ARGUMENT = 34,
    /// No ring can have this name.
    FR_NAME = 35,
    /// No ring can have this option, or not together with another.
    FR_OPTION = 36,
    /// A schema is none, or no message can have it.
    FR_SCHEMA = 37,
    /// The record is longer than its ring takes.
    FR_TOO_LONG = 38,
    /// The table has no room for another key.
    FR_FULL = 39,
    /// The table has no such row.
    FR_NO_ROW = 40,
    /// The value was overwritten while it was read, again and again.
    FR_OVERTAKEN = 41,

    /// There is no ring of this name.
    FR_NOT_FOUND = 64,
    /// There is no such directory.
    FR_NO_ROOT = 65,
    /// The ring is being made, or its publisher was killed while making it.
    FR_UNFINISHED = 66,
    /// What is there is no ring.
    FR_NOT_A_RING = 67,
    /// It belongs to another user.
    FR_OWNER = 68,
    /// The kernel does not let this program read it.
    FR_PERMISSION = 69,
    /// It has another version than this library reads.
    FR_ABI = 70,
    /// It is of another kind: messages, records, a table, a cell.
    FR_KIND = 71,
    /// Its messages are others than expected.
    FR_OTHER_MESSAGE = 72,
    /// Its header is damaged.
    FR_DAMAGED = 73,
    /// Nobody serves the socket any more.
    FR_NOT_SERVED = 74,
    /// The publisher refused to hand out its ring.
    FR_REFUSED = 75,
    /// What came through the socket can be changed by others.
    FR_UNSEALED = 76,
    /// Another publisher has the name.
    FR_ALREADY_PUBLISHED = 77,
    /// There is too little memory, or too little room on the file system.
    FR_NO_ROOM = 78,
    /// The memory cannot be placed as asked for.
    FR_PLACEMENT = 79,
    /// A system call failed.
    FR_IO = 80,
    /// The ring is closed, but its files cannot be removed.
    FR_NOT_REMOVED = 81,

    /// A cause that this version of the interface has no code for.
    FR_OTHER = 126,
    /// A defect of the library. It printed a line on standard error. The handle can only be freed, closed or left.
    FR_PANIC = 127,
}

use fr_code::*;

/// The name of a code, such as `"FR_LAGGED"`. `"unknown"` for any other number. Never NULL; never freed.
#[unsafe(no_mangle)]
pub extern "C" fn fr_code_name(code: i32) -> *const c_char {
    border_value(c"unknown".as_ptr(), || {
        macro_rules! names {
            ($($name:ident)*) => {
                match code {
                    $(code if code == $name as i32 => concat!(stringify!($name), "\0").as_ptr().cast(),)*
                    _ => c"unknown".as_ptr(),
                }
            };
        }
        names!(
            FR_OK FR_EMPTY FR_LAGGED FR_RESTARTED FR_RESTARTS_UNKNOWN FR_CLOSED FR_PUBLISHER_DEAD FR_SUPERSEDED FR_CUT_SHORT
            FR_CORRUPT FR_NULL FR_SIZE FR_ARGUMENT FR_NAME FR_OPTION FR_SCHEMA FR_TOO_LONG FR_FULL FR_NO_ROW FR_OVERTAKEN
            FR_NOT_FOUND FR_NO_ROOT FR_UNFINISHED FR_NOT_A_RING FR_OWNER FR_PERMISSION FR_ABI FR_KIND FR_OTHER_MESSAGE
            FR_DAMAGED FR_NOT_SERVED FR_REFUSED FR_UNSEALED FR_ALREADY_PUBLISHED FR_NO_ROOM FR_PLACEMENT FR_IO FR_NOT_REMOVED
            FR_OTHER FR_PANIC
        )
    })
}

impl From<CreateError> for Failure {
    fn from(error: CreateError) -> Self {
        let code = match &error {
            CreateError::Name(_) => FR_NAME,
            CreateError::Capacity { .. }
            | CreateError::Rows { .. }
            | CreateError::Copies { .. }
            | CreateError::SlotSize { .. }
            | CreateError::Mode { .. }
            | CreateError::SealedOption { .. }
            | CreateError::DiskOption { .. } => FR_OPTION,
            CreateError::Message { .. } => FR_SCHEMA,
            CreateError::AlreadyPublished { .. } => FR_ALREADY_PUBLISHED,
            CreateError::Owner { .. } => FR_OWNER,
            CreateError::NotARing { .. } => FR_NOT_A_RING,
            CreateError::NoRoom { .. }
            | CreateError::MemoryLimit { .. }
            | CreateError::NoInodes { .. }
            | CreateError::FileSizeLimit { .. }
            | CreateError::NoMemory { .. } => FR_NO_ROOM,
            CreateError::Placement { .. } => FR_PLACEMENT,
            CreateError::NoProc { .. } | CreateError::Io { .. } => FR_IO,
            _ => FR_OTHER,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::Name(_) => FR_NAME,
            OpenError::SealedOption { .. } | OpenError::Sequence { .. } => FR_OPTION,
            OpenError::NotFound { .. } => FR_NOT_FOUND,
            OpenError::NoRoot { .. } => FR_NO_ROOT,
            OpenError::Unfinished { .. } => FR_UNFINISHED,
            OpenError::NotARing { .. } => FR_NOT_A_RING,
            OpenError::Owner { .. } => FR_OWNER,
            OpenError::Permission { .. } => FR_PERMISSION,
            OpenError::Abi { .. } => FR_ABI,
            OpenError::Kind { .. } => FR_KIND,
            OpenError::Payload { .. } => FR_OTHER_MESSAGE,
            OpenError::Geometry { .. } => FR_DAMAGED,
            OpenError::NotServed { .. } => FR_NOT_SERVED,
            OpenError::Refused { .. } => FR_REFUSED,
            OpenError::Unsealed { .. } => FR_UNSEALED,
            OpenError::Placement { .. } => FR_PLACEMENT,
            OpenError::Io { .. } => FR_IO,
            _ => FR_OTHER,
        };
        Failure::new(code, error.to_string())
    }
}

/// The code of what can happen to a subscriber.
pub(crate) fn of_event(event: &TryRecvError) -> fr_code {
    match event {
        TryRecvError::Empty => FR_EMPTY,
        TryRecvError::Lagged { .. } => FR_LAGGED,
        TryRecvError::Restarted { .. } => FR_RESTARTED,
        TryRecvError::RestartsUnknown { .. } => FR_RESTARTS_UNKNOWN,
        TryRecvError::Closed => FR_CLOSED,
        TryRecvError::PublisherDead => FR_PUBLISHER_DEAD,
        TryRecvError::Superseded => FR_SUPERSEDED,
        TryRecvError::CutShort => FR_CUT_SHORT,
        TryRecvError::Corrupt(_) => FR_CORRUPT,
        _ => FR_OTHER,
    }
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        let code = match error {
            ReadError::Overtaken { .. } => FR_OVERTAKEN,
            ReadError::CutShort => FR_CUT_SHORT,
            _ => FR_OTHER,
        };
        Failure::new(code, error.to_string())
    }
}

impl From<WaitError> for Failure {
    fn from(error: WaitError) -> Self {
        let code = match error {
            WaitError::Closed => FR_CLOSED,
            WaitError::WriterDead => FR_PUBLISHER_DEAD,
            WaitError::Superseded => FR_SUPERSEDED,
            WaitError::CutShort(_) => FR_CUT_SHORT,
            _ => FR_OTHER,
        };
        Failure::new(code, error.to_string())
    }
}

/// Errors that have one code.
macro_rules! one_code {
    ($($error:ty => $code:ident,)*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Failure::new($code, error.to_string())
            }
        }
    )*};
}
one_code! {
    NameError => FR_NAME,
    PlacementError => FR_PLACEMENT,
    CloseError => FR_NOT_REMOVED,
    std::io::Error => FR_IO,
    inspect::SchemaError => FR_SCHEMA,
    records::TooLong => FR_TOO_LONG,
    Full => FR_FULL,
}
