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
//! The publishing thread is not involved. Another thread serves the socket, waits for no client, and reads nothing that
//! clients send.

mod answer;
pub(crate) mod client;
mod log;
pub(crate) mod make;
pub(crate) mod memory_file;
mod peer;
mod server;
mod socket;
