//! TCP over loopback with `TCP_NODELAY`, on a port that the kernel chooses.

use std::net::{Ipv4Addr, TcpListener, TcpStream};

use anyhow::Context as _;

use crate::harness::contender::{Contender, Direction};
use crate::harness::patience::until_there;
use crate::harness::private_dir::PrivateDir;

use super::stream::{StreamReceiver, StreamSender};

/// `SOCK_STREAM` over 127.0.0.1.
#[derive(Debug)]
pub struct Tcp;

impl<const W: usize> Contender<W> for Tcp {
    type Link = TcpListener;
    type Sender = StreamSender<TcpStream>;
    type Receiver = StreamReceiver<TcpStream, W>;

    const NEVER_WAITS: bool = false;

    fn link(&self, _: &PrivateDir, _: Direction) -> anyhow::Result<TcpListener> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("listening on 127.0.0.1")
    }

    fn sender(&self, listener: &TcpListener) -> anyhow::Result<Self::Sender> {
        let address = listener.local_addr().context("the listener's address")?;
        let stream = until_there("connecting", || TcpStream::connect(address))?;
        stream.set_nodelay(true).context("TCP_NODELAY")?;
        Ok(StreamSender(stream))
    }

    fn receiver(&self, listener: &TcpListener) -> anyhow::Result<Self::Receiver> {
        Ok(StreamReceiver::new(listener.accept().context("accept")?.0))
    }
}
