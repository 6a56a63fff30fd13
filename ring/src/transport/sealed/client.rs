//! Receives a sealed ring through a socket. The received files are checked like files on disk, and their seals as well.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{self, FileType, Mode, OFlags, SealFlags, Stat};
use rustix::io::Errno;
use rustix::net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags};

use super::answer::{Answer, DESCRIPTORS, MAX_BYTES};
use super::memory_file::{CONTROL_SEALS, SEGMENT_SEALS};
use super::peer;
use super::socket::{address_of, socket};
use crate::error::OpenError;
use crate::format::layout::control;
use crate::memory::{Mapping, Pinned};
use crate::presence::liveness::Liveness;
use crate::segment::check;
use crate::transport::attachment::{Attachment, Opened};
use crate::transport::files::{Trust, fault};
use crate::transport::request::Expected;

/// Longest wait for a connection and for an answer. A living publisher answers at once, because its serving
/// thread does nothing else.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// The files that a publisher handed over. Their kinds and seals are checked, their contents not yet.
pub(crate) struct Received {
    /// The segment, open for reading, with its stat.
    pub(crate) segment: (OwnedFd, Stat),
    /// The control file, open for reading and writing, with its stat.
    pub(crate) control: (OwnedFd, Stat),
    /// The read end of a pipe. End of file means that the publisher is dead.
    pub(crate) live: OwnedFd,
    /// The connection to the publisher, which counts this process as a client until the connection is closed.
    pub(crate) connection: OwnedFd,
    /// The stat of the socket's file.
    pub(crate) socket: Stat,
}

/// Opens the sealed ring served at `path`, if its messages are the expected ones.
pub(crate) fn open(path: &Path, expected: Expected<'_>) -> Result<Opened, OpenError> {
    let Expected { trust, mapping, placement, .. } = expected;
    if mapping == Mapping::ReadWrite {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "a sealed ring can only be mapped read-only");
        return Err(OpenError::Io { doing: "map for writing", path: path.to_owned(), source });
    }
    let Received { segment, control: (control_file, stat), live, connection, .. } = receive(path, trust)?;
    let (memory, header) = check::segment(&segment.0, &segment.1, (mapping, placement), path)?;
    header.expect(expected.contents, path)?;
    // Its size is sealed, and its contents are any client's.
    let control = check::control(&control_file, &stat)
        .map_err(|reason| not_a_ring(path, format!("a socket that sends a control file {reason}")))?;
    check::prefault_and_lock(&memory, Some(&control), &segment.1, placement, path)?;
    let sleepers = Some(Pinned::new(&control, control::SLEEPERS));
    // The publisher counts open connections against `max_clients`.
    let attachment = Attachment::new(Liveness::Fifo(live), Ok((control_file, control)), connection);
    let layout = header.layout();
    Ok(Opened { memory, layout, sleepers, attachment, found: Some((header.geometry, path.to_owned())) })
}

/// Connects to `path`, checks who serves there, and receives the ring's files.
pub(crate) fn receive(path: &Path, trust: Trust<'_>) -> Result<Received, OpenError> {
    let failed = |doing| move |errno: Errno| OpenError::Io { doing, path: path.to_owned(), source: errno.into() };
    let (connection, socket) = connect(path)?;
    let server = peer::uid(&connection).map_err(|source| OpenError::Io {
        doing: "find out who serves (getsockopt)",
        path: path.to_owned(),
        source,
    })?;
    trust.check(path, server)?;
    let [segment, control, live] = receive_answer(&connection, path)?;

    let segment_stat = check_kind(&segment, path, "segment", FileType::RegularFile)?;
    let control_stat = check_kind(&control, path, "control", FileType::RegularFile)?;
    check_kind(&live, path, "live", FileType::Fifo)?;
    // Without NONBLOCK a read of an empty pipe would block the subscriber.
    let flags = fs::fcntl_getfl(&live).map_err(failed("look at the pipe of"))?;
    fs::fcntl_setfl(&live, flags | OFlags::NONBLOCK).map_err(failed("set the flags of the pipe of"))?;
    check_seals(&segment, path, "segment", SEGMENT_SEALS)?;
    check_seals(&control, path, "control", CONTROL_SEALS)?;
    let (segment, control) = ((segment, segment_stat), (control, control_stat));
    Ok(Received { segment, control, live, connection, socket })
}

fn not_a_ring(path: &Path, found: String) -> OpenError {
    OpenError::NotARing { path: path.to_owned(), found, expected: "the socket of a sealed ring's publisher" }
}

