//! Sealed rings: a ring in memory files without names, handed to subscribers through a Unix socket.
//!
//! A ring on disk relies on file permissions; a sealed ring relies on the kernel's seals. Once the publisher has mapped
//! the segment, it seals it against shrinking, growing, **any further write** and further sealing. From then on only
//! the publisher's existing mapping can write to the segment. Its group, its own user and root through `/proc` can
//! neither write to it, nor cut it short, nor punch holes into it. No hostile subscriber can forge a message, or
//! raise SIGBUS by the segment.
//!
//! Only the size of `control` is sealed, because subscribers write their entries there. A hole punched into it reads as
//! zero and does no more harm than any other value, unless the machine has no page left for it: then the first access raises
//! SIGBUS, which the [`guard`](crate::guard) survives.
//!
//! - **Access**: the socket's mode decides which users can connect: 0600, or the ring's mode with write permission for
//!   each class that may read. The peer's credentials from the kernel decide which of them are served: the publisher's
//!   own user, and the allowed users and groups. Each client gets its own descriptors: `segment` read-only, `control`,
//!   and the read end of a pipe. End of file on the pipe means that the publisher is dead.
//! - **One publisher**: a lock on `PATH.lock` excludes others, as on disk. A new publisher replaces the socket of a
//!   dead one, but not a socket that is served.
//! - **No takeover**: nobody can map a sealed segment for writing again. A new publisher makes a new ring.
//!
//! The publishing thread is not involved. A second thread serves the socket. It waits for no client and reads nothing
//! from clients.

mod answer;
pub(crate) mod client;
mod log;
pub(crate) mod make;
pub(crate) mod memory_file;
mod peer;
mod server;
mod socket;
