//! The transports, by which a ring gets from its publisher to its subscribers: files in a directory, memory files
//! handed over through a socket, or the heap of one process.
//!
//! Each transport returns [`Made`] to a publisher and [`Opened`] to a subscriber. The layers above never ask which
//! transport it was.

pub(crate) mod attachment;
pub(crate) mod disk;
pub(crate) mod files;
pub(crate) mod heap;
pub(crate) mod host;
pub(crate) mod request;
pub(crate) mod sealed;

use attachment::Opened;
use host::Made;
use request::{Expected, Place, Request};

use crate::error::{CreateError, OpenError};

/// Makes a ring for a publisher, or takes one over.
pub(crate) fn make(place: &Place, request: &Request<'_>) -> Result<Made, CreateError> {
    match place {
        Place::Disk(root) => disk::make::make(root, request),
        Place::Socket(path) => sealed::make::make(path, request),
    }
}

/// Opens a ring for a subscriber.
pub(crate) fn open(place: &Place, expected: Expected<'_>) -> Result<Opened, OpenError> {
    match place {
        Place::Disk(root) => disk::open::open(root, expected),
        Place::Socket(path) => sealed::client::open(path, expected),
    }
}