/// Connects to the socket at `path`. Returns the connection and the stat of the socket's file.
fn connect(path: &Path) -> Result<(OwnedFd, Stat), OpenError> {
    let expected = "the socket of a sealed ring's publisher";
    // Opened once, so that the checked file is the one connected to. Its /proc path also fits a socket address.
    let file = fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| fault::not_opened(path.to_owned(), errno, expected))?;
    let stat = check_kind(&file, path, "", FileType::Socket)?;
    let connection = socket().map_err(|errno| fault::io(path.to_owned(), "make a socket for (socket)", errno))?;
    let address = address_of(&file, path).map_err(|errno| fault::io(path.to_owned(), "name", errno))?;
    let begun = Instant::now();
    loop {
        return match net::connect(&connection, &address) {
            Ok(()) => Ok((connection, stat)),
            // The queue of connections to accept is full.
            Err(Errno::AGAIN | Errno::INTR) if begun.elapsed() < ANSWER_TIMEOUT => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(Errno::CONNREFUSED | Errno::NOENT) => Err(OpenError::NotServed { path: path.to_owned() }),
            Err(Errno::ACCESS) => Err(OpenError::Permission { path: path.to_owned() }),
            Err(Errno::PROTOTYPE) => Err(not_a_ring(path, "a socket of another type".to_owned())),
            Err(errno) => Err(fault::io(path.to_owned(), "connect to (connect)", errno).into()),
        };
    }
}

/// Waits for the answer and returns the descriptors that come with it.
fn receive_answer(connection: &OwnedFd, path: &Path) -> Result<[OwnedFd; DESCRIPTORS], OpenError> {
    wait_for_answer(connection, path)?;
    let failed =
        |errno: Errno| OpenError::Io { doing: "hear from (recvmsg)", path: path.to_owned(), source: errno.into() };
    let mut bytes = [0; MAX_BYTES];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = match net::recvmsg(connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
        // The publisher ended before it accepted this connection.
        Err(Errno::CONNRESET) => return Err(OpenError::NotServed { path: path.to_owned() }),
        received => received.map_err(failed)?,
    };
    // The kernel closes descriptors for which there is no space; dropping this vector closes the rest.
    let files: Vec<OwnedFd> = ancillary
        .drain()
        .filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(files) => Some(files),
            _ => None,
        })
        .flatten()
        .collect();
    if received.bytes == 0 {
        return Err(OpenError::NotServed { path: path.to_owned() });
    }
    match Answer::from_bytes(&bytes[..received.bytes]) {
        Ok(Answer::Yes) => {}
        Ok(Answer::No { reason }) => return Err(OpenError::Refused { path: path.to_owned(), reason }),
        Err(found) => return Err(not_a_ring(path, found)),
    }
    // The kernel leaves out what would be beyond this process's limit.
    if files.len() < DESCRIPTORS && received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(failed(Errno::MFILE));
    }
    <[OwnedFd; DESCRIPTORS]>::try_from(files)
        .map_err(|files| not_a_ring(path, format!("a socket that sends {} descriptors", files.len())))
}

/// Waits until the connection has data or is closed.
fn wait_for_answer(connection: &OwnedFd, path: &Path) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        let left = ANSWER_TIMEOUT.saturating_sub(begun.elapsed());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let source = match poll(&mut [PollFd::new(connection, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {ANSWER_TIMEOUT:?}")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(errno) => errno.into(),
        };
        return Err(OpenError::Io { doing: "hear from (poll)", path: path.to_owned(), source });
    }
}

/// Checks a file's kind. `name` is the file's name in the error's text, empty for the socket.
fn check_kind(file: &OwnedFd, path: &Path, name: &str, expected: FileType) -> Result<Stat, OpenError> {
    let stat = fs::fstat(file).map_err(|errno| fault::io(path.to_owned(), "look at", errno))?;
    let found = FileType::from_raw_mode(stat.st_mode);
    if found == expected {
        return Ok(stat);
    }
    let found = fault::kind_name(found);
    Err(match name {
        "" => not_a_ring(path, found.to_owned()),
        name => not_a_ring(path, format!("a socket that sends {found} as {name}")),
    })
}

/// Checks that a received file has all expected seals.
fn check_seals(file: &OwnedFd, path: &Path, what: &'static str, expected: SealFlags) -> Result<(), OpenError> {
    let found = match fs::fcntl_get_seals(file) {
        Err(Errno::INVAL) => SealFlags::empty(), // a file that cannot be sealed
        found => found.map_err(|errno| fault::io(path.to_owned(), "look at the seals of (fcntl)", errno))?,
    };
    if found.contains(expected) {
        return Ok(());
    }
    Err(OpenError::Unsealed { path: path.to_owned(), what, found: seal_names(found), expected: seal_names(expected) })
}

fn seal_names(seals: SealFlags) -> String {
    let names: Vec<_> = [
        (SealFlags::SHRINK, "shrinking"),
        (SealFlags::GROW, "growing"),
        (SealFlags::FUTURE_WRITE, "further writing"),
        (SealFlags::WRITE, "writing"),
        (SealFlags::SEAL, "sealing"),
    ]
    .into_iter()
    .filter_map(|(seal, name)| seals.contains(seal).then_some(name))
    .collect();
    if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
}
