//! The thread that hands a sealed ring to its clients. It answers each client yes or no at once, in one packet, and
//! then only watches for the end of the connection. It never reads from a client and never waits for one.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags};

use super::answer::{Answer, DESCRIPTORS};
use super::memory_file::{failed, reopen};
use super::socket::SocketFile;
use super::{log, peer};
use crate::error::{CloseError, CreateError};
use crate::transport::request::SealedOptions;

/// The time without accepting after the process ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections accepted in a row before the thread looks for ended connections again.
const ACCEPTS_IN_A_ROW: usize = 64;

/// A publisher's socket and the thread that serves it.
pub(crate) struct Server {
    socket: SocketFile,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
    // The write end of the pipe, never written. Its closing tells clients that the publisher is dead.
    _alive: OwnedFd,
}

impl Server {
    pub(super) fn start(
        socket: SocketFile,
        listener: OwnedFd,
        offer: Offer,
        alive: OwnedFd,
    ) -> Result<Self, CreateError> {
        let fault = |doing| failed(&socket.path, doing);
        let stop = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).map_err(fault("prepare to serve"))?;
        let stopped = rustix::io::fcntl_dupfd_cloexec(&stop, 0).map_err(fault("prepare to serve"))?;
        let thread = thread::Builder::new()
            .name("feed-ring-serve".to_owned())
            .spawn(move || serve(&listener, &stopped, &offer))
            .map_err(|source| CreateError::Io { doing: "start a thread for", path: socket.path.clone(), source })?;
        Ok(Server { socket, stop, thread: Some(thread), _alive: alive })
    }

    /// The socket's path.
    pub(crate) fn path(&self) -> &Path {
        &self.socket.path
    }

    /// Whether this process started it. False in a forked child.
    pub(crate) fn is_own(&self) -> bool {
        self.socket.is_own()
    }

    /// Removes the socket and ends the thread.
    pub(crate) fn end(&mut self) -> Result<(), CloseError> {
        if !self.is_own() {
            std::mem::forget(self.thread.take()); // the thread runs in the parent only
            return Ok(());
        }
        // The socket first. Otherwise a client could connect and get no answer.
        let removed = self.socket.remove();
        if let Some(thread) = self.thread.take() {
            let _ = rustix::io::write(&self.stop, &1u64.to_ne_bytes());
            let _ = thread.join();
        }
        removed
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.end(); // drop cannot return the error
    }
}

/// The files to hand over, and the users to hand them to.
pub(super) struct Offer {
    segment: OwnedFd,
    control: OwnedFd,
    live: OwnedFd,
    options: SealedOptions,
    own_uid: u32,
}

impl Offer {
    pub(super) fn new(segment: OwnedFd, control: OwnedFd, live: OwnedFd, options: SealedOptions) -> Self {
        Offer { segment, control, live, options, own_uid: rustix::process::geteuid().as_raw() }
    }

    /// Why a client is refused. `None` if it is accepted.
    fn refusal(&self, client: &OwnedFd, connected: usize) -> Option<String> {
        let Ok((uid, groups)) = peer::identity(client) else {
            return Some("the kernel does not tell who you are".to_owned());
        };
        let SealedOptions { uids, gids, max_clients, .. } = &self.options;
        if uid != self.own_uid && !uids.contains(&uid) && !groups.iter().any(|group| gids.contains(group)) {
            return Some(format!(
                "uid {uid} is neither the publisher's ({}) nor allowed: run as another user, or publish with that uid or \
                 a group of it allowed",
                self.own_uid
            ));
        }
        (connected >= *max_clients).then(|| {
            format!("{connected} clients are connected, {max_clients} allowed: end some, or publish with more allowed")
        })
    }

