//! The parameters of a transport: what a publisher requests, and what a subscriber expects.

use std::path::PathBuf;

use super::files::{Access, Trust};
use crate::format::layout::Geometry;
use crate::memory::Mapping;
use crate::placement::PlacementRequest;
use crate::segment::header::Contents;

/// Where a ring is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In the directory `NAME.ring` of this root.
    Disk(PathBuf),
    /// Behind this socket.
    Socket(PathBuf),
}

/// The users that a sealed ring is served to, beside the publisher's own.
#[derive(Clone, Debug, Default)]
pub(crate) struct SealedOptions {
    pub(crate) uids: Vec<u32>,
    pub(crate) gids: Vec<u32>,
    /// The largest number of clients connected at a time. `None` if none was given: [`max_clients`](Self::max_clients).
    pub(crate) max_clients: Option<usize>,
}

impl SealedOptions {
    pub(crate) fn max_clients(&self) -> usize {
        self.max_clients.unwrap_or(256)
    }

    /// The name of an option that was given, if any was.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let given = [
            ("allow_uid", !self.uids.is_empty()),
            ("allow_gid", !self.gids.is_empty()),
            ("max_clients", self.max_clients.is_some()),
        ];
        given.into_iter().find(|&(_, given)| given).map(|(option, _)| option)
    }
}

/// A publisher's request for a ring.
pub(crate) struct Request<'a> {
    /// The ring's name.
    pub(crate) name: &'a str,
    pub(crate) access: Access,
    pub(crate) geometry: &'a Geometry,
    pub(crate) placement: PlacementRequest,
    /// The first sequence of a new ring on disk. `None` for the one after the old ring's last.
    pub(crate) base: Option<u64>,
    /// For a publisher of another ring's messages: the first epoch of a new ring. One that it takes over stays in its epoch.
    pub(crate) epoch: Option<u64>,
    /// On disk: whether to make a new ring even if the old one could be taken over.
    pub(crate) fresh: bool,
    /// On disk: whether the files stay when the ring is closed.
    pub(crate) keep: bool,
    /// Through a socket: the users it is served to.
    pub(crate) sealed: &'a SealedOptions,
}

/// A subscriber's expectations of a ring.
#[derive(Clone, Copy)]
pub(crate) struct Expected<'a> {
    /// The ring's name.
    pub(crate) name: &'a str,
    pub(crate) trust: Trust<'a>,
    pub(crate) mapping: Mapping,
    pub(crate) contents: Contents<'a>,
    pub(crate) placement: PlacementRequest,
}
