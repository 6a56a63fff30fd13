//! The thread that hands a sealed ring to its clients. It answers each client yes or no at once, in one packet, and
//! then only watches for the end of the connection. It never reads from a client and never waits for one. Nobody waits
//! long for it either: it may be held up where it logs.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{self, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags};
use rustix::pipe::{PipeFlags, pipe_with};

use super::answer::{Answer, DESCRIPTORS};
use super::memory_file::{failed, reopen};
use super::socket::SocketFile;
use super::{log, peer};
use crate::error::{CloseError, CreateError};
use crate::sync::{Apart, without_signals};
use crate::transport::files::has_proc;
use crate::transport::request::SealedOptions;

/// The time without accepting after the process ran out of descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the end of a ring waits for the thread. Only what it logs to can hold it up: the rest does not block.
const PATIENCE: Duration = Duration::from_secs(1);

/// Connections accepted in a row before the thread looks for ended connections again.
const ACCEPTS_IN_A_ROW: usize = 64;

/// A publisher's socket and the thread that serves it.
pub(crate) struct Server {
    socket: SocketFile,
    /// The write end of a pipe. Whatever is written to it ends the thread.
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
        let flags = PipeFlags::CLOEXEC | PipeFlags::NONBLOCK;
        let (stopped, stop) = pipe_with(flags).map_err(fault("prepare to serve (pipe2)"))?;
        let serving = thread::Builder::new().name("feed-ring-serve".to_owned());
        let apart = Apart::from_this_thread();
        let serve = move || serve(&listener, &stopped, &offer, apart);
        let thread = without_signals(|| serving.spawn(serve)).map_err(|source| CreateError::Io {
            doing: "start a thread for (clone)",
            path: socket.path.clone(),
            source,
        })?;
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

