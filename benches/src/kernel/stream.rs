//! Common parts of all byte streams. A message is a number of bytes, and a single read or write may move fewer.
//!
//! `write_all` and `read_exact` repeat until all bytes are moved, also after a signal. Rust's runtime ignores SIGPIPE,
//! so writing without a receiver is an error (`EPIPE`) here. A C program must ignore SIGPIPE itself, or the signal
//! kills it.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use zerocopy::{FromZeros as _, IntoBytes as _};

use crate::harness::contender::{Receiver, Sender};
use crate::harness::message::Message;

/// Writes messages into a byte stream.
#[derive(Debug)]
pub struct StreamSender<S>(pub S);

impl<S: Write, const W: usize> Sender<W> for StreamSender<S> {
    fn send(&mut self, message: &Message<W>) -> anyhow::Result<()> {
        self.0.write_all(message.as_bytes()).map_err(explain)
    }
}

/// Reads messages from a byte stream.
#[derive(Debug)]
pub struct StreamReceiver<S, const W: usize> {
    stream: S,
    message: Message<W>,
}

impl<S, const W: usize> StreamReceiver<S, W> {
    /// A receiver that reads from `stream`.
    pub fn new(stream: S) -> Self {
        Self { stream, message: Message::new_zeroed() }
    }
}

impl<S: Read, const W: usize> Receiver<W> for StreamReceiver<S, W> {
    fn receive<R>(&mut self, look: impl FnOnce(&Message<W>) -> R) -> anyhow::Result<R> {
        self.stream.read_exact(self.message.as_mut_bytes()).map_err(explain)?;
        Ok(look(&self.message))
    }
}

/// Adds to an error what it means for the connection.
#[cold]
pub fn explain(error: io::Error) -> anyhow::Error {
    let context = match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused => {
            "the receiver is gone"
        }
        io::ErrorKind::UnexpectedEof => "the sender is gone",
        io::ErrorKind::TimedOut => "the other side made no progress in time",
        _ => "moving a message",
    };
    anyhow::Error::new(error).context(context)
}

/// Checks that `length` is the length of a whole message.
///
/// # Errors
/// It is not.
pub fn whole<const W: usize>(length: usize) -> anyhow::Result<()> {
    match length {
        length if length == W * 8 => Ok(()),
        0 => Err(explain(io::ErrorKind::UnexpectedEof.into())),
        length => Err(anyhow::anyhow!("{length} bytes arrived, expected a message of {}", W * 8)),
    }
}

/// Both ends of a connection, made before the fork. Each side takes its end and closes the other. Else the open copy of
/// the other end would hide the end of the stream.
#[derive(Debug)]
pub struct Ends<S, R>(Mutex<Option<(S, R)>>);

impl<S, R> Ends<S, R> {
    /// Both ends of a connection.
    pub fn new(sender: S, receiver: R) -> Self {
        Self(Mutex::new(Some((sender, receiver))))
    }

    /// The sending end. Closes the receiving end in this process.
    ///
    /// # Errors
    /// This side has taken its end already.
    pub fn sender(&self) -> anyhow::Result<S> {
        Ok(self.take()?.0)
    }

    /// The receiving end. Closes the sending end in this process.
    ///
    /// # Errors
    /// This side has taken its end already.
    pub fn receiver(&self) -> anyhow::Result<R> {
        Ok(self.take()?.1)
    }

    fn take(&self) -> anyhow::Result<(S, R)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take().context("this side has taken its end already")
    }
}

/// Removes the socket file of a dead receiver, so that the path can be bound. Keeps that of a live one.
///
/// # Errors
/// A receiver listens there, or the file is not a socket.
pub fn clear_stale(path: &PathBuf, is_alive: impl FnOnce() -> io::Result<()>) -> anyhow::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let about = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        about => about.with_context(|| path.display().to_string())?,
    };
    anyhow::ensure!(
        about.file_type().is_socket(),
        "{} exists and is not a socket: remove it or choose another path",
        path.display()
    );
    match is_alive() {
        Ok(()) => anyhow::bail!("{}: a process listens there already: stop it or choose another path", path.display()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            std::fs::remove_file(path).with_context(|| format!("removing the stale socket {}", path.display()))
        }
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}
