//! How a ring gets from its publisher to its subscribers: in files of a directory, handed over through a socket, or on the
//! heap of one process. Each transport makes [`Made`] for a publisher and [`Opened`] for a subscriber; nobody above asks
//! which it was.

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

/// Makes a ring, or takes one over.
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
