//! Sealed handover: a ring in memory files that have no name, handed to subscribers through a Unix socket.
//!
//! What a ring on disk leaves to file permissions, the kernel's seals enforce here. Once the publisher has mapped the
//! segment, it seals it against shrinking, growing, **any further write** and further sealing. From then on nobody can
//! write to it through anything but the mapping that the publisher has: not its group, not its own user, not root through
//! `/proc`; nor cut it short, nor punch holes into it. No subscriber, however hostile, can raise SIGBUS or forge a
//! message. `control` is sealed in size only: subscribers write their entries there. A hole in it reads zero, as garbage
//! would, and means as little.
//!
//! - **Who gets it**: the socket's mode decides who can connect (0600, or the ring's mode with write permission for each
//!   who may read); what the kernel says about the peer decides who is served (the publisher's own user, and those
//!   allowed). Each client gets descriptors of its own: `segment` read-only, `control`, and the read end of a pipe, whose
//!   end of file says that the publisher is dead.
//! - **One publisher**: a lock on `PATH.lock` excludes others, as on disk. The socket that a dead publisher left is
//!   replaced, one that is served is not.
//! - **No takeover**: a sealed segment cannot be mapped for writing again, by anybody. A new publisher is a new ring.
//!
//! The publisher's thread is not involved: a thread of its own serves the socket, waits for no client, and reads nothing
//! of what they send.

mod answer;
mod client;
mod log;
mod make;
mod peer;
mod place;
mod server;

use std::path::{Path, PathBuf};

use rustix::fs::SealFlags;

pub(crate) use client::{Received, connect, receive};
pub(crate) use make::{Sealed, create, reopen};
pub(crate) use server::Server;

use crate::payload::Payload;
use crate::publisher::PublisherOptions;

/// What a segment must be sealed against to be handed over.
pub(crate) const SEGMENT_SEALS: SealFlags =
    SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::FUTURE_WRITE).union(SealFlags::SEAL);

/// What a control file must be sealed against.
pub(crate) const CONTROL_SEALS: SealFlags = SealFlags::SHRINK.union(SealFlags::GROW).union(SealFlags::SEAL);

/// Where a sealed ring is served, and to whom.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    /// The socket; without one the ring stands on disk.
    pub(crate) path: Option<PathBuf>,
    pub(crate) uids: Vec<u32>,
    pub(crate) gids: Vec<u32>,
    pub(crate) max_clients: usize,
}

impl Default for Door {
    fn default() -> Self {
        Door { path: None, uids: Vec::new(), gids: Vec::new(), max_clients: 256 }
    }
}

impl<T: Payload> PublisherOptions<T> {
    /// Makes a sealed ring instead of one on disk, and serves it at a Unix socket: nobody but this publisher can ever
    /// write to it, whoever may read it. Subscribers join with [`Subscriber::connect`](crate::Subscriber::connect).
    ///
    /// By default only this process's effective user is served, and only it can connect. Others need both: a
    /// [`mode`](Self::mode) that admits them (0640 for the [`group`](Self::group), 0644 for everybody; who may read may
    /// connect), and [`allow_uid`](Self::allow_uid) or [`allow_gid`](Self::allow_gid).
    ///
    /// A sealed ring cannot be taken over: the next publisher's is a new one, and begins with sequence 0.
    /// [`root`](Self::root), [`keep`](Self::keep) and [`fresh`](Self::fresh) mean nothing to it; the name is for looking at.
    /// [`create`](Self::create) starts a thread, which inherits the processors that the caller may run on: create the
    /// publisher before pinning its thread to a processor of its own. The thread ends, and the socket is removed, when
    /// the publisher is closed or dropped.
    ///
    /// ```
    /// # let directory = tempfile::tempdir()?;
    /// # let path = directory.path().join("quotes.sock");
    /// use feed_ring::{Join, Publisher, Subscriber};
    ///
    /// let mut publisher = Publisher::<u64>::options("quotes").capacity(1024).serve(&path).create()?;
    /// let mut subscriber = Subscriber::<u64>::connect(&path).join(Join::Oldest).open()?;
    /// publisher.publish(&7);
    /// assert_eq!(subscriber.recv()?, 7);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(mut self, path: impl AsRef<Path>) -> Self {
        self.door.path = Some(path.as_ref().to_owned());
        self
    }

    /// Also serves a sealed ring to this user. May be called again for further ones.
    pub fn allow_uid(mut self, uid: u32) -> Self {
        self.door.uids.push(uid);
        self
    }

    /// Also serves a sealed ring to whoever is in this group, be it as a supplementary one. May be called again for
    /// further ones.
    pub fn allow_gid(mut self, gid: u32) -> Self {
        self.door.gids.push(gid);
        self
    }

    /// How many clients of a sealed ring may be connected at a time, by default 256; further ones are told so. Each takes
    /// one of this process's file descriptors (`ulimit -n`).
    pub fn max_clients(mut self, clients: usize) -> Self {
        self.door.max_clients = clients;
        self
    }
}
