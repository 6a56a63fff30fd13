//! Taking a sealed ring over: what came through the socket is believed as little as a file on disk, and its seals are
//! looked at, too.

use std::io::{self, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{self, FileType, Mode, OFlags, SealFlags, Stat};
use rustix::io::Errno;
use rustix::net::{self, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use super::answer::{Answer, DESCRIPTORS, LONGEST};
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

/// So long an answer may take. A publisher that lives answers at once, whatever else it does.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a publisher handed over: open, of the right kinds, sealed, and otherwise not yet believed.
pub(crate) struct Received {
    /// Read-only, with its stat.
    pub(crate) segment: (OwnedFd, Stat),
    /// Open for reading and writing, with its stat.
    pub(crate) control: (OwnedFd, Stat),
    /// The read end of the pipe whose end of file is the publisher's death.
    pub(crate) live: OwnedFd,
    /// What it came through. The publisher counts those who keep it open.
    pub(crate) connection: OwnedFd,
    /// The socket's file.
    pub(crate) socket: Stat,
}

/// Opens the sealed ring that is served at `path`, if its messages are the expected ones.
pub(crate) fn open(path: &Path, expected: Expected<'_>) -> Result<Opened, OpenError> {
    let Expected { trust, mapping, placement, .. } = expected;
    if mapping == Mapping::ReadWrite {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "a sealed ring can only be mapped read-only");
        return Err(OpenError::Io { doing: "map for writing", path: path.to_owned(), source });
    }
    let Received { segment, control: (control_file, stat), live, connection, .. } = receive(path, trust)?;
    let (memory, header) = check::segment(&segment.0, &segment.1, (mapping, placement), path)?;
    header.expect(expected.message, path)?;
    check::control_size(&stat, path)?;
    let control = check::control(&control_file, &stat, header.nonce).map_err(|source| OpenError::Io {
        doing: "map",
        path: path.to_owned(),
        source,
    })?;
    let Some(control) = control else {
        return Err(not_a_ring(path, "a segment and a control file of two rings".to_owned()));
    };
    check::settle(&memory, &control, &segment.1, placement, path)?;
    let sleepers = Pinned::new(&control, control::SLEEPERS);
    // The publisher counts those who keep the connection open.
    let attachment = Attachment::with_entries(Liveness::Fifo(live), (control_file, control), connection);
    let layout = header.layout();
    Ok(Opened { memory, layout, sleepers, attachment, found: Some((header.geometry, path.to_owned())) })
}

/// Has the ring that is served at `path` handed over.
pub(crate) fn receive(path: &Path, trust: Trust<'_>) -> Result<Received, OpenError> {
    let failed = |doing| move |errno: Errno| OpenError::Io { doing, path: path.to_owned(), source: errno.into() };
    let (connection, socket) = call(path)?;
    let server = peer::uid(&connection).map_err(|source| OpenError::Io {
        doing: "find out who serves",
        path: path.to_owned(),
        source,
    })?;
    trust.check(path, server)?;
    let [segment, control, live] = hear(&connection, path)?;

    let segment_stat = kind(&segment, path, "segment", FileType::RegularFile)?;
    let control_stat = kind(&control, path, "control", FileType::RegularFile)?;
    kind(&live, path, "live", FileType::Fifo)?;
    // A read that finds nothing must come back.
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

/// Connects, and says which socket that is.
fn call(path: &Path) -> Result<(OwnedFd, Stat), OpenError> {
    let expected = "the socket of a sealed ring's publisher";
    // The file, to be looked at and connected to without its name being looked up again, however long that is.
    let file = fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| fault::not_opened(path.to_owned(), errno, expected))?;
    let stat = kind(&file, path, "", FileType::Socket)?;
    let connection = socket().map_err(|errno| fault::io(path.to_owned(), "make a socket for", errno))?;
    let address = address_of(&file).map_err(|errno| fault::io(path.to_owned(), "name", errno))?;
    let begun = Instant::now();
    loop {
        return match net::connect(&connection, &address) {
            Ok(()) => Ok((connection, stat)),
            // Many are waiting to be accepted.
            Err(Errno::AGAIN | Errno::INTR) if begun.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            }
            Err(Errno::CONNREFUSED | Errno::NOENT) => Err(OpenError::NotServed { path: path.to_owned() }),
            Err(Errno::ACCESS | Errno::PERM) => Err(OpenError::Permission { path: path.to_owned() }),
            Err(Errno::PROTOTYPE) => Err(not_a_ring(path, "a socket of another type".to_owned())),
            Err(errno) => Err(fault::io(path.to_owned(), "connect to", errno).into()),
        };
    }
}

/// Waits for the answer, and takes the descriptors that come with it.
fn hear(connection: &OwnedFd, path: &Path) -> Result<[OwnedFd; DESCRIPTORS], OpenError> {
    wait(connection, path)?;
    let failed = |errno: Errno| OpenError::Io { doing: "hear from", path: path.to_owned(), source: errno.into() };
    let mut bytes = [0; LONGEST];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let received = match net::recvmsg(connection, &mut [IoSliceMut::new(&mut bytes)], &mut ancillary, flags) {
        // It ended between our connecting and its accepting.
        Err(Errno::CONNRESET) => return Err(OpenError::NotServed { path: path.to_owned() }),
        received => received.map_err(failed)?,
    };
    // More descriptors than there is space for are closed by the kernel, the others here.
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
    <[OwnedFd; DESCRIPTORS]>::try_from(files)
        .map_err(|files| not_a_ring(path, format!("a socket that sends {} descriptors", files.len())))
}

/// Waits until there is something to hear.
fn wait(connection: &OwnedFd, path: &Path) -> Result<(), OpenError> {
    let begun = Instant::now();
    loop {
        let left = PATIENCE.saturating_sub(begun.elapsed());
        let timeout = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        let source = match poll(&mut [PollFd::new(connection, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => io::Error::new(io::ErrorKind::TimedOut, format!("no answer within {PATIENCE:?}")),
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => continue,
            Err(errno) => errno.into(),
        };
        return Err(OpenError::Io { doing: "hear from", path: path.to_owned(), source });
    }
}

/// Holds a file against the kind that it is to be.
fn kind(file: &OwnedFd, path: &Path, name: &str, expected: FileType) -> Result<Stat, OpenError> {
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

/// Whether a file that came through a socket is sealed as it has to be.
fn check_seals(file: &OwnedFd, path: &Path, what: &'static str, expected: SealFlags) -> Result<(), OpenError> {
    let found = match fs::fcntl_get_seals(file) {
        Err(Errno::INVAL) => SealFlags::empty(), // of a kind that cannot be sealed
        found => found.map_err(|errno| fault::io(path.to_owned(), "look at the seals of", errno))?,
    };
    if found.contains(expected) {
        return Ok(());
    }
    Err(OpenError::Unsealed { path: path.to_owned(), what, found: names(found), expected: names(expected) })
}

fn names(seals: SealFlags) -> String {
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
