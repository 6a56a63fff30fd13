//! The user and groups at the other end of a socket, as the kernel recorded them when it connected.
//!
//! rustix's call does not work here: a peer in another pid namespace has process id 0, which rustix's type cannot hold.
#![allow(unsafe_code)] // getsockopt

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// The peer's effective user.
pub(super) fn uid(socket: impl AsFd) -> io::Result<u32> {
    credentials(socket).map(|peer| peer.uid)
}

/// The peer's effective user and its groups: the effective one, and since Linux 4.13 the supplementary ones.
pub(super) fn identity(socket: impl AsFd) -> io::Result<(u32, Vec<u32>)> {
    let peer = credentials(&socket)?;
    let mut groups = supplementary_groups(&socket).unwrap_or_default();
    groups.push(peer.gid);
    Ok((peer.uid, groups))
}

fn credentials(socket: impl AsFd) -> io::Result<libc::ucred> {
    let mut peer = [libc::ucred { pid: 0, uid: u32::MAX, gid: u32::MAX }];
    match option(socket, libc::SO_PEERCRED, &mut peer)? {
        1 => Ok(peer[0]),
        _ => Err(io::Error::other("the kernel does not tell who the peer is")),
    }
}

fn supplementary_groups(socket: impl AsFd) -> io::Result<Vec<u32>> {
    let mut groups = vec![0; 65_536]; // NGROUPS_MAX
    let count = option(socket, libc::SO_PEERGROUPS, &mut groups)?;
    groups.truncate(count);
    Ok(groups)
}

/// Reads a socket option that is an array. Returns the number of elements read.
fn option<E: Plain>(socket: impl AsFd, which: libc::c_int, values: &mut [E]) -> io::Result<usize> {
    let mut bytes = size_of_val(values) as libc::socklen_t;
    let socket = socket.as_fd().as_raw_fd();
    // SAFETY: the kernel writes at most `bytes` bytes to `values`, and `Plain` elements may have any bit pattern.
    match unsafe { libc::getsockopt(socket, libc::SOL_SOCKET, which, values.as_mut_ptr().cast(), &mut bytes) } {
        0 => Ok(bytes as usize / size_of::<E>()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A type for which every bit pattern is valid.
trait Plain {}
impl Plain for u32 {}
impl Plain for libc::ucred {}
