//! Opens a ring on disk for a subscriber.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use crate::error::OpenError;
use crate::format::layout::{control, state, word};
use crate::memory::{Mapping, Memory, Pinned};
use crate::presence::liveness::Liveness;
use crate::segment::check;
use crate::sync::WriteWord;
use crate::transport::attachment::{Attachment, Opened};
use crate::transport::files::{Directory, Fault, Trust, What, file};
use crate::transport::request::Expected;

/// Attempts, 1 ms apart, while the ring is being made, replaced or removed.
const ATTEMPTS: u32 = 50;

/// Opens the ring `expected.name` below `root`, if its messages are the expected ones.
pub(crate) fn open(root: &Path, expected: Expected<'_>) -> Result<Opened, OpenError> {
    let root = Directory::root_to_look_in(root)?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let ring = root.ring(expected.name, expected.trust)?;
        match (open_once(&ring, expected), attempts.next()) {
            (Ok(Some(opened)), _) => return Ok(opened),
            (Err(error), _) => return Err(error),
            // The files belong to two rings: the ring is being replaced or removed at this moment.
            (Ok(None), Some(_)) => std::thread::sleep(Duration::from_millis(1)),
            (Ok(None), None) => return Err(OpenError::Unfinished { path: ring.path }),
        }
    }
}

/// One attempt. `None` if the files do not all belong to one ring.
fn open_once(ring: &Directory, expected: Expected<'_>) -> Result<Option<Opened>, OpenError> {
    let path = ring.path.join(file::SEGMENT);
    let Expected { trust, mapping, placement, .. } = expected;
    let flags = match mapping {
        Mapping::ReadOnly => OFlags::RDONLY,
        Mapping::ReadWrite => OFlags::RDWR,
    };
    let (segment, segment_stat) = ring.open(file::SEGMENT, flags, FileType::RegularFile, trust)?;
    let (memory, header) = check::segment(&segment, &segment_stat, (mapping, placement), &path)?;
    header.expect(expected.contents, &path)?;
    let Some(control) = open_control(ring, trust)? else { return Ok(None) };
    let live = match ring.open(file::LIVE, OFlags::RDONLY, FileType::Fifo, trust) {
        Err(Fault { what: What::Missing, .. }) => return Ok(None),
        live => live?.0,
    };
    // The files belong together if the segment is still in place now. A ring that is replaced is marked before the new
    // ring's control file is put in place, and a ring that is removed loses its segment first.
    if !ring.holds(file::SEGMENT, &segment_stat)? || memory[word::STATE].load() == state::SUPERSEDED {
        return Ok(None);
    }
    check::prefault_and_lock(&memory, control.as_ref().ok().map(|(_, words)| words), &segment_stat, placement, &path)?;
    let sleepers = control.as_ref().ok().map(|(_, words)| Pinned::new(words, control::SLEEPERS));
    let attachment = Attachment::new(Liveness::Fifo(live), control, ());
    let layout = header.layout();
    Ok(Some(Opened { memory, layout, sleepers, attachment, found: Some((header.geometry, ring.path.clone())) }))
}

/// An open and mapped control file, or the reason as text why there is none.
type Control = Result<(OwnedFd, Memory<WriteWord>), String>;

/// Opens and maps the control file. `None` if there is none. It may be on a file system that is mounted read-only, or
/// somebody may have cut it short: then this subscriber does without.
fn open_control(ring: &Directory, trust: Trust<'_>) -> Result<Option<Control>, OpenError> {
    let path = ring.path.join(file::CONTROL);
    match ring.open(file::CONTROL, OFlags::RDWR, FileType::RegularFile, trust) {
        Err(Fault { what: What::Missing, .. }) => Ok(None),
        Err(Fault { what: What::Io { source: Errno::ROFS, .. }, .. }) => {
            Ok(Some(Err(format!("{}: the file system is mounted read-only", path.display()))))
        }
        Err(fault) => Err(fault.into()),
        Ok((file, stat)) => {
            let mapped = check::control(&file, &stat).map_err(|reason| format!("{}: {reason}", path.display()));
            Ok(Some(mapped.map(|words| (file, words))))
        }
    }
}
