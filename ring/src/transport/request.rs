//! What is asked of a transport.

use std::path::PathBuf;

use super::files::{Access, Trust};
use crate::format::layout::Geometry;
use crate::format::message::MessageFormat;
use crate::memory::Mapping;
use crate::placement::PlacementRequest;

/// Where a ring is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a directory of this root, under the ring's name.
    Disk(PathBuf),
    /// Behind this socket.
    Socket(PathBuf),
}

/// Whom a sealed ring is served to, beside the publisher's own user.
#[derive(Clone, Debug)]
pub(crate) struct SealedOptions {
    pub(crate) uids: Vec<u32>,
    pub(crate) gids: Vec<u32>,
    /// So many may be connected at a time.
    pub(crate) max_clients: usize,
}

impl Default for SealedOptions {
    fn default() -> Self {
        SealedOptions { uids: Vec::new(), gids: Vec::new(), max_clients: 256 }
    }
}

/// What a publisher asks for.
pub(crate) struct Request<'a> {
    /// The ring's name.
    pub(crate) name: &'a str,
    pub(crate) access: Access,
    pub(crate) geometry: &'a Geometry,
    pub(crate) placement: PlacementRequest,
    /// On disk: whether to make a new ring even where one could be taken over.
    pub(crate) fresh: bool,
    /// On disk: whether the files stay when the ring is closed.
    pub(crate) keep: bool,
    /// Through a socket: whom it is served to.
    pub(crate) sealed: &'a SealedOptions,
}

/// What a subscriber asks for.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The ring's name.
    pub(crate) name: &'a str,
    pub(crate) trust: Trust<'a>,
    pub(crate) mapping: Mapping,
    /// The messages that it can read. None: any.
    pub(crate) message: Option<&'a MessageFormat>,
    pub(crate) placement: PlacementRequest,
}