    /// Removes the socket and ends the thread. A thread that is held up ends by itself once it no longer is; until then it
    /// serves nobody, because its socket is gone.
    pub(crate) fn end(&mut self) -> Result<(), CloseError> {
        if !self.is_own() {
            std::mem::forget(self.thread.take()); // the thread runs in the parent only
            return Ok(());
        }
        // The socket first. Otherwise a client could connect and get no answer.
        let removed = self.socket.remove();
        if let Some(thread) = self.thread.take() {
            let _ = rustix::io::write(&self.stop, &[0]);
            let begun = Instant::now();
            while !thread.is_finished() && begun.elapsed() < PATIENCE {
                thread::sleep(Duration::from_micros(200));
            }
            if thread.is_finished() {
                let _ = thread.join();
            }
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

    /// The largest number of clients of one user. If others are allowed, one user cannot keep them out.
    fn max_of_one_user(&self) -> usize {
        let SealedOptions { uids, gids, .. } = &self.options;
        let alone = gids.is_empty() && uids.iter().all(|uid| *uid == self.own_uid);
        let max_clients = self.options.max_clients();
        if alone { max_clients } else { max_clients.div_ceil(2) }
    }

    /// The user of a client that is accepted, or why it is refused.
    fn admit(&self, client: &OwnedFd, clients: &[Client]) -> Result<u32, String> {
        let Ok((uid, groups)) = peer::identity(client) else {
            return Err("the kernel does not tell who you are".to_owned());
        };
        let SealedOptions { uids, gids, .. } = &self.options;
        if uid != self.own_uid && !uids.contains(&uid) && !groups.iter().any(|group| gids.contains(group)) {
            return Err(format!(
                "uid {uid} is neither the publisher's ({}) nor allowed: run as another user, or publish with that uid or \
                 a group of it allowed",
                self.own_uid
            ));
        }
        let refused = |found: String| Err(format!("{found}: end some, or publish with more allowed"));
        let (connected, max_clients) = (clients.len(), self.options.max_clients());
        if connected >= max_clients {
            return refused(format!("{connected} clients are connected, {max_clients} allowed"));
        }
        let (own, most) = (clients.iter().filter(|client| client.uid == uid).count(), self.max_of_one_user());
        if own >= most {
            let half = format!("{most} allowed for one user, half of {max_clients}");
            return refused(format!("{own} clients of uid {uid} are connected, {half}"));
        }
        Ok(uid)
    }

    /// Answers a client. Returns the connection of an accepted client, to watch for its end.
    fn answer(&self, client: OwnedFd, clients: &[Client]) -> Option<Client> {
        let granted = self.admit(&client, clients).and_then(|uid| Ok((uid, self.descriptors().map_err(not_opened)?)));
        let answer = match &granted {
            Ok(_) => Answer::Yes,
            Err(reason) => Answer::No { reason: reason.clone() },
        };
        let files: Vec<_> = granted.iter().flat_map(|(_, files)| files).map(|file| file.as_fd()).collect();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        if !files.is_empty() {
            ancillary.push(SendAncillaryMessage::ScmRights(&files));
        }
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        // The buffer of a new connection is empty, so an answer that cannot be sent at once never can.
        let sent = net::sendmsg(&client, &[IoSlice::new(&answer.to_bytes())], &mut ancillary, flags);
        match granted {
            Ok((uid, _)) if sent.is_ok() => {
                log::accepted(uid, clients.len() + 1);
                Some(Client { connection: client, uid })
            }
            Ok(_) => None, // the client disconnected before the answer
            Err(reason) => {
                log::refused(&reason);
                None
            }
        }
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

/// A connected client.
struct Client {
    connection: OwnedFd,
    uid: u32,
}

/// Why a client is refused although it is admitted.
fn not_opened(errno: Errno) -> String {
    let remedy = if has_proc() { "end some of its clients, or restart it" } else { "mount /proc where it runs" };
    format!("the publisher cannot open its own files: {errno}: {remedy}")
}

/// Opens a file once more. A client of the publisher's own user may have taken its permissions away: then they are given
/// back first, or no later client could be served.
fn reopen_as_owner(file: &OwnedFd, access: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
    reopen(file, access).or_else(|_| {
        rustix::fs::fchmod(file, mode)?;
        reopen(file, access)
    })
}

/// Serves until `stop` is written. Clients decide how often there is something to do, so it keeps off the publisher's CPU.
fn serve(listener: &OwnedFd, stop: &OwnedFd, offer: &Offer, mut apart: Apart) {
    let mut clients: Vec<Client> = Vec::new();
    let mut paused = false;
    loop {
        apart.keep();
        let accepting = if paused { PollFlags::empty() } else { PollFlags::IN };
        let mut polled = vec![PollFd::new(stop, PollFlags::IN), PollFd::new(listener, accepting)];
        // With no events requested, poll reports only the end of a connection, not data.
        polled.extend(clients.iter().map(|client| PollFd::new(&client.connection, PollFlags::empty())));
        let timeout = Timespec { tv_sec: 0, tv_nsec: i64::from(PAUSE.subsec_nanos()) };
        let [stopped, connecting] = match poll(&mut polled, paused.then_some(&timeout)) {
            Ok(_) => [0, 1].map(|index: usize| !polled[index].revents().is_empty()),
            Err(Errno::INTR) => continue,
            // More descriptors than RLIMIT_NOFILE allows by now, or too little memory. No event is reported then, so this
            // thread looks for itself whether it is to stop, and whether clients connect.
            Err(_) => {
                thread::sleep(PAUSE);
                [rustix::io::read(stop, &mut [0]).is_ok(), true]
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
fn drop_disconnected(clients: &mut Vec<Client>) {
    let mut polled: Vec<_> = clients.iter().map(|client| PollFd::new(&client.connection, PollFlags::empty())).collect();
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
fn accept(listener: &OwnedFd, offer: &Offer, clients: &mut Vec<Client>) -> bool {
    for _ in 0..ACCEPTS_IN_A_ROW {
        match net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
            Ok(client) => {
                // A client may have disconnected and come again since the last look. Its old connection must not count.
                if clients.len() >= offer.max_of_one_user() {
                    drop_disconnected(clients);
                }
                let answered = offer.answer(client, clients);
                clients.extend(answered);
            }
            Err(Errno::INTR | Errno::CONNABORTED) => {}
            Err(Errno::AGAIN) => return true,
            Err(_) => return false,
        }
    }
    true
}
