//! The thread that hands a sealed ring over. Whoever connects is told yes or no in one packet, at once, and is then only
//! watched for hanging up: nothing that a client sends is read, and no client is waited for.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::net::{self, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags};

use super::answer::{Answer, DESCRIPTORS};
use super::memory_file::{failed, reopen};
use super::socket::SocketFile;
use super::{log, peer};
use crate::error::{CloseError, CreateError};
use crate::transport::request::SealedOptions;

/// So long no connection is accepted after the process ran out of descriptors.
const REST: Duration = Duration::from_millis(100);

/// Connections accepted in a row before those that hung up are looked at again.
const AT_ONCE: usize = 64;

/// A publisher's hold on its socket and the thread that serves it.
pub(crate) struct Server {
    socket: SocketFile,
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
    // Held, not used: the end of file at the other end is the publisher's death.
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

    /// Where it serves.
    pub(crate) fn path(&self) -> &Path {
        &self.socket.path
    }

    /// Whether this process started it, and did not inherit it by a fork.
    pub(crate) fn is_own(&self) -> bool {
        self.socket.is_own()
    }

    /// Removes the socket and ends the thread.
    pub(crate) fn end(&mut self) -> Result<(), CloseError> {
        if !self.is_own() {
            std::mem::forget(self.thread.take()); // it serves in the parent
            return Ok(());
        }
        // First the socket, so that nobody connects whom nobody answers.
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
        let _ = self.end(); // nobody to tell
    }
}

/// What is handed over, and to whom.
pub(super) struct Offer {
    segment: OwnedFd,
    control: OwnedFd,
    live: OwnedFd,
    served: SealedOptions,
    own: u32,
}

impl Offer {
    pub(super) fn new(segment: OwnedFd, control: OwnedFd, live: OwnedFd, served: SealedOptions) -> Self {
        Offer { segment, control, live, served, own: rustix::process::geteuid().as_raw() }
    }

    /// Why a peer is not served; `None` if it is.
    fn refusal(&self, client: &OwnedFd, connected: usize) -> Option<String> {
        let Ok((uid, groups)) = peer::identity(client) else {
            return Some("the kernel does not tell who you are".to_owned());
        };
        let SealedOptions { uids, gids, max_clients, .. } = &self.served;
        if uid != self.own && !uids.contains(&uid) && !groups.iter().any(|group| gids.contains(group)) {
            return Some(format!(
                "uid {uid} is neither the publisher's ({}) nor allowed: run as another user, or publish with that uid or \
                 a group of it allowed",
                self.own
            ));
        }
        (connected >= *max_clients).then(|| {
            format!("{connected} clients are connected, {max_clients} allowed: end some, or publish with more allowed")
        })
    }

    /// Tells a client yes or no. One that is told yes is returned, to be watched.
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
        // The buffer of a socket just connected is empty: what does not go out at once never will.
        let sent = net::sendmsg(&client, &[IoSlice::new(&answer.to_bytes())], &mut ancillary, flags);
        match granted {
            Ok(_) if sent.is_ok() => log::accepted(&client, connected + 1),
            Ok(_) => return None, // it went away before the answer
            Err(reason) => {
                log::refused(&reason);
                return None;
            }
        }
        Some(client)
    }

    /// One client's descriptors. They are opened for it alone: with shared ones a client could change the flags of
    /// everybody's pipe, and would hold everybody's lock on `control`.
    fn descriptors(&self) -> Result<[OwnedFd; DESCRIPTORS], Errno> {
        Ok([
            reopen(&self.segment, OFlags::RDONLY)?,
            reopen(&self.control, OFlags::RDWR)?,
            reopen(&self.live, OFlags::RDONLY)?,
        ])
    }
}

/// Serves until told to stop.
fn serve(listener: &OwnedFd, stop: &OwnedFd, offer: &Offer) {
    let mut clients: Vec<OwnedFd> = Vec::new();
    let mut resting = false;
    loop {
        let accepting = if resting { PollFlags::empty() } else { PollFlags::IN };
        let mut polled = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, accepting)];
        // Hanging up is reported unasked; what they send is not asked about.
        polled.extend(clients.iter().map(|client| PollFd::new(client, PollFlags::empty())));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(REST.subsec_nanos()) };
        match poll(&mut polled, resting.then_some(&timeout)) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(_) => thread::sleep(REST), // out of memory: later
        }
        let [told, called] = [0, 1].map(|index: usize| !polled[index].revents().is_empty());
        if told {
            return;
        }
        forget_hung_up(&mut clients);
        resting = called && !accept(listener, offer, &mut clients);
    }
}

/// Closes the connections of those who hung up.
fn forget_hung_up(clients: &mut Vec<OwnedFd>) {
    let mut polled: Vec<_> = clients.iter().map(|client| PollFd::new(client, PollFlags::empty())).collect();
    let _ = poll(&mut polled, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    let hung_up: Vec<bool> = polled.iter().map(|polled| !polled.revents().is_empty()).collect();
    let (mut hung_up, before) = (hung_up.iter(), clients.len());
    clients.retain(|_| hung_up.next() != Some(&true));
    log::left(before - clients.len(), clients.len());
}

/// Answers those who wait; false if this process has no descriptor left for them.
fn accept(listener: &OwnedFd, offer: &Offer, clients: &mut Vec<OwnedFd>) -> bool {
    for _ in 0..AT_ONCE {
        match net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(client) => {
                // Somebody may have hung up, and come again, since they were last looked at.
                if clients.len() >= offer.served.max_clients {
                    forget_hung_up(clients);
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