    /// Answers a client. Returns the connection of an accepted client, to watch for its end.
    fn answer(&self, client: OwnedFd, connected: usize) -> Option<OwnedFd> {
        let granted = match self.refusal(&client, connected) {
            Some(reason) => Err(reason),
            None => self.descriptors().map_err(|errno| format!("the publisher cannot open its own files: {errno}")),
        };
        let answer = match &granted {
            Ok(_) => Answer::Yes,
            Err(reason) => Answer::No { reason: reason.clone() },
        };
        let files: Vec<_> = granted.iter().flatten().map(|file| file.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&files));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // The buffer of a new connection is empty, so an answer that cannot be sent at once never can.
        let sent = net::sendmsg(&client, &[IoSlice::new(&answer.to_bytes())], &mut ancillary, flags);
        match granted {
            Ok(_) if sent.is_ok() => log::accepted(&client, connected + 1),
            Ok(_) => return None, // the client disconnected before the answer
            Err(reason) => {
                log::refused(&reason);
                return None;
            }
        }
        Some(client)
    }

    /// Opens descriptors for one client alone. With shared ones a client could change the flags of every client's pipe,
    /// and would hold every client's lock on `control`.
    fn descriptors(&self) -> Result<[OwnedFd; DESCRIPTORS], Errno> {
        Ok([
            reopen_as_owner(&self.segment, OFlags::RDONLY, Mode::RUSR)?,
            reopen_as_owner(&self.control, OFlags::RDWR, Mode::RUSR | Mode::WUSR)?,
            reopen_as_owner(&self.live, OFlags::RDONLY, Mode::RUSR | Mode::WUSR)?,
        ])
    }
}

/// Opens a file once more. A client of the publisher's own user may have taken its permissions away: then they are given
/// back first, or no later client could be served.
fn reopen_as_owner(file: &OwnedFd, access: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    reopen(file, access).or_else(|_| {
        rustix::fs::fchmod(file, mode)?;
        reopen(file, access)
    })
}

/// Serves until `stop` is written.
fn serve(listener: &OwnedFd, stop: &OwnedFd, offer: &Offer) {
    let mut clients: Vec<OwnedFd> = Vec::new();
    let mut paused = false;
    loop {
        let accepting = if paused { PollFlags::empty() } else { PollFlags::IN };
        let mut polled = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, accepting)];
        // With no events requested, poll reports only the end of a connection, not data.
        polled.extend(clients.iter().map(|client| PollFd::new(client, PollFlags::empty())));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
        let [stopped, connecting] = match poll(&mut polled, paused.then_some(&timeout)) {
            Ok(_) => [0, 1].map(|index: usize| !polled[index].revents().is_empty()),
            Err(Errno::INTR) => continue,
            // More descriptors than RLIMIT_NOFILE allows by now, or too little memory. No event is reported then, so this
            // thread looks for itself whether it is to stop, and whether clients connect.
            Err(_) => {
                thread::sleep(PAUSE);
                [rustix::io::read(stop, &mut [0; 8]).is_ok(), true]
            }
        };
        if stopped {
            return;
        }
        drop_disconnected(&mut clients);
        paused = connecting && !accept(listener, offer, &mut clients);
    }
}

/// Closes the connections that their clients have ended.
fn drop_disconnected(clients: &mut Vec<OwnedFd>) {
    let mut polled: Vec<_> = clients.iter().map(|client| PollFd::new(client, PollFlags::empty())).collect();
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    if poll(&mut polled, Some(&now)).is_err() {
        // Too many at once for RLIMIT_NOFILE: one by one.
        polled.iter_mut().for_each(|one| _ = poll(std::slice::from_mut(one), Some(&now)));
    }
    let disconnected: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
    let (mut disconnected, before) = (disconnected.iter(), clients.len());
    clients.retain(|_| disconnected.next() != Some(&true));
    log::left(before - clients.len(), clients.len());
}

/// Accepts and answers waiting clients. False if accepting failed, as when the process has no descriptor left.
fn accept(listener: &OwnedFd, offer: &Offer, clients: &mut Vec<OwnedFd>) -> bool {
    for _ in 0..ACCEPTS_IN_A_ROW {
        match net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(client) => {
                // A client may have disconnected and come again since the last look. Its old connection must not count.
                if clients.len() >= offer.options.max_clients {
                    drop_disconnected(clients);
                }
                clients.extend(offer.answer(client, clients.len()));
            }
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
    true
}
