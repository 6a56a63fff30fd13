//! Unix sockets (stream, seqpacket, datagram) with a path in the file system.
//!
//! The receiver is the server: it removes a stale socket file, binds and accepts. The sender retries until it can
//! connect. A datagram socket accepts no connection, and its receiver is never told that the sender is gone.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;

use anyhow::Context as _;
use rustix::io::retry_on_intr;
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen,
    recv, send, socket_with,
};
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::harness::contender::{Contender, Direction, Receiver, Sender};
use crate::harness::message::Message;
use crate::harness::patience::until_there;
use crate::harness::private_dir::PrivateDir;

use super::stream::{StreamReceiver, StreamSender, clear_stale, explain, whole};

/// `SOCK_STREAM`.
#[derive(Debug)]
pub struct Stream;

impl<const W: usize> Contender<W> for Stream {
    type Link = PathBuf;
    type Sender = StreamSender<UnixStream>;
    type Receiver = StreamReceiver<UnixStream, W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        Ok(dir.join(&format!("{}.stream", direction.name())))
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<Self::Sender> {
        Ok(StreamSender(until_there("connecting", || UnixStream::connect(path))?))
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<Self::Receiver> {
        Ok(StreamReceiver::new(bind_stream(path)?.accept().context("accept")?.0))
    }
}

/// Listens at a path. Removes the socket file of a dead receiver first.
///
/// # Errors
/// A live receiver listens there.
pub fn bind_stream(path: &PathBuf) -> anyhow::Result<UnixListener> {
    clear_stale(path, || UnixStream::connect(path).map(drop))?;
    UnixListener::bind(path).with_context(|| path.display().to_string())
}

/// `SOCK_SEQPACKET`: a connection on which one read returns one message.
#[derive(Debug)]
pub struct SeqPacket;

/// A connected seqpacket socket.
#[derive(Debug)]
pub struct SeqPacketEnd<const W: usize> {
    socket: OwnedFd,
    message: Message<W>,
}

fn seqpacket() -> io::Result<OwnedFd> {
    Ok(socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?)
}

fn connect_seqpacket(path: &PathBuf) -> io::Result<OwnedFd> {
    let socket = seqpacket()?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

impl<const W: usize> Contender<W> for SeqPacket {
    type Link = PathBuf;
    type Sender = SeqPacketEnd<W>;
    type Receiver = SeqPacketEnd<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        Ok(dir.join(&format!("{}.seqpacket", direction.name())))
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<SeqPacketEnd<W>> {
        let socket = until_there("connecting", || connect_seqpacket(path))?;
        Ok(SeqPacketEnd { socket, message: Message::new_zeroed() })
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<SeqPacketEnd<W>> {
        clear_stale(path, || connect_seqpacket(path).map(drop))?;
        let listener = seqpacket()?;
        bind(&listener, &SocketAddrUnix::new(path)?).with_context(|| path.display().to_string())?;
        listen(&listener, 1).context("listen")?;
        let socket = accept_with(&listener, SocketFlags::CLOEXEC).context("accept")?;
        Ok(SeqPacketEnd { socket, message: Message::new_zeroed() })
    }
}

impl<const W: usize> Sender<W> for SeqPacketEnd<W> {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        let length = retry_on_intr(|| send(&self.socket, message.as_bytes(), SendFlags::NOSIGNAL));
        whole::<W>(length.map_err(|error| explain(error.into()))?)
    }
}

impl<const W: usize> Receiver<W> for SeqPacketEnd<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        let received = retry_on_intr(|| recv(&self.socket, self.message.as_mut_bytes(), RecvFlags::empty()));
        whole::<W>(received.map_err(|error| explain(error.into()))?.0)?;
        Ok(look(&self.message))
    }
}

/// `SOCK_DGRAM`: no connection. The sender waits when the queue holds `net.unix.max_dgram_qlen` messages.
#[derive(Debug)]
pub struct Datagram;

/// A datagram socket, bound or connected.
#[derive(Debug)]
pub struct DatagramEnd<const W: usize> {
    socket: UnixDatagram,
    message: Message<W>,
}

impl<const W: usize> Contender<W> for Datagram {
    type Link = PathBuf;
    type Sender = DatagramEnd<W>;
    type Receiver = DatagramEnd<W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, dir: &PrivateDir, direction: Direction) -> anyhow::Result<PathBuf> {
        Ok(dir.join(&format!("{}.datagram", direction.name())))
    }

    fn sender(&self, path: &PathBuf) -> anyhow::Result<DatagramEnd<W>> {
        let socket = UnixDatagram::unbound().context("socket")?;
        until_there("connecting", || socket.connect(path))?;
        Ok(DatagramEnd { socket, message: Message::new_zeroed() })
    }

    fn receiver(&self, path: &PathBuf) -> anyhow::Result<DatagramEnd<W>> {
        clear_stale(path, || UnixDatagram::unbound()?.connect(path))?;
        let socket = UnixDatagram::bind(path).with_context(|| path.display().to_string())?;
        Ok(DatagramEnd { socket, message: Message::new_zeroed() })
    }
}

impl<const W: usize> Sender<W> for DatagramEnd<W> {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        loop {
            match self.socket.send(message.as_bytes()) {
                Ok(length) => return whole::<W>(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(error)),
            }
        }
    }
}

impl<const W: usize> Receiver<W> for DatagramEnd<W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        loop {
            match self.socket.recv(self.message.as_mut_bytes()) {
                Ok(length) => {
                    whole::<W>(length)?;
                    return Ok(look(&self.message));
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(explain(error)),
            }
        }
    }
}
